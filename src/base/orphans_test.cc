#include "base/orphans.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace mcptrace {
namespace {

// Ended, and not taken yet.
pid_t ended_child(int status) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(status);
  siginfo_t info{};
  EXPECT_EQ(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT), 0);
  return pid;
}

bool is_there(pid_t pid) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

TEST(Orphans, EndsAreTakenButNotThatOfOurOwn) {
  const pid_t own = ended_child(7);
  reap_orphans(own);
  EXPECT_TRUE(is_there(own));
  int status = 0;
  EXPECT_EQ(::waitpid(own, &status, 0), own);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  const pid_t others[] = {ended_child(0), ended_child(1), ended_child(2)};
  reap_orphans(own);
  for (const pid_t other : others) EXPECT_FALSE(is_there(other));
}

TEST(Orphans, WhoeverLivesIsNotWaitedFor) {
  const pid_t living = ::fork();
  if (living == 0) {
    ::pause();
    ::_exit(0);
  }
  const pid_t other = ended_child(0);
  reap_orphans(-1);
  EXPECT_FALSE(is_there(other));
  EXPECT_EQ(::kill(living, SIGKILL), 0);
  EXPECT_EQ(::waitpid(living, nullptr, 0), living);
  reap_orphans(-1);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

}  // namespace
}  // namespace mcptrace
