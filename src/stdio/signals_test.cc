#include "stdio/signals.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace mcptrace::stdio {
namespace {

TEST(Onward, SentByAProcessGoesOn) {
  for (const int signal : kPassedOn) {
    EXPECT_EQ(onward(signal, false, false), Onward::kNow);
    EXPECT_EQ(onward(signal, false, true), signal == SIGTERM ? Onward::kLater : Onward::kNow);
  }
}

TEST(Onward, SentByTheTerminalHasReachedTheGroup) {
  for (const int signal : kPassedOn) EXPECT_EQ(onward(signal, true, false), Onward::kNot);
  EXPECT_EQ(onward(SIGINT, true, true), Onward::kNot);
  EXPECT_EQ(onward(SIGTSTP, true, true), Onward::kNot);
  EXPECT_EQ(onward(SIGHUP, true, true), Onward::kNow);  // a hang-up is sent to the leader alone
}

TEST(SignalState, ReadsBlockedSignalsEvenIgnoredOnesAndPutsAllBack) {
  struct sigaction ignore{}, was_hup, was_pipe, now;
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGHUP, &ignore, &was_hup);
  sigset_t mask_before, mask_after;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask_before);
  sigaction(SIGPIPE, nullptr, &was_pipe);
  {
    const SignalState state;
    const Result<UniqueFd> fd = SignalState::open_fd();
    ASSERT_TRUE(fd);
    EXPECT_FALSE(next_signal(fd->get()));
    raise(SIGHUP);
    raise(SIGUSR1);
    for (const int signal : {SIGHUP, SIGUSR1}) {
      const std::optional<Received> received = next_signal(fd->get());
      ASSERT_TRUE(received);
      EXPECT_EQ(received->signal, signal);
      EXPECT_FALSE(received->from_kernel);
    }
    EXPECT_FALSE(next_signal(fd->get()));
    sigaction(SIGPIPE, nullptr, &now);
    EXPECT_EQ(now.sa_handler, SIG_IGN);
    state.restore();
  }
  pthread_sigmask(SIG_SETMASK, nullptr, &mask_after);
  for (int signal = 1; signal < NSIG; ++signal) {
    EXPECT_EQ(sigismember(&mask_before, signal), sigismember(&mask_after, signal)) << signal;
  }
  sigaction(SIGPIPE, nullptr, &now);
  EXPECT_EQ(now.sa_handler, was_pipe.sa_handler);
  sigaction(SIGHUP, &was_hup, nullptr);
}

}  // namespace
}  // namespace mcptrace::stdio
