// W8 to W12, W18: who closes what, who dies, and what the others see of it.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "rig.h"

namespace mcptrace::faults {
namespace {

using std::chrono::steady_clock;

constexpr Ends kAllEnds[] = {Ends::kPipes, Ends::kSocketPairs, Ends::kOneSocketPair};

std::chrono::nanoseconds cpu_time(pid_t pid) {
  clockid_t clock;
  timespec used{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) return std::chrono::hours(1);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

// Less than 5 % of a core in a third of a second, and still alive.
void expect_idle(Session& session) {
  const std::chrono::nanoseconds before = cpu_time(session.pid());
  EXPECT_TRUE(session.alive_for(milliseconds(300)));
  EXPECT_LT(cpu_time(session.pid()) - before, milliseconds(15));
}

TEST(Faults, W8_RestOfStdoutAfterTheClientsEnd) {
  for (const Ends ends : kAllEnds) {
    for (const Way way : kBothWays) {
      Session session(way, {"@tail", "3000000"}, {.ends = ends});
      ASSERT_TRUE(session.put("some input"));
      session.end_input();
      EXPECT_TRUE(session.take_rest() == std::string(3'000'000, 't'));
      EXPECT_EQ(session.wait(), 3 << 8);
    }
  }
}

TEST(Faults, W8_EndOfFileArrivesAtOnce) {
  auto best = steady_clock::duration::max();
  for (int round = 0; round < 10; ++round) {
    Session session(Way::kWrapped, {"@say-eof"});
    ASSERT_EQ(session.take_line(), "up");
    const auto start = steady_clock::now();
    session.end_input();
    ASSERT_EQ(session.take_line(), "eof");
    best = std::min(best, since(start));
  }
  EXPECT_LE(best, milliseconds(10));
}

TEST(Faults, W9_ServerClosesStdoutAndLivesOn) {
  for (const Ends ends : {Ends::kPipes, Ends::kSocketPairs}) {
    for (const Way way : kBothWays) {
      Session session(way, {"@close-stdout"}, {.ends = ends});
      EXPECT_EQ(session.take_rest(), "");  // end of file
      expect_idle(session);
      EXPECT_TRUE(session.put("still read"));
      session.end_input();
      EXPECT_EQ(session.wait(), 7 << 8);
    }
  }
}

TEST(Faults, W9_ServerClosesStdinAndLivesOn) {
  for (const Ends ends : {Ends::kPipes, Ends::kSocketPairs}) {
    for (const Way way : kBothWays) {
      Session session(way, {"@close-stdin"}, {.ends = ends});
      ASSERT_EQ(session.take_line(), "closed");
      pollfd end{session.to(), 0, 0};
      EXPECT_EQ(1, poll(&end, 1, 10'000)) << "the client's end does not show that nobody reads it";
      EXPECT_FALSE(session.put("nobody reads this"));
      expect_idle(session);
      kill(session.pid(), SIGTERM);
      EXPECT_EQ(session.wait(), SIGTERM);
    }
  }
}

TEST(Faults, W10_ServerThatEndsAtEndOfFile) {
  for (const Ends ends : kAllEnds) {
    Session session(Way::kWrapped, {"@plain"}, {.ends = ends});
    session.child_pid();
    const auto start = steady_clock::now();
    session.leave();
    EXPECT_EQ(session.wait(), 0);
    EXPECT_LT(since(start), milliseconds(1500));  // before any signal
  }
}

TEST(Faults, W10_LastWordsOfADeadClientAreTheServers) {
  Session session(Way::kWrapped, {"@count"});
  ASSERT_TRUE(session.put(std::string(60'000, 'x')));
  session.leave();
  EXPECT_EQ(session.take_stderr_line(), "count 60000");
  EXPECT_EQ(session.wait(), 6 << 8);
}

// The client's reader is gone, but somebody keeps the other end of stdin.
TEST(Faults, W10_EndOfFileThoughStdinIsHeldOpen) {
  Session session(Way::kWrapped, {"@plain"});
  session.child_pid();
  session.close_output();
  EXPECT_EQ(session.wait(milliseconds(1500)), 0);
}

TEST(Faults, W10_ServerThatIgnoresEverything) {
  std::vector<Session> sessions;
  for (const Ends ends : kAllEnds)
    sessions.emplace_back(Way::kWrapped, std::vector<std::string>{"@stubborn-reader"}, Start{.ends = ends});
  std::vector<Watch> children;
  for (Session& session : sessions) children.emplace_back(session.child_pid());
  const auto start = steady_clock::now();
  for (Session& session : sessions) session.leave();
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    EXPECT_EQ(sessions[i].take_stderr_line(), "eof");
    EXPECT_LT(since(start), milliseconds(1500));
  }
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    EXPECT_EQ(sessions[i].take_stderr_line(), "signal 15");
    EXPECT_GE(since(start), milliseconds(1900));
    EXPECT_LT(since(start), milliseconds(3500));
  }
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    EXPECT_TRUE(children[i].gone_within(milliseconds(5000)));
    EXPECT_EQ(sessions[i].wait(), SIGKILL);
  }
  EXPECT_LT(since(start), milliseconds(5000));
}

TEST(Faults, W10_BlockedInAWriteToADeadClient) {
  Session session(Way::kWrapped, {"@flooding-grandchild"});
  const Watch grandchild(session.child_pid());
  EXPECT_EQ(session.take(10), std::string(10, 'g'));
  EXPECT_TRUE(session.alive_for(milliseconds(200)));  // all pipes are full by now
  session.leave();
  EXPECT_EQ(session.wait(), 8 << 8);
  grandchild.kill_it();
}

// `cmd < file > out`, and sockets of which the client shut down only its writing half.
TEST(Faults, W10_EndOfStdinAloneIsNoDeath) {
  std::vector<Session> sessions;
  for (const Ends ends : kAllEnds)
    sessions.emplace_back(Way::kWrapped, std::vector<std::string>{"@stubborn-reader"}, Start{.ends = ends});
  for (Session& session : sessions) {
    session.child_pid();
    session.end_input();
    EXPECT_EQ(session.take_stderr_line(), "eof");
  }
  EXPECT_TRUE(sessions.front().alive_for(milliseconds(2500)));  // SIGTERM would have come after 2 s
  for (Session& session : sessions) {
    EXPECT_EQ(session.take_stderr_line(milliseconds(1)), "");
    EXPECT_TRUE(session.alive_for(milliseconds(0)));
  }
}

TEST(Faults, W11_WrapperKilled) {
  for (const char* mode : {"@stubborn", "@plain"}) {
    Session session(Way::kWrapped, {mode});
    const Watch child(session.child_pid());
    kill(session.pid(), SIGKILL);
    EXPECT_TRUE(child.gone_within(milliseconds(1000)));
    EXPECT_EQ(session.wait(), SIGKILL);
  }
}

TEST(Faults, W12_GrandchildKeepsStdout) {
  auto best = steady_clock::duration::max();
  for (int round = 0; round < 3; ++round) {
    Session session(Way::kWrapped, {"@grandchild", "1000"});
    const Watch grandchild(session.child_pid());
    EXPECT_EQ(session.take(1000), std::string(1000, 'c'));
    const auto start = steady_clock::now();
    EXPECT_EQ(session.wait(), 8 << 8);
    best = std::min(best, since(start));
    EXPECT_FALSE(grandchild.gone_within(milliseconds(50)));  // it lives on
    grandchild.kill_it();
  }
  EXPECT_LE(best, milliseconds(200));
}

TEST(Faults, W12_ShellWithABackgroundProcess) {
  Session session(Way::kWrapped, {"sh", "-c", "sleep 20 & echo pid $! >&2; echo all; exit 9"});
  const Watch background(session.child_pid());
  EXPECT_EQ(session.take_line(), "all");
  EXPECT_EQ(session.wait(milliseconds(5000)), 9 << 8);
  EXPECT_FALSE(background.gone_within(milliseconds(50)));
  background.kill_it();
}

// What comes shortly after the server's exit is waited for; on a machine that is busy not each time.
TEST(Faults, W12_LastWordsOfAGrandchild) {
  int heard = 0;
  for (int round = 0; round < 10 && heard == 0; ++round) {
    Session session(Way::kWrapped, {"sh", "-c", "(sleep 0.03; echo late) & exit 0"});
    if (session.take_rest() == "late\n") ++heard;
  }
  EXPECT_GT(heard, 0);
}

TEST(Faults, W12_SlowClientGetsEveryByte) {
  // More than the wrapper's pipes and buffer together would be the child's to wait for; this much it has written when
  // it exits.
  constexpr std::size_t kBytes = 160'000;
  Session session(Way::kWrapped, {"@grandchild", std::to_string(kBytes)});
  const Watch grandchild(session.child_pid());
  EXPECT_TRUE(session.alive_for(milliseconds(500)));  // far longer than an empty pipe is waited on
  std::string got = session.take(10);
  EXPECT_TRUE(session.alive_for(milliseconds(150)));
  got += session.take(kBytes - got.size());
  EXPECT_TRUE(got == std::string(kBytes, 'c'));
  EXPECT_EQ(session.wait(milliseconds(5000)), 8 << 8);
  grandchild.kill_it();
}

TEST(Faults, W12_FloodingGrandchildIsNotWaitedFor) {
  Session session(Way::kWrapped, {"@flooding-grandchild"});
  const Watch grandchild(session.child_pid());
  std::atomic<bool> over = false;
  std::thread reader([&] {
    while (!over && !session.take(1 << 20, milliseconds(100)).empty()) continue;
  });
  EXPECT_EQ(session.wait(milliseconds(5000)), 8 << 8);
  over = true;
  reader.join();
  grandchild.kill_it();
}

TEST(Faults, W12_ToldToEndWhileNobodyTakesTheRest) {
  Session session(Way::kWrapped, {"@grandchild", "160000"});
  const Watch grandchild(session.child_pid());
  EXPECT_TRUE(session.alive_for(milliseconds(300)));
  kill(session.pid(), SIGTERM);
  EXPECT_EQ(session.wait(milliseconds(5000)), 8 << 8);
  grandchild.kill_it();
}

TEST(Faults, W18_EndsRightAfterTheServer) {
  const int rounds = long_form() ? 200 : 20;
  std::vector<steady_clock::duration> by_eof, by_signal;
  for (int round = 0; round < rounds; ++round) {
    for (const bool signal : {false, true}) {
      Session session(Way::kWrapped, {"@plain"});
      const Watch child(session.child_pid());
      const auto start = steady_clock::now();
      if (signal)
        kill(session.pid(), SIGTERM);
      else
        session.end_input();
      ASSERT_TRUE(child.gone_within(kSoon));
      const auto child_gone = steady_clock::now();
      EXPECT_EQ(session.wait(), signal ? SIGTERM : 0);
      if (signal)
        by_signal.push_back(since(start));
      else
        by_eof.push_back(since(child_gone));
    }
  }
  std::ranges::sort(by_eof);
  std::ranges::sort(by_signal);
  EXPECT_LE(by_eof[by_eof.size() / 2], milliseconds(50));
  EXPECT_LE(by_signal[by_signal.size() / 2], milliseconds(200));
}

}  // namespace
}  // namespace mcptrace::faults
