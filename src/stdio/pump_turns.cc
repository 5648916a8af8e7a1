// The work of a pump by turns. As much as poll(2) vouches for is written at a time: where it says that a pipe or a
// socket can be written to, PIPE_BUF bytes do not block, unless somebody else writes to it at that moment.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "stdio/pump.h"

namespace mcptrace::stdio {
namespace {

// Somebody who shares the description was quicker, or a signal came.
bool comes_later(ssize_t done) { return done < 0 && (errno == EINTR || errno == EAGAIN); }

}  // namespace

Nanos Pump::monotonic() { return std::chrono::steady_clock::now().time_since_epoch(); }

bool Pump::write_some() {
  const iovec& first = ready_.front();
  const std::size_t size = std::min<std::size_t>(first.iov_len - written_, PIPE_BUF);
  const ssize_t wrote = size == 0 ? 0 : ::write(to_, static_cast<const char*>(first.iov_base) + written_, size);
  if (wrote < 0) return comes_later(wrote);
  written_ += static_cast<std::size_t>(wrote);
  if (written_ == first.iov_len) {
    ready_ = ready_.subspan(1);
    written_ = 0;
  }
  return true;
}

Pump::Wish ClientPump::wish() {
  if (!takes_turns()) return {};
  const Mode asked = mode();
  if (asked == Mode::kStop) return {.limit = Nanos(0)};
  if (!ready_.empty()) return {.fd = to_, .events = POLLOUT};
  return {.fd = from_, .events = POLLIN, .limit = asked == Mode::kDrain ? Nanos(0) : tap_.hold_left()};
}

void ClientPump::turn(bool ready) {
  if (!takes_turns()) return;
  const Mode asked = mode();
  if (asked == Mode::kStop) return break_off(End::kStopped);
  if (!ready_.empty()) return ready ? write_turn() : void();
  const std::optional<Nanos> hold = tap_.hold_left();
  if (hold && *hold <= Nanos(0) && asked != Mode::kDrain) {
    tap_.on_hold_over();
    take_ready();
  } else if (ready) {
    read_turn();
  } else if (asked == Mode::kDrain) {
    end_input();
  }
}

void ClientPump::write_turn() {
  const bool taken = write_some();
  if (taken && !ready_.empty()) return;
  tap_.sent();
  return taken ? take_ready() : break_off(End::kReaderGone);
}

void ClientPump::break_off(End end) {
  if (!input_over_) tap_.end();
  end_turns(end);
}

void ClientPump::read_turn() {
  const std::span<char> room = tap_.room();
  const ssize_t got = ::read(from_, room.data(), room.size());
  if (comes_later(got)) return;
  if (got <= 0) return end_input();
  tap_.arrived(static_cast<std::size_t>(got));
  take_ready();
}

void ClientPump::end_input() {
  input_over_ = true;
  tap_.end();
  take_ready();
}

// A tap may give what is ready in several portions.
void ClientPump::take_ready() {
  ready_ = tap_.ready();
  if (ready_.empty() && input_over_) end_turns(End::kEof);
}

Pump::Wish ServerPump::wish() {
  if (!takes_turns()) return {};
  const Mode asked = mode();
  if (asked == Mode::kStop) return {.limit = Nanos(0)};
  if (asked == Mode::kDrain && !drain_) drain_ = begin_drain();
  if (!ready_.empty()) return {.fd = to_, .events = POLLOUT};
  if (!drain_) return {.fd = from_, .events = POLLIN};
  if (drain_->owed <= 0 && !drain_->last) drain_->last = monotonic() + kLongestExtra;
  return {.fd = from_,
          .events = POLLIN,
          .limit = std::min(drain_->quiet, drain_->last.value_or(Nanos::max())) - monotonic()};
}

void ServerPump::turn(bool ready) {
  if (!takes_turns()) return;
  if (mode() == Mode::kStop) return finish_turns(End::kStopped);
  if (ready_.empty()) {
    const Nanos now = monotonic();
    if (drain_ && ((drain_->last && now >= *drain_->last) || (!ready && now >= drain_->quiet))) {
      return finish_turns(End::kEof);
    }
    return ready ? read_turn() : void();
  }
  if (!ready) return;
  if (!write_some()) return finish_turns(End::kReaderGone);
  if (!ready_.empty()) return;
  tap_.passed({buffer_.get(), piece_.iov_len});
  if (drain_) drain_->quiet = monotonic() + kEmptyWait;
}

void ServerPump::read_turn() {
  const ssize_t got = ::read(from_, buffer_.get(), kBufferBytes);
  if (comes_later(got)) return;
  if (got <= 0) return finish_turns(End::kEof);
  tap_.arrived({buffer_.get(), static_cast<std::size_t>(got)});
  piece_ = {buffer_.get(), static_cast<std::size_t>(got)};
  ready_ = {&piece_, 1};
  if (drain_) drain_->owed -= static_cast<int>(got);
}

void ServerPump::finish_turns(End end) {
  tap_.end();
  end_turns(end);
}

}  // namespace mcptrace::stdio
