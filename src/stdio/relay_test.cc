#include "stdio/relay.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/fd.h"

namespace mcptrace::stdio {
namespace {

// run() wants a process of its own, on its only thread. It reports on a pipe what it returned, and ends like its child.
class Relay {
 public:
  explicit Relay(std::vector<std::string> command) {
    int in[2], out[2], report[2];
    EXPECT_EQ(0, pipe2(in, O_CLOEXEC));
    EXPECT_EQ(0, pipe2(out, O_CLOEXEC));
    EXPECT_EQ(0, pipe2(report, O_CLOEXEC));
    pid_ = fork();
    if (pid_ == 0) {
      close(in[1]);
      close(out[0]);
      relay({.command = std::move(command), .client_in = in[0], .client_out = out[1]}, report[1]);
    }
    close(in[0]);
    close(out[1]);
    close(report[1]);
    to_.reset(in[1]);
    from_.reset(out[0]);
    report_.reset(report[0]);
    alarm(60);
  }
  ~Relay() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }

  int to() const { return to_.get(); }
  pid_t pid() const { return pid_; }
  void end_input() { to_.reset(); }
  void close_output() { from_.reset(); }
  std::string rest() { return all_of(from_.get()); }
  std::string report() { return all_of(report_.get()); }
  std::string line() {
    std::string text;
    char byte;
    while (read(from_.get(), &byte, 1) == 1 && byte != '\n') text += byte;
    return text;
  }
  int status() {
    int status = -1;
    EXPECT_EQ(pid_, waitpid(pid_, &status, 0));
    pid_ = -1;
    return status;
  }

 private:
  struct Counting final : ServerTap {
    void passed(std::string_view bytes) override { count += bytes.size(); }
    void end() override { ++ends; }
    std::size_t count = 0;
    int ends = 0;
  };

  [[noreturn]] static void relay(const RunOptions& options, int report) {
    PlainClientTap client;
    Counting server;
    Log log(STDERR_FILENO);
    int told = 0;
    const ChildExit ended = run(options, log, [&](int pid) -> Taps {
      told = pid;
      return {client, server};
    });
    std::string text = ended.started ? "started" : "not started";
    if (ended.signalled) text += " signalled";
    text += " " + std::to_string(ended.code);
    if (ended.server_first) text += " server first";
    if (ended.closed_first) text += " closed first";
    if ((told > 0) != ended.started) text += " told wrongly";
    text += " passed " + std::to_string(server.count) + " ends " + std::to_string(server.ends);
    static_cast<void>(write_all(report, text));
    exit_like(ended);
  }
  static std::string all_of(int fd) {
    std::string text;
    char block[4096];
    for (;;) {
      const ssize_t got = read(fd, block, sizeof(block));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return text;
      text.append(block, static_cast<std::size_t>(got));
    }
  }

  pid_t pid_ = -1;
  UniqueFd to_, from_, report_;
};

std::vector<std::string> shell(const std::string& script) { return {"/bin/sh", "-c", script}; }

TEST(Run, ClientEndsFirst) {
  Relay relay({"cat"});
  ASSERT_TRUE(write_all(relay.to(), "hello\n"));
  EXPECT_EQ(relay.line(), "hello");
  relay.end_input();
  EXPECT_EQ(relay.report(), "started 0 passed 6 ends 1");
  EXPECT_EQ(relay.status(), 0);
}

TEST(Run, ServerEndsFirst) {
  Relay relay(shell("echo bye; exit 3"));
  EXPECT_EQ(relay.rest(), "bye\n");
  EXPECT_EQ(relay.report(), "started 3 server first passed 4 ends 1");
  EXPECT_EQ(relay.status(), 3 << 8);
}

// Its output closed, it lives until its client, which sees that, closes too.
TEST(Run, ServerClosesFirst) {
  Relay relay(shell("exec >&-; cat >/dev/null; exit 4"));
  EXPECT_EQ(relay.rest(), "");
  relay.end_input();
  EXPECT_EQ(relay.report(), "started 4 closed first passed 0 ends 1");
  EXPECT_EQ(relay.status(), 4 << 8);
}

TEST(Run, ServerCrashes) {
  Relay relay(shell("kill -SEGV $$"));
  EXPECT_EQ(relay.report(), "started signalled 11 server first passed 0 ends 1");
  EXPECT_EQ(WTERMSIG(relay.status()), SIGSEGV);
}

TEST(Run, ToldToEnd) {
  Relay relay(shell("trap 'exit 4' TERM; echo ready; while :; do read line; done"));
  EXPECT_EQ(relay.line(), "ready");
  kill(relay.pid(), SIGTERM);
  EXPECT_EQ(relay.report(), "started 4 passed 6 ends 1");
  EXPECT_EQ(relay.status(), 4 << 8);
}

TEST(Run, ServerEndsFirstAfterAHarmlessSignal) {
  Relay relay(shell("trap 'exit 5' USR1; echo ready; while :; do read line; done"));
  EXPECT_EQ(relay.line(), "ready");
  kill(relay.pid(), SIGUSR1);
  EXPECT_EQ(relay.report(), "started 5 server first passed 6 ends 1");
  EXPECT_EQ(relay.status(), 5 << 8);
}

TEST(Run, ClientIsGone) {
  Relay relay(shell("echo ready; cat; exit 6"));
  EXPECT_EQ(relay.line(), "ready");
  relay.close_output();
  EXPECT_EQ(relay.report(), "started 6 passed 6 ends 1");
  EXPECT_EQ(relay.status(), 6 << 8);
}

TEST(Run, CannotRun) {
  Relay missing({"/no/such/command", "argument"});
  EXPECT_EQ(missing.report(), "not started 127 passed 0 ends 0");
  EXPECT_EQ(missing.status(), 127 << 8);
  Relay too_long({"true", std::string(200'000, 'x')});
  EXPECT_EQ(too_long.report(), "not started 126 passed 0 ends 0");
  EXPECT_EQ(too_long.status(), 126 << 8);
}

TEST(ExitLike, SignalThatDoesNotEndUs) {
  const pid_t pid = fork();
  if (pid == 0) exit_like({.started = true, .signalled = true, .code = SIGWINCH});
  int status = -1;
  EXPECT_EQ(pid, waitpid(pid, &status, 0));
  EXPECT_EQ(status, (128 + SIGWINCH) << 8);
}

TEST(PlainClientTap, PassesWhatArrived) {
  PlainClientTap tap;
  EXPECT_TRUE(tap.ready().empty());
  const std::span<char> room = tap.room();
  ASSERT_GE(room.size(), 65536u);
  room[0] = 'a';
  tap.arrived(1);
  ASSERT_EQ(tap.ready().size(), 1u);
  EXPECT_EQ(std::string(static_cast<char*>(tap.ready()[0].iov_base), tap.ready()[0].iov_len), "a");
  tap.sent();
  EXPECT_TRUE(tap.ready().empty());
  EXPECT_EQ(tap.hold_left(), std::nullopt);
}

}  // namespace
}  // namespace mcptrace::stdio
