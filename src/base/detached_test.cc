#include "base/detached.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <map>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/text.h"

namespace mcptrace {
namespace {

// A shell that says what it found in a FIFO; whoever reads it to its end has seen the shell's end, too.
class DetachedTest : public testing::Test {
 protected:
  DetachedTest() {
    char path[] = "/tmp/mcptrace-detached-XXXXXX";
    directory_ = mkdtemp(path);
    EXPECT_EQ(mkfifo(fifo().c_str(), 0600), 0);
  }
  ~DetachedTest() override { std::filesystem::remove_all(directory_); }

  [[nodiscard]] std::string fifo() const { return directory_ + "/fifo"; }
  [[nodiscard]] DetachedProgram shell(const std::string& script) const {
    return {.places = {directory_ + "/none", "/bin/sh"},
            .arguments = {"a-shell", "-c", "exec >\"$FIFO\"; " + script},
            .environment = {"FIFO=" + fifo(), "PATH=/usr/bin:/bin", "B=2"}};
  }
  std::string said_by(const std::string& script) {
    const auto started = start_detached(shell(script));
    EXPECT_TRUE(started) << started.error().message;
    return started ? read_file(fifo(), 1 << 20).value_or("cannot be read") : "";
  }
  // "NAME: value" lines of /proc/self/status and the like.
  static std::map<std::string, std::string> fields(std::string_view text) {
    std::map<std::string, std::string> fields;
    while (!text.empty()) {
      std::string_view line = take_until(text, '\n');
      const std::string_view name = take_until(line, ':');
      fields[std::string(name)] = trim(line);
    }
    return fields;
  }

  std::string directory_;
};

TEST_F(DetachedTest, HasASessionOfItsOwnTheRootDirectoryAndNoDescriptorOfOurs) {
  // Open, and not close-on-exec.
  const UniqueFd ours(::open((directory_ + "/ours").c_str(), O_WRONLY | O_CREAT, 0600));
  const std::string said = said_by(
      "echo 0: $(readlink /proc/$$/fd/0); echo 2: $(readlink /proc/$$/fd/2); echo fds: $(ls /proc/$$/fd | wc -l);"
      "echo cwd: $(pwd); echo session: $(cut -d' ' -f6 /proc/$$/stat); echo self: $$; echo name: $0; umask");
  auto is = fields(said);
  EXPECT_EQ(is["0"], "/dev/null");
  EXPECT_EQ(is["2"], "/dev/null");
  EXPECT_LE(parse_number<int>(is["fds"]).value_or(99), 4) << said;  // and what the shell itself has open
  EXPECT_EQ(is["cwd"], "/");
  EXPECT_EQ(is["session"], is["self"]);
  EXPECT_EQ(is["name"], "a-shell");
  EXPECT_TRUE(said.ends_with("0077\n")) << said;
}

TEST_F(DetachedTest, HasTheEnvironmentThatItIsGivenAndNothingElse) {
  EXPECT_EQ(setenv("MCPTRACE_TEST_ONLY", "1", 1), 0);
  const std::string said = said_by("exec /usr/bin/env");
  unsetenv("MCPTRACE_TEST_ONLY");
  EXPECT_NE(said.find("B=2\n"), std::string::npos) << said;
  EXPECT_EQ(said.find("MCPTRACE_TEST_ONLY"), std::string::npos) << said;
}

TEST_F(DetachedTest, EverySignalIsAsAtTheBeginning) {
  sigset_t some, before;
  sigemptyset(&some);
  sigaddset(&some, SIGTERM);
  sigaddset(&some, SIGUSR2);
  pthread_sigmask(SIG_BLOCK, &some, &before);
  const auto was = std::signal(SIGPIPE, SIG_IGN);
  const std::string said = said_by("exec cat /proc/self/status");
  std::signal(SIGPIPE, was);
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, &before, &after);
  EXPECT_EQ(sigismember(&after, SIGTERM), 1) << "ours stays";
  EXPECT_EQ(sigismember(&after, SIGHUP), 0);
  auto is = fields(said);
  EXPECT_EQ(is["SigBlk"], "0000000000000000");
  EXPECT_EQ(is["SigIgn"], "0000000000000000");
}

// Whoever waits for any child finds none, and hears of none.
TEST_F(DetachedTest, IsNoChildOfOurs) {
  said_by("true");
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

// Whatever memory we have. In the caller's own time, as a busy machine has others to serve.
TEST_F(DetachedTest, TakesTheCallerLittleTime) {
#if __has_feature(thread_sanitizer)  // takes a copy
  const std::string weight;
  constexpr std::chrono::milliseconds kLimit(20);
#else
  const std::string weight(256 << 20, 'x');
  constexpr std::chrono::milliseconds kLimit(1);
#endif
  std::vector<Nanos> taken;
  const auto own_time = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return std::chrono::seconds(time.tv_sec) + Nanos(time.tv_nsec);
  };
  for (int i = 0; i < 21; ++i) {
    const Nanos before = own_time();
    ASSERT_TRUE(start_detached({.places = {"/bin/true"}, .arguments = {"true"}, .environment = {}}));
    taken.push_back(own_time() - before);
  }
  std::ranges::sort(taken);
  RecordProperty("median_ns", std::to_string(taken[10].count()));
  EXPECT_LT(taken[10], kLimit) << weight.size();
}

TEST_F(DetachedTest, WhatCannotBeRunIsAnError) {
  DetachedProgram program = shell("true");
  program.places = {directory_ + "/none", directory_ + "/neither"};
  const auto none = start_detached(program);
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("/neither: No such file"), std::string::npos) << none.error().message;
  program.places = {directory_};
  EXPECT_FALSE(start_detached(program));
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
}

}  // namespace
}  // namespace mcptrace
