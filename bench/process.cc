#include "process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "measure.h"

namespace mcptrace::bench {

Process::Process(const std::vector<std::string>& command, int piped) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) fail("no pipe");
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ < 0) fail("cannot fork");
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    dup2(ends[1], piped);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  close(ends[1]);
  output_.reset(ends[0]);
}

Process::~Process() { stop(); }

std::string Process::read_until(const std::string& prefix, std::chrono::seconds limit) {
  const auto end = Clock::now() + limit;
  for (;;) {
    for (std::size_t line = 0, next = 0; (next = text_.find('\n', line)) != text_.npos; line = next + 1) {
      if (!prefix.empty() && text_.compare(line, prefix.size(), prefix) == 0) {
        std::string taken = text_.substr(0, next + 1);
        text_.erase(0, next + 1);
        return taken;
      }
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    pollfd readable{output_.get(), POLLIN, 0};
    if (left <= 0 || poll(&readable, 1, static_cast<int>(left)) != 1) fail("a program did not say '" + prefix + "…'");
    char buffer[4096];
    const ssize_t got = read(output_.get(), buffer, sizeof(buffer));
    if (got <= 0 && prefix.empty()) return text_;
    if (got <= 0) fail("a program ended before it said '" + prefix + "…':\n" + text_);
    text_.append(buffer, static_cast<std::size_t>(got));
  }
}

void Process::stop() {
  if (pid_ < 0) return;
  kill(pid_, SIGTERM);
  const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  pollfd ended{process.get(), POLLIN, 0};
  const bool late = poll(&ended, 1, 15'000) != 1;
  if (late) kill(pid_, SIGKILL);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  fcntl(output_.get(), F_SETFL, O_NONBLOCK);
  char buffer[4096];
  for (ssize_t got = 0; (got = read(output_.get(), buffer, sizeof(buffer))) > 0;) {
    text_.append(buffer, static_cast<std::size_t>(got));
  }
  std::fputs(text_.c_str(), stderr);
  if (late) fail("a program was still there 15 s after SIGTERM");
  if (WIFSIGNALED(status) && WTERMSIG(status) != SIGTERM) {
    fail("a program died of signal " + std::to_string(WTERMSIG(status)));
  }
}

}  // namespace mcptrace::bench
