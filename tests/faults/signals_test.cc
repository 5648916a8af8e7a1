// W13 to W15: signals reach the server as they would without the wrapper, and its end is the wrapper's.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "rig.h"

namespace mcptrace::faults {
namespace {

constexpr int kSignals[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH, SIGTSTP};

std::function<void()> ignoring(int signal) {
  return [signal] { ::signal(signal, SIG_IGN); };
}

std::function<void()> blocking(int signal) {
  return [signal] {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    sigprocmask(SIG_BLOCK, &set, nullptr);
  };
}

TEST(Faults, W13_DefaultAction) {
  for (const int signal : {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2}) {
    SCOPED_TRACE(signal);
    for (const Way way : kBothWays) {
      Session session(way, {"@plain"});
      session.child_pid();
      kill(session.pid(), signal);
      EXPECT_EQ(session.wait(), signal);
    }
  }
  for (const int signal : {SIGCONT, SIGWINCH}) {
    for (const Way way : kBothWays) {
      Session session(way, {"@plain"});
      session.child_pid();
      kill(session.pid(), signal);
      ASSERT_TRUE(session.put("alive\n"));
      EXPECT_EQ(session.take_line(), "alive");
      session.end_input();
      EXPECT_EQ(session.wait(), 0);
    }
  }
}

TEST(Faults, W13_Caught) {
  for (const Way way : kBothWays) {
    Session session(way, {"@catch"});
    session.child_pid();
    for (const int signal : kSignals) {
      kill(session.pid(), signal);
      EXPECT_EQ(session.take_stderr_line(), "signal " + std::to_string(signal / 10) + std::to_string(signal % 10));
    }
    session.end_input();
    EXPECT_EQ(session.take_stderr(), "eof\n");  // each came once
    EXPECT_EQ(session.wait(), 5 << 8);
  }
}

TEST(Faults, W13_IgnoredAtStart) {
  for (const int signal : kSignals) {
    if (signal == SIGCONT) continue;
    SCOPED_TRACE(signal);
    for (const Way way : kBothWays) {
      Session session(way, {"@plain"}, {.prepare = ignoring(signal)});
      session.child_pid();
      kill(session.pid(), signal);
      ASSERT_TRUE(session.put("alive\n"));
      EXPECT_EQ(session.take_line(), "alive");
      session.end_input();
      EXPECT_EQ(session.wait(), 0);
    }
  }
}

// nohup, but the server asks for the signal itself.
TEST(Faults, W13_IgnoredAtStartThenCaught) {
  for (const Way way : kBothWays) {
    Session session(way, {"@catch"}, {.prepare = ignoring(SIGHUP)});
    session.child_pid();
    kill(session.pid(), SIGHUP);
    EXPECT_EQ(session.take_stderr_line(), "signal 01");
  }
}

TEST(Faults, W13_BlockedAtStart) {
  for (const int signal : kSignals) {
    if (signal == SIGCONT) continue;
    SCOPED_TRACE(signal);
    for (const Way way : kBothWays) {
      Session session(way, {"@pending"}, {.prepare = blocking(signal)});
      session.child_pid();
      kill(session.pid(), signal);
      ASSERT_TRUE(session.put("?"));
      EXPECT_EQ(session.wait(), signal << 8);
    }
  }
}

TEST(Faults, W13_MaskAndDispositionsAreTheServers) {
  const std::function<void()> starts[] = {
      [] {},
      ignoring(SIGPIPE),
      ignoring(SIGCHLD),
      ignoring(SIGURG),
      ignoring(SIGTTIN),
      blocking(SIGCHLD),
      blocking(SIGURG),
      blocking(SIGPIPE),
      blocking(SIGRTMIN + 3),
  };
  for (const auto& prepare : starts) {
    Session direct(Way::kDirect, {"@signals"}, {.prepare = prepare});
    Session wrapped(Way::kWrapped, {"@signals"}, {.prepare = prepare});
    const std::optional<std::string> said = direct.take_rest();
    EXPECT_TRUE(said && said->contains("SigIgn"));
    EXPECT_EQ(said, wrapped.take_rest());
    EXPECT_EQ(wrapped.wait(), 0);
  }
}

int wait_for_change(pid_t pid, int what) {
  siginfo_t info{};
  alarm(20);
  EXPECT_EQ(0, waitid(P_PID, static_cast<id_t>(pid), &info, what));
  alarm(0);
  return info.si_status;
}

TEST(Faults, W13_StopAndContinue) {
  for (const Way way : kBothWays) {
    // A group of its own, whose parent is in another group of the session: not orphaned, so it can be stopped.
    Session session(way, {"@plain"}, {.own_group = true});
    session.child_pid();
    for (int round = 0; round < 2; ++round) {
      kill(session.pid(), SIGTSTP);
      EXPECT_EQ(wait_for_change(session.pid(), WSTOPPED), SIGTSTP);
      ASSERT_TRUE(session.put("later\n"));
      EXPECT_EQ(session.take_line(milliseconds(100)), "");
      kill(session.pid(), SIGCONT);
      EXPECT_EQ(wait_for_change(session.pid(), WCONTINUED), SIGCONT);
      EXPECT_EQ(session.take_line(), "later");
    }
    session.end_input();
    EXPECT_EQ(session.wait(), 0);
  }
}

// A new session on a terminal, as a shell would have it: the wrapper leads the session, or only the foreground group.
class Terminal {
 public:
  Terminal() {
    int master, slave;
    EXPECT_EQ(0, openpty(&master, &slave, nullptr, nullptr, nullptr));
    master_.reset(master);
    slave_.reset(slave);
    fcntl(master, F_SETFD, FD_CLOEXEC);
    fcntl(slave, F_SETFD, FD_CLOEXEC);
  }
  std::function<void()> become_foreground(bool leader) const {
    return [slave = slave_.get(), leader] {
      setsid();
      ioctl(slave, TIOCSCTTY, 0);
      if (!leader) {
        if (const pid_t pid = fork(); pid > 0) {  // the shell
          int status;
          while (waitpid(pid, &status, 0) != pid) continue;
          _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
        }
        ::signal(SIGTTOU, SIG_IGN);
        setpgid(0, 0);
        tcsetpgrp(slave, getpid());
        ::signal(SIGTTOU, SIG_DFL);
      }
      dup2(slave, STDIN_FILENO);
    };
  }
  void type(const std::string& keys) const {
    EXPECT_EQ(static_cast<ssize_t>(keys.size()), write(master_.get(), keys.data(), keys.size()));
  }

 private:
  UniqueFd master_, slave_;
};

TEST(Faults, W13_ControlCReachesTheServerOnce) {
  for (const bool leader : {true, false}) {
    for (const Way way : kBothWays) {
      const Terminal terminal;
      Session session(way, {"@catch"}, {.prepare = terminal.become_foreground(leader)});
      session.child_pid();
      terminal.type("\x03");
      EXPECT_EQ(session.take_stderr_line(), "signal 02");
      terminal.type("a line\n");
      EXPECT_EQ(session.take_line(), "a line");
      terminal.type("\x04");
      const std::string said = session.take_stderr().value_or("late");
      EXPECT_TRUE(said.starts_with("eof\n") && !said.contains("signal")) << said;
      EXPECT_EQ(session.wait(), 5 << 8);
    }
  }
}

TEST(Faults, W13_GroupTermReachesTheServerOfASessionOnce) {
  for (const Way way : kBothWays) {
    Session session(way, {"@catch"}, {.own_session = true});
    session.child_pid();
    kill(-session.pid(), SIGTERM);
    EXPECT_EQ(session.take_stderr_line(), "signal 15");
    session.end_input();
    EXPECT_EQ(session.take_stderr(), "eof\n");
    EXPECT_EQ(session.wait(), 5 << 8);
  }
}

TEST(Faults, W13_TermToTheLeaderAloneIsPassedOnAfterASecond) {
  Session session(Way::kWrapped, {"@on-term"}, {.own_session = true});
  session.child_pid();
  const auto start = std::chrono::steady_clock::now();
  kill(session.pid(), SIGTERM);
  EXPECT_EQ(session.take_stderr_line(), "signal 15");
  EXPECT_GE(since(start), milliseconds(950));
  EXPECT_LE(since(start), milliseconds(2500));
  EXPECT_EQ(session.wait(), 12 << 8);
}

TEST(Faults, W14_ServerIgnoresTerm) {
  Session session(Way::kWrapped, {"@stubborn"});
  const Watch child(session.child_pid());
  kill(session.pid(), SIGTERM);
  EXPECT_EQ(session.take_stderr_line(), "signal 15");
  EXPECT_TRUE(session.alive_for(milliseconds(300)));
  EXPECT_FALSE(child.gone_within(milliseconds(0)));
  kill(session.pid(), SIGKILL);
  EXPECT_TRUE(child.gone_within(milliseconds(1000)));

  Session group(Way::kWrapped, {"@stubborn"}, {.own_session = true});
  const Watch member(group.child_pid());
  kill(-group.pid(), SIGKILL);
  EXPECT_TRUE(member.gone_within(milliseconds(1000)));
  EXPECT_EQ(group.wait(), SIGKILL);
}

TEST(Faults, W15_EveryExitCode) {
  for (int code = 0; code < 256; code += instrumented() ? 17 : 1) {
    Session session(Way::kWrapped, {"@exit", std::to_string(code)});
    ASSERT_EQ(session.wait(), code << 8);
  }
}

TEST(Faults, W15_EverySignal) {
  for (int signal = 1; signal <= SIGRTMAX; ++signal) {
    if (signal >= 32 && signal < SIGRTMIN) continue;  // the C library's own
    if (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU) continue;
    if (signal > SIGRTMIN + 1 && signal < SIGRTMAX) continue;
    SCOPED_TRACE(signal);
    Session direct(Way::kDirect, {"@kill-self", std::to_string(signal)});
    Session wrapped(Way::kWrapped, {"@kill-self", std::to_string(signal)});
    EXPECT_EQ(direct.wait(), wrapped.wait());
  }
}

TEST(Faults, W15_OneCoreFile) {
  std::size_t files[2];
  for (const Way way : kBothWays) {
    char directory[] = "/tmp/faults-core-XXXXXX";
    ASSERT_TRUE(mkdtemp(directory));
    Session session(way, {"@kill-self", std::to_string(SIGABRT)}, {.prepare = [&] {
                      rlimit cores;
                      getrlimit(RLIMIT_CORE, &cores);
                      cores.rlim_cur = cores.rlim_max;
                      // A sanitizer in the wrapper would forbid core files to all of its children.
                      setenv("ASAN_OPTIONS", "disable_coredump=0", 1);
                      setenv("TSAN_OPTIONS", "disable_coredump=0", 1);
                      if (chdir(directory) != 0 || setrlimit(RLIMIT_CORE, &cores) != 0) _exit(90);
                    }});
    const std::optional<int> status = session.wait();
    ASSERT_TRUE(status);
    EXPECT_TRUE(WIFSIGNALED(*status) && WTERMSIG(*status) == SIGABRT);
    if (way == Way::kWrapped) EXPECT_FALSE(WCOREDUMP(*status));  // a second file may have the first one's name
    using std::filesystem::directory_iterator;
    files[static_cast<int>(way)] =
        static_cast<std::size_t>(std::distance(directory_iterator(directory), directory_iterator()));
    std::filesystem::remove_all(directory);
  }
  EXPECT_EQ(files[0], files[1]);
}

}  // namespace
}  // namespace mcptrace::faults
