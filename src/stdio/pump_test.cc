#include "stdio/pump.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <string>
#include <thread>
#include <utility>

#include "base/fd.h"
#include "stdio/signals.h"

namespace mcptrace::stdio {
namespace {

using End = Pump::End;
using Mode = Pump::Mode;

struct Pipe {
  Pipe() {
    int ends[2];
    EXPECT_EQ(0, pipe2(ends, O_CLOEXEC));
    out.reset(ends[0]);
    in.reset(ends[1]);
  }
  UniqueFd out, in;
};

std::string take(int fd, std::size_t count) {
  std::string text(count, 0);
  std::size_t done = 0;
  while (done < count) {
    const ssize_t got = read(fd, text.data() + done, count - done);
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  text.resize(done);
  return text;
}

// Holds whatever does not end in a newline, for as long as it is told; cuts what it passes on into pieces of a few
// bytes.
class HoldingTap final : public ClientTap {
 public:
  HoldingTap(Nanos hold, std::size_t piece_bytes) : hold_(hold), piece_bytes_(piece_bytes) {}
  std::span<char> room() override { return block_; }
  void arrived(std::size_t count) override {
    if (text_.empty()) since_ = now();
    text_.append(block_, count);
    if (text_.ends_with('\n')) make_ready();
  }
  std::span<const iovec> ready() override { return pieces_; }
  void sent() override {
    if (!pieces_.empty()) text_.clear();
    pieces_.clear();
  }
  std::optional<Nanos> hold_left() override {
    return text_.empty() ? std::nullopt : std::optional(since_ + hold_ - now());
  }
  void on_hold_over() override { ++holds_over, make_ready(); }
  void end() override { ++ends, make_ready(); }

  int holds_over = 0, ends = 0;

 private:
  void make_ready() {
    for (std::size_t at = 0; at < text_.size(); at += piece_bytes_) {
      pieces_.push_back({text_.data() + at, std::min(piece_bytes_, text_.size() - at)});
      pieces_.push_back({text_.data(), 0});
    }
  }

  static Nanos now() { return std::chrono::steady_clock::now().time_since_epoch(); }

  const Nanos hold_;
  const std::size_t piece_bytes_;
  Nanos since_{};
  char block_[4096];
  std::string text_;
  std::vector<iovec> pieces_;
};

struct CountingServerTap final : ServerTap {
  void passed(std::string_view bytes) override { text += bytes; }
  void end() override { ++ends; }
  std::string text;
  int ends = 0;
};

enum class By : std::uint8_t { kThread, kTurns };

// A pump that runs, on its thread or by turns that a thread of the test takes with it.
template <class Kind>
class Running {
 public:
  template <class... Arguments>
  Running(By by, Arguments&&... arguments) : pump_(std::forward<Arguments>(arguments)...) {
    if (by == By::kThread) {
      EXPECT_TRUE(pump_.start());
    } else {
      turner_ = std::thread([this] { take_turns(); });
    }
  }
  ~Running() {
    if (turner_.joinable()) turner_.join();
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  // Until it has heard that.
  void ask(Mode mode) {
    pump_.ask(mode);
    while (pump_.nudge()) poll(nullptr, 0, 1);
  }
  std::optional<End> ended() const { return pump_.ended(); }
  End end() {
    if (turner_.joinable()) turner_.join();
    pump_.join();
    return pump_.ended().value();
  }

 private:
  void take_turns() {
    while (!pump_.ended()) {
      const Pump::Wish wish = pump_.wish();
      pollfd one{wish.fd, wish.events, 0};
      // Not for long: nobody wakes it to hear what the pump is asked.
      constexpr Nanos kShort = std::chrono::milliseconds(1);
      const Nanos limit = std::clamp(wish.limit.value_or(kShort), Nanos(0), kShort);
      poll(&one, 1, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(limit).count()));
      pump_.turn(one.revents != 0);
    }
  }

  Kind pump_;
  std::thread turner_;
};

class PumpTest : public testing::TestWithParam<By> {
 protected:
  PumpTest() { alarm(60); }  // a pump that is stuck fails the test
  ~PumpTest() override { signals_.restore(); }
  Running<ClientPump> client(ClientTap& tap) { return {GetParam(), from_.out.get(), to_.in.get(), wake_.get(), tap}; }
  Running<ServerPump> server(ServerTap& tap) {
    return {GetParam(), from_.out.get(), to_.in.get(), wake_.get(), tap, make_page_buffer(ServerPump::kBufferBytes)};
  }

  const SignalState signals_;
  const UniqueFd wake_{eventfd(0, EFD_CLOEXEC)};
  Pipe from_, to_;
};

INSTANTIATE_TEST_SUITE_P(By, PumpTest, testing::Values(By::kThread, By::kTurns),
                         [](const auto& by) { return by.param == By::kThread ? "Thread" : "Turns"; });

constexpr Nanos kHour = std::chrono::hours(1);

TEST_P(PumpTest, ClientPassesToTheEnd) {
  PlainClientTap tap;
  Running<ClientPump> pump = client(tap);
  ASSERT_TRUE(write_all(from_.in.get(), "one"));
  EXPECT_EQ(take(to_.out.get(), 3), "one");
  EXPECT_FALSE(pump.ended());
  from_.in.reset();
  EXPECT_EQ(pump.end(), End::kEof);
  std::uint64_t count = 0;
  if (GetParam() == By::kThread) EXPECT_EQ(8, read(wake_.get(), &count, 8));  // it says so
}

TEST_P(PumpTest, HeldBytesGoOnWhenTheHoldIsOver) {
  for (const Nanos hold : {Nanos(0), Nanos(2'000'000)}) {
    Pipe from, to;
    HoldingTap tap(hold, 100);
    Running<ClientPump> pump(GetParam(), from.out.get(), to.in.get(), wake_.get(), tap);
    ASSERT_TRUE(write_all(from.in.get(), "half"));
    EXPECT_EQ(take(to.out.get(), 4), "half");
    from.in.reset();
    EXPECT_EQ(pump.end(), End::kEof);
    EXPECT_EQ(tap.holds_over, 1);
    EXPECT_EQ(tap.ends, 1);
  }
}

TEST_P(PumpTest, HeldBytesGoOnWhenCompleteOrAtTheEnd) {
  HoldingTap tap(kHour, 100);
  Running<ClientPump> pump = client(tap);
  ASSERT_TRUE(write_all(from_.in.get(), "line\nre"));
  ASSERT_TRUE(write_all(from_.in.get(), "st\n"));
  EXPECT_EQ(take(to_.out.get(), 10), "line\nrest\n");
  ASSERT_TRUE(write_all(from_.in.get(), "no newline"));
  from_.in.reset();
  EXPECT_EQ(take(to_.out.get(), 10), "no newline");
  EXPECT_EQ(pump.end(), End::kEof);
  EXPECT_EQ(tap.holds_over, 0);
}

TEST_P(PumpTest, ManyPiecesAndShortWrites) {
  HoldingTap tap(kHour, 3);
  fcntl(to_.in.get(), F_SETPIPE_SZ, 4096);
  fcntl(to_.in.get(), F_SETFL, O_NONBLOCK);  // so that writes are short
  Running<ClientPump> pump = client(tap);
  std::string text;
  for (int i = 0; text.size() < 50'000; ++i) text += std::to_string(i) + " ";
  ASSERT_GT(text.size() / 3, static_cast<std::size_t>(IOV_MAX));
  text += '\n';
  ASSERT_TRUE(write_all(from_.in.get(), text));
  EXPECT_EQ(take(to_.out.get(), text.size()), text);
  from_.in.reset();
  EXPECT_EQ(pump.end(), End::kEof);
}

TEST_P(PumpTest, NonBlockingInputIsWaitedFor) {
  fcntl(from_.out.get(), F_SETFL, O_NONBLOCK);
  PlainClientTap tap;
  Running<ClientPump> pump = client(tap);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(write_all(from_.in.get(), "x"));
    ASSERT_EQ(take(to_.out.get(), 1), "x");
  }
  from_.in.reset();
  EXPECT_EQ(pump.end(), End::kEof);
}

TEST_P(PumpTest, ClientStopsWhereverItIs) {
  for (const bool full : {false, true}) {
    Pipe from, to;
    HoldingTap tap(kHour, 4096);
    Running<ClientPump> pump(GetParam(), from.out.get(), to.in.get(), wake_.get(), tap);
    if (full) {
      fcntl(from.in.get(), F_SETFL, O_NONBLOCK);
      const std::string line = std::string(4095, 'x') + "\n";
      pollfd room{from.in.get(), POLLOUT, 0};
      while (poll(&room, 1, 50) == 1) [[maybe_unused]]
        const ssize_t wrote = write(from.in.get(), line.data(), line.size());
    }
    pump.ask(Mode::kStop);
    EXPECT_EQ(pump.end(), End::kStopped);
    EXPECT_EQ(tap.ends, 1);
  }
}

TEST_P(PumpTest, ClientDrainsWhatIsThere) {
  PlainClientTap tap;
  ASSERT_TRUE(write_all(from_.in.get(), "last words"));
  Running<ClientPump> pump = client(tap);
  pump.ask(Mode::kDrain);
  EXPECT_EQ(pump.end(), End::kEof);
  to_.in.reset();
  EXPECT_EQ(take(to_.out.get(), 100), "last words");
}

TEST_P(PumpTest, ReaderGone) {
  PlainClientTap tap;
  CountingServerTap server_tap;
  Running<ClientPump> before = client(tap);
  to_.out.reset();
  ASSERT_TRUE(write_all(from_.in.get(), "x"));
  EXPECT_EQ(before.end(), End::kReaderGone);
  ASSERT_TRUE(write_all(from_.in.get(), "y"));
  Running<ServerPump> pump = server(server_tap);
  EXPECT_EQ(pump.end(), End::kReaderGone);
  EXPECT_EQ(server_tap.text, "");  // it was not passed on
  EXPECT_EQ(server_tap.ends, 1);
}

TEST_P(PumpTest, ServerPassesToTheEnd) {
  CountingServerTap tap;
  Running<ServerPump> pump = server(tap);
  ASSERT_TRUE(write_all(from_.in.get(), "answer"));
  EXPECT_EQ(take(to_.out.get(), 6), "answer");
  from_.in.reset();
  EXPECT_EQ(pump.end(), End::kEof);
  EXPECT_EQ(tap.text, "answer");
  EXPECT_EQ(tap.ends, 1);
}

TEST_P(PumpTest, ServerDrainsThoughTheWriterLives) {
  CountingServerTap tap;
  const std::string text(60'000, 's');
  Running<ServerPump> pump = server(tap);
  ASSERT_TRUE(write_all(from_.in.get(), text));
  pump.ask(Mode::kDrain);
  EXPECT_EQ(take(to_.out.get(), text.size()), text);
  EXPECT_EQ(pump.end(), End::kEof);  // its input is still open
  EXPECT_EQ(tap.text, text);
}

TEST_P(PumpTest, ServerStopsInAWriteThatNobodyTakes) {
  CountingServerTap tap;
  fcntl(to_.in.get(), F_SETPIPE_SZ, 4096);
  Running<ServerPump> pump = server(tap);
  ASSERT_TRUE(write_all(from_.in.get(), std::string(30'000, 's')));
  pump.ask(Mode::kDrain);
  EXPECT_FALSE(pump.ended());
  pump.ask(Mode::kStop);
  EXPECT_EQ(pump.end(), End::kStopped);
}

}  // namespace
}  // namespace mcptrace::stdio
