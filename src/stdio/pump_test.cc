#include "stdio/pump.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <climits>
#include <string>

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
    text_.append(block_, count);
    if (text_.ends_with('\n')) make_ready();
  }
  std::span<const iovec> ready() override { return pieces_; }
  void sent() override {
    if (!pieces_.empty()) text_.clear();
    pieces_.clear();
  }
  std::optional<Nanos> hold_left() override { return text_.empty() ? std::nullopt : std::optional(hold_); }
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

  const Nanos hold_;
  const std::size_t piece_bytes_;
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

class PumpTest : public testing::Test {
 protected:
  PumpTest() { alarm(60); }  // a pump that is stuck fails the test
  ~PumpTest() override { signals_.restore(); }
  // Nudges until the pump has ended, or heard.
  static void settle(Pump& pump) {
    while (pump.nudge()) poll(nullptr, 0, 1);
  }
  End end_of(Pump& pump) {
    pump.join();
    return pump.ended().value();
  }

  const SignalState signals_;
  const UniqueFd wake_{eventfd(0, EFD_CLOEXEC)};
  Pipe from_, to_;
};

constexpr Nanos kHour = std::chrono::hours(1);

TEST_F(PumpTest, ClientPassesToTheEnd) {
  PlainClientTap tap;
  ClientPump pump(from_.out.get(), to_.in.get(), wake_.get(), tap);
  ASSERT_TRUE(pump.start());
  ASSERT_TRUE(write_all(from_.in.get(), "one"));
  EXPECT_EQ(take(to_.out.get(), 3), "one");
  EXPECT_FALSE(pump.ended());
  from_.in.reset();
  std::uint64_t count = 0;
  EXPECT_EQ(8, read(wake_.get(), &count, 8));  // it says so
  EXPECT_EQ(end_of(pump), End::kEof);
}

TEST_F(PumpTest, HeldBytesGoOnWhenTheHoldIsOver) {
  for (const Nanos hold : {Nanos(0), Nanos(2'000'000)}) {
    Pipe from, to;
    HoldingTap tap(hold, 100);
    ClientPump pump(from.out.get(), to.in.get(), wake_.get(), tap);
    ASSERT_TRUE(pump.start());
    ASSERT_TRUE(write_all(from.in.get(), "half"));
    EXPECT_EQ(take(to.out.get(), 4), "half");
    from.in.reset();
    EXPECT_EQ(end_of(pump), End::kEof);
    EXPECT_EQ(tap.holds_over, 1);
    EXPECT_EQ(tap.ends, 1);
  }
}

TEST_F(PumpTest, HeldBytesGoOnWhenCompleteOrAtTheEnd) {
  HoldingTap tap(kHour, 100);
  ClientPump pump(from_.out.get(), to_.in.get(), wake_.get(), tap);
  ASSERT_TRUE(pump.start());
  ASSERT_TRUE(write_all(from_.in.get(), "line\nre"));
  ASSERT_TRUE(write_all(from_.in.get(), "st\n"));
  EXPECT_EQ(take(to_.out.get(), 10), "line\nrest\n");
  ASSERT_TRUE(write_all(from_.in.get(), "no newline"));
  from_.in.reset();
  EXPECT_EQ(take(to_.out.get(), 10), "no newline");
  EXPECT_EQ(end_of(pump), End::kEof);
  EXPECT_EQ(tap.holds_over, 0);
}

TEST_F(PumpTest, ManyPiecesAndShortWrites) {
  HoldingTap tap(kHour, 3);
  fcntl(to_.in.get(), F_SETPIPE_SZ, 4096);
  fcntl(to_.in.get(), F_SETFL, O_NONBLOCK);  // so that writes are short
  ClientPump pump(from_.out.get(), to_.in.get(), wake_.get(), tap);
  ASSERT_TRUE(pump.start());
  std::string text;
  for (int i = 0; text.size() < 50'000; ++i) text += std::to_string(i) + " ";
  ASSERT_GT(text.size() / 3, static_cast<std::size_t>(IOV_MAX));
  text += '\n';
  ASSERT_TRUE(write_all(from_.in.get(), text));
  EXPECT_EQ(take(to_.out.get(), text.size()), text);
  from_.in.reset();
  EXPECT_EQ(end_of(pump), End::kEof);
}

TEST_F(PumpTest, NonBlockingInputIsWaitedFor) {
  fcntl(from_.out.get(), F_SETFL, O_NONBLOCK);
  PlainClientTap tap;
  ClientPump pump(from_.out.get(), to_.in.get(), wake_.get(), tap);
  ASSERT_TRUE(pump.start());
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(write_all(from_.in.get(), "x"));
    ASSERT_EQ(take(to_.out.get(), 1), "x");
  }
  from_.in.reset();
  EXPECT_EQ(end_of(pump), End::kEof);
}

TEST_F(PumpTest, ClientStopsWhereverItIs) {
  for (const bool full : {false, true}) {
    Pipe from, to;
    HoldingTap tap(kHour, 4096);
    ClientPump pump(from.out.get(), to.in.get(), wake_.get(), tap);
    ASSERT_TRUE(pump.start());
    if (full) {
      fcntl(from.in.get(), F_SETFL, O_NONBLOCK);
      const std::string line = std::string(4095, 'x') + "\n";
      pollfd room{from.in.get(), POLLOUT, 0};
      while (poll(&room, 1, 50) == 1) [[maybe_unused]]
        const ssize_t wrote = write(from.in.get(), line.data(), line.size());
    }
    pump.ask(Mode::kStop);
    settle(pump);
    EXPECT_EQ(end_of(pump), End::kStopped);
    EXPECT_EQ(tap.ends, 1);
  }
}

TEST_F(PumpTest, ClientDrainsWhatIsThere) {
  PlainClientTap tap;
  ASSERT_TRUE(write_all(from_.in.get(), "last words"));
  ClientPump pump(from_.out.get(), to_.in.get(), wake_.get(), tap);
  pump.ask(Mode::kDrain);
  ASSERT_TRUE(pump.start());
  settle(pump);
  EXPECT_EQ(end_of(pump), End::kEof);
  to_.in.reset();
  EXPECT_EQ(take(to_.out.get(), 100), "last words");
}

TEST_F(PumpTest, ReaderGone) {
  PlainClientTap tap;
  CountingServerTap server_tap;
  ClientPump client(from_.out.get(), to_.in.get(), wake_.get(), tap);
  ASSERT_TRUE(client.start());
  to_.out.reset();
  ASSERT_TRUE(write_all(from_.in.get(), "x"));
  EXPECT_EQ(end_of(client), End::kReaderGone);
  ASSERT_TRUE(write_all(from_.in.get(), "y"));
  ServerPump server(from_.out.get(), to_.in.get(), wake_.get(), server_tap);
  ASSERT_TRUE(server.start());
  EXPECT_EQ(end_of(server), End::kReaderGone);
  EXPECT_EQ(server_tap.text, "");  // it was not passed on
  EXPECT_EQ(server_tap.ends, 1);
}

TEST_F(PumpTest, ServerPassesToTheEnd) {
  CountingServerTap tap;
  ServerPump pump(from_.out.get(), to_.in.get(), wake_.get(), tap);
  ASSERT_TRUE(pump.start());
  ASSERT_TRUE(write_all(from_.in.get(), "answer"));
  EXPECT_EQ(take(to_.out.get(), 6), "answer");
  from_.in.reset();
  EXPECT_EQ(end_of(pump), End::kEof);
  EXPECT_EQ(tap.text, "answer");
  EXPECT_EQ(tap.ends, 1);
}

TEST_F(PumpTest, ServerDrainsThoughTheWriterLives) {
  CountingServerTap tap;
  const std::string text(60'000, 's');
  ServerPump pump(from_.out.get(), to_.in.get(), wake_.get(), tap);
  ASSERT_TRUE(pump.start());
  ASSERT_TRUE(write_all(from_.in.get(), text));
  pump.ask(Mode::kDrain);
  settle(pump);
  EXPECT_EQ(take(to_.out.get(), text.size()), text);
  EXPECT_EQ(end_of(pump), End::kEof);  // its input is still open
  EXPECT_EQ(tap.text, text);
}

TEST_F(PumpTest, ServerStopsInAWriteThatNobodyTakes) {
  CountingServerTap tap;
  fcntl(to_.in.get(), F_SETPIPE_SZ, 4096);
  ServerPump pump(from_.out.get(), to_.in.get(), wake_.get(), tap);
  ASSERT_TRUE(pump.start());
  ASSERT_TRUE(write_all(from_.in.get(), std::string(30'000, 's')));
  pump.ask(Mode::kDrain);
  settle(pump);
  EXPECT_FALSE(pump.ended());
  pump.ask(Mode::kStop);
  settle(pump);
  EXPECT_EQ(end_of(pump), End::kStopped);
}

}  // namespace
}  // namespace mcptrace::stdio
