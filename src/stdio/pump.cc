#include "stdio/pump.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "base/thread.h"
#include "stdio/signals.h"

namespace mcptrace::stdio {
namespace {

constexpr std::size_t kStackBytes = 128 << 10;

}  // namespace

Result<> Pump::start() {
  MCPTRACE_TRY(thread_, start_thread(kStackBytes, thread_main, this));
  started_ = true;
  return {};
}

void* Pump::thread_main(void* self) {
  auto& pump = *static_cast<Pump*>(self);
  const End end = pump.pump();
  const int wake = pump.wake_;
  pump.ended_.store(static_cast<std::uint8_t>(1 + static_cast<int>(end)), std::memory_order_release);
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t wrote = ::write(wake, &one, sizeof(one));
  return nullptr;
}

void Pump::ask(Mode mode) {
  if (mode > wanted_.load(std::memory_order_relaxed)) wanted_.store(mode, std::memory_order_relaxed);
}

bool Pump::nudge() {
  if (!started_ || ended()) return false;
  const Mode wanted = wanted_.load(std::memory_order_relaxed);
  if (wanted == heard_.load(std::memory_order_relaxed) && wanted != Mode::kStop) return false;
  pthread_kill(thread_, kNudge);
  return true;
}

std::optional<Pump::End> Pump::ended() const {
  const std::uint8_t value = ended_.load(std::memory_order_acquire);
  if (value == 0) return std::nullopt;
  return static_cast<End>(value - 1);
}

void Pump::join() {
  if (started_) pthread_join(thread_, nullptr);
  started_ = false;
}

Pump::Mode Pump::mode() {
  const Mode mode = wanted_.load(std::memory_order_relaxed);
  if (mode != heard_.load(std::memory_order_relaxed)) heard_.store(mode, std::memory_order_relaxed);
  return mode;
}

Pump::Wait Pump::wait_for(int fd, short events, std::optional<Nanos> limit) {
  pollfd one{fd, events, 0};
  timespec left{};
  if (limit) {
    const Nanos wait = std::max(*limit, Nanos(0));
    left = {wait.count() / 1'000'000'000, wait.count() % 1'000'000'000};
  }
  const int ready = ppoll(&one, 1, limit ? &left : nullptr, nullptr);
  if (ready < 0) return Wait::kInterrupted;
  return ready == 0 ? Wait::kTimeout : Wait::kReady;
}

std::optional<Pump::End> Pump::write_pieces(std::span<const iovec> pieces) {
  std::size_t skip = 0;  // what of the first piece is written already
  while (!pieces.empty()) {
    const iovec& first = pieces.front();
    const ssize_t wrote =
        skip > 0 || pieces.size() == 1
            ? ::write(to_, static_cast<const char*>(first.iov_base) + skip, first.iov_len - skip)
            : ::writev(to_, pieces.data(), static_cast<int>(std::min<std::size_t>(pieces.size(), IOV_MAX)));
    if (wrote < 0) {
      if (mode() == Mode::kStop) return End::kStopped;
      // Somebody who shares the description may have made it non-blocking.
      if (errno == EAGAIN)
        wait_for(to_, POLLOUT, std::nullopt);
      else if (errno != EINTR)
        return End::kReaderGone;
      continue;
    }
    std::size_t left = static_cast<std::size_t>(wrote);
    while (!pieces.empty() && left >= pieces.front().iov_len - skip) {
      left -= pieces.front().iov_len - skip;
      skip = 0;
      pieces = pieces.subspan(1);
    }
    skip += left;
  }
  return std::nullopt;
}

Pump::End ClientPump::pump() {
  const End end = pass_all();
  tap_.end();
  if (end == End::kEof) {
    if (const std::optional<End> failed = pass_ready()) return *failed;
  }
  return end;
}

Pump::End ClientPump::pass_all() {
  bool would_block = false;
  for (;;) {
    const Mode asked = mode();
    if (asked == Mode::kStop) return End::kStopped;
    const std::optional<Nanos> hold = tap_.hold_left();
    Wait wait = Wait::kReady;
    if (asked == Mode::kDrain) {
      wait = wait_for(from_, POLLIN, Nanos(0));
      if (wait == Wait::kTimeout) return End::kEof;
    } else if (hold && *hold <= Nanos(0)) {
      wait = Wait::kTimeout;  // also where more is there: the hold is over
    } else if (hold || would_block) {
      wait = wait_for(from_, POLLIN, hold);
    }
    if (wait == Wait::kInterrupted) continue;
    if (wait == Wait::kTimeout) {
      tap_.on_hold_over();
      if (const std::optional<End> end = pass_ready()) return *end;
      continue;
    }
    const std::span<char> room = tap_.room();
    const ssize_t got = ::read(from_, room.data(), room.size());
    would_block = got < 0 && errno == EAGAIN;
    if (got > 0) {
      tap_.arrived(static_cast<std::size_t>(got));
      if (const std::optional<End> end = pass_ready()) return *end;
    } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
      return End::kEof;  // a terminal that was hung up gives EIO: nothing more comes from it
    }
  }
}

std::optional<Pump::End> ClientPump::pass_ready() {
  // A tap may give what is ready in several portions.
  for (auto pieces = tap_.ready(); !pieces.empty(); pieces = tap_.ready()) {
    const std::optional<End> end = write_pieces(pieces);
    tap_.sent();
    if (end) return end;
  }
  return std::nullopt;
}

ServerPump::ServerPump(int from, int to, int wake, ServerTap& tap, PageBuffer buffer)
    : Pump(from, to, wake), tap_(tap), buffer_(std::move(buffer)) {}

Pump::End ServerPump::pump() {
  const End end = pass_all();
  tap_.end();
  return end;
}

Pump::End ServerPump::pass_all() {
  for (;;) {
    const Mode asked = mode();
    if (asked == Mode::kStop) return End::kStopped;
    if (asked == Mode::kDrain) return drain();
    const ssize_t got = ::read(from_, buffer_.get(), kBufferBytes);
    if (got > 0) {
      if (const std::optional<End> end = pass(static_cast<std::size_t>(got))) return *end;
    } else if (got == 0 || errno != EINTR) {
      return End::kEof;
    }
  }
}

ServerPump::Drain ServerPump::begin_drain() const {
  int owed = 0;
  ioctl(from_, FIONREAD, &owed);
  return {.owed = owed, .last = std::nullopt, .quiet = monotonic() + kEmptyWait};
}

Pump::End ServerPump::drain() {
  Drain drain = begin_drain();
  for (;;) {
    if (mode() == Mode::kStop) return End::kStopped;
    if (drain.owed <= 0 && !drain.last) drain.last = monotonic() + kLongestExtra;
    if (drain.last && monotonic() >= *drain.last) return End::kEof;
    const Wait wait = wait_for(from_, POLLIN, kEmptyWait);
    if (wait == Wait::kTimeout) return End::kEof;
    if (wait == Wait::kInterrupted) continue;
    const ssize_t got = ::read(from_, buffer_.get(), kBufferBytes);
    if (got == 0 || (got < 0 && errno != EINTR)) return End::kEof;
    if (got < 0) continue;
    drain.owed -= static_cast<int>(got);
    if (const std::optional<End> end = pass(static_cast<std::size_t>(got))) return *end;
  }
}

std::optional<Pump::End> ServerPump::pass(std::size_t count) {
  tap_.arrived({buffer_.get(), count});
  const iovec piece{buffer_.get(), count};
  if (const std::optional<End> end = write_pieces({&piece, 1})) return end;
  tap_.passed({buffer_.get(), count});
  return std::nullopt;
}

}  // namespace mcptrace::stdio
