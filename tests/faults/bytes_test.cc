// W1, W3, W6, W7, W19, W20, W22: bytes arrive as they were sent, whatever they are and however slowly they are taken.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "rig.h"

namespace mcptrace::faults {
namespace {

constexpr std::size_t kMega = 1 << 20;
constexpr milliseconds kLongWait{300'000};

std::size_t sized(std::size_t usual, std::size_t in_long_form) {
  return long_form() ? in_long_form : instrumented() ? usual / 8 : usual;
}

// Writes `total` bytes in chunks of 1 B to 1 MiB while reading them back; where the echo first differs, if anywhere.
std::optional<std::size_t> first_difference(Session& session, std::size_t total, std::uint64_t seed) {
  std::thread writer([&session, total, seed] {
    Bytes bytes(seed), sizes(seed + 1);
    std::string ahead;
    for (std::size_t sent = 0; sent < total;) {
      // Small chunks are as frequent as large ones.
      const std::size_t size = std::min<std::size_t>(1 + sizes.next() % (1ull << (sizes.next() % 21)), total - sent);
      if (ahead.size() < size) {
        std::string more(kMega, 0);
        bytes.fill(more);
        ahead += more;
      }
      if (!session.put(std::string_view(ahead).substr(0, size), kLongWait)) return;
      ahead.erase(0, size);
      sent += size;
    }
    session.end_input();
  });
  Bytes bytes(seed);
  std::size_t got = 0;
  std::optional<std::size_t> different;
  while (got < total && !different) {
    std::string expected(std::min(kMega, total - got), 0);
    bytes.fill(expected);
    const std::string block = session.take(expected.size(), kLongWait);
    if (block != expected) {
      const auto at = std::ranges::mismatch(block, expected).in1 - block.begin();
      different = got + static_cast<std::size_t>(at);
    }
    got += block.size();
  }
  if (different) kill(session.pid(), SIGKILL);
  writer.join();
  return different;
}

// Peak resident bytes of a process.
std::size_t peak_memory(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::strtoul(line.c_str() + 6, nullptr, 10) * 1024;
  }
  return 0;
}

TEST(Faults, W1_RandomBytesBothWays) {
  for (const Ends ends : {Ends::kPipes, Ends::kSocketPairs, Ends::kOneSocketPair}) {
    SCOPED_TRACE(static_cast<int>(ends));
    Session session(Way::kWrapped, {"@echo"}, {.ends = ends});
    EXPECT_EQ(first_difference(session, sized(64 * kMega, 1024 * kMega), 1), std::nullopt);
    EXPECT_EQ(session.take_rest(), "");
    EXPECT_EQ(session.wait(), 0);
  }
}

TEST(Faults, W3_OneLongLineIsStreamed) {
  Session session(Way::kWrapped, {"@echo"});
  ASSERT_TRUE(session.put("[\"first"));
  ASSERT_EQ(session.take(7), "[\"first");
  const std::size_t before = peak_memory(session.pid());
  const std::size_t total = sized(64 * kMega, 1024 * kMega);
  const std::string block(kMega, 'x');
  std::thread writer([&] {
    for (std::size_t sent = 0; sent < total; sent += block.size()) {
      if (!session.put(block, kLongWait)) return;
    }
  });
  bool same = true;
  for (std::size_t got = 0; got < total && same; got += block.size())
    same = session.take(block.size(), kLongWait) == block;
  if (!same) kill(session.pid(), SIGKILL);
  writer.join();
  EXPECT_TRUE(same);
  if (!instrumented()) EXPECT_LE(peak_memory(session.pid()), before + 16 * kMega);
  session.end_input();
  EXPECT_EQ(session.take_rest(), "");
  EXPECT_EQ(session.wait(), 0);
}

TEST(Faults, W3_FirstByteOfALineGoesOnAtOnce) {
  auto best = std::chrono::steady_clock::duration::max();
  for (int round = 0; round < 10; ++round) {
    Session session(Way::kWrapped, {"@echo"});
    ASSERT_TRUE(session.put("warm\n"));
    ASSERT_EQ(session.take_line(), "warm");
    const auto start = std::chrono::steady_clock::now();
    ASSERT_TRUE(session.put("{"));
    ASSERT_EQ(session.take(1), "{");
    best = std::min(best, since(start));
  }
  EXPECT_LE(best, milliseconds(50));
}

TEST(Faults, W6_ServerThatDoesNotRead) {
  Session session(Way::kWrapped, {"@deaf"});
  const pid_t child = session.child_pid();
  const std::size_t taken = session.put_until_full(std::string(kMega, 'x'), 64 * kMega, milliseconds(300));
  EXPECT_LT(taken, 4 * kMega);
  EXPECT_GT(taken, 64u << 10);
  kill(child, SIGUSR1);
  EXPECT_EQ(session.take_line(), "tick");
  session.leave();
  EXPECT_TRUE(session.wait());
}

TEST(Faults, W6_ClientThatDoesNotReadThenDoes) {
  Session session(Way::kWrapped, {"@echo"});
  std::string sent(4 * kMega, 0);
  Bytes(6).fill(sent);
  const std::size_t taken = session.put_until_full(sent, sent.size(), milliseconds(300));
  EXPECT_LT(taken, sent.size());
  std::string back;
  for (int i = 0; i < 50; ++i) back += session.take(1);
  std::thread writer([&] {
    EXPECT_TRUE(session.put(std::string_view(sent).substr(taken)));
    session.end_input();
  });
  back += session.take(sent.size() - back.size());
  writer.join();
  EXPECT_TRUE(back == sent);
  EXPECT_EQ(session.wait(), 0);
}

// The client made its ends non-blocking and gave duplicates of them to the server: the flag is shared.
void make_standard_fds_nonblocking() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO}) fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

TEST(Faults, W7_NonBlockingDescriptorsInherited) {
  for (const Ends ends : {Ends::kPipes, Ends::kSocketPairs}) {
    Session session(Way::kWrapped, {"@echo"}, {.ends = ends, .prepare = make_standard_fds_nonblocking});
    EXPECT_EQ(first_difference(session, sized(16 * kMega, 256 * kMega), 7), std::nullopt);
    EXPECT_EQ(session.wait(), 0);
  }
}

TEST(Faults, W7_NonBlockingIsNeverSet) {
  // Descriptors 8 and 9 share the descriptions of the server's 0 and 1 and stay with us.
  int in[2], out[2];
  ASSERT_EQ(0, pipe2(in, O_CLOEXEC));
  ASSERT_EQ(0, pipe2(out, O_CLOEXEC));
  Session session(Way::kWrapped, {"@echo"},
                  {.prepare = [&] { dup2(in[0], STDIN_FILENO), dup2(out[1], STDOUT_FILENO); }});
  char byte = 'b';
  ASSERT_EQ(1, write(in[1], &byte, 1));
  ASSERT_EQ(1, read(out[0], &byte, 1));
  EXPECT_EQ(0, fcntl(in[0], F_GETFL) & O_NONBLOCK);
  EXPECT_EQ(0, fcntl(out[1], F_GETFL) & O_NONBLOCK);
  for (const int fd : {in[0], in[1], out[0], out[1]}) close(fd);
  EXPECT_EQ(session.wait(), 0);
}

TEST(Faults, W7_InterruptedSystemCalls) {
  Session session(Way::kWrapped, {"@echo"});
  ASSERT_TRUE(session.put("x"));
  ASSERT_EQ(session.take(1), "x");
  std::atomic<bool> over = false;
  std::thread pest([&] {
    while (!over) {
      kill(session.pid(), SIGURG);  // whoever has a handler for it is interrupted; by default it is ignored
      kill(session.pid(), SIGWINCH);
      poll(nullptr, 0, 0);
    }
  });
  EXPECT_EQ(first_difference(session, sized(16 * kMega, 256 * kMega), 8), std::nullopt);
  over = true;
  pest.join();
  EXPECT_EQ(session.wait(), 0);
}

TEST(Faults, W19_NoiseOnStdout) {
  std::string said[2];
  for (const Way way : kBothWays) {
    Session session(way, {"@noise"});
    said[static_cast<int>(way)] = session.take_rest().value_or("late");
    EXPECT_EQ(session.wait(), 0);
  }
  EXPECT_GT(said[0].size(), 10 * kMega);
  EXPECT_TRUE(said[0] == said[1]);
}

// Without what the wrapper says of itself, wherever that came between.
std::string without_own_lines(std::string text) {
  for (std::size_t at = text.find("mcptrace: "); at != std::string::npos; at = text.find("mcptrace: ", at)) {
    text.erase(at, text.find('\n', at) - at + 1);
  }
  return text;
}

TEST(Faults, W20_StderrFlood) {
  const std::size_t total = sized(32 * kMega, 1024 * kMega);
  for (const Way way : kBothWays) {
    Session session(way, {"@stderr", std::to_string(total)});
    const std::optional<std::string> flood = session.take_stderr(kLongWait);
    ASSERT_TRUE(flood);
    EXPECT_EQ(std::ranges::count(without_own_lines(*flood), 'e'), static_cast<std::ptrdiff_t>(total));
    EXPECT_EQ(session.take_rest(), "");
    EXPECT_EQ(session.wait(), 0);
  }
}

TEST(Faults, W20_StderrNotRead) {
  for (const Way way : kBothWays) {
    Session session(way, {"@stderr", std::to_string(kMega)});
    EXPECT_TRUE(session.alive_for(milliseconds(200)));  // blocked in its own write, as it would be
    kill(session.pid(), SIGTERM);
    const std::optional<int> status = session.wait();
    ASSERT_TRUE(status);
    EXPECT_TRUE(WIFSIGNALED(*status) && WTERMSIG(*status) == SIGTERM);
  }
}

TEST(Faults, W22_ManyAtOnce) {
  std::vector<Session> sessions;
  const int count = long_form() ? 500 : instrumented() ? 40 : 200;
  for (int i = 0; i < count; ++i) sessions.emplace_back(Way::kWrapped, std::vector<std::string>{"@echo"});
  for (int i = 0; i < count; ++i)
    ASSERT_TRUE(sessions[static_cast<std::size_t>(i)].put("hello " + std::to_string(i) + "\n"));
  for (int i = 0; i < count; ++i) {
    Session& session = sessions[static_cast<std::size_t>(i)];
    ASSERT_EQ(session.take_line(), "hello " + std::to_string(i));
    if (!instrumented()) EXPECT_LE(peak_memory(session.pid()), 6 * kMega);
    session.end_input();
  }
  for (Session& session : sessions) EXPECT_EQ(session.wait(), 0);
}

}  // namespace
}  // namespace mcptrace::faults
