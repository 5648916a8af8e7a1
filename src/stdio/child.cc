#include "stdio/child.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace mcptrace::stdio {
namespace {

struct Pipe {
  UniqueFd read_end, write_end;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(errno_error("making a pipe", errno));
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// In the child. Standard descriptors 0 to 2 are taken by now, so no end is one of them and dup2 clears its
// close-on-exec.
[[noreturn]] void become(char* const* argv, int in, int out, int status, pid_t parent, const SignalState& signals) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(126);  // it died before we asked to be told
  int error_number = 0;
  if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0) {
    error_number = errno;
  } else {
    signals.restore();
    execvp(argv[0], argv);
    error_number = errno;
  }
  [[maybe_unused]] const ssize_t wrote = ::write(status, &error_number, sizeof(error_number));
  _exit(126);
}

}  // namespace

Result<Child> spawn(const std::vector<std::string>& command, const SignalState& signals) {
  MCPTRACE_TRY(Pipe in, make_pipe());
  MCPTRACE_TRY(Pipe out, make_pipe());
  MCPTRACE_TRY(Pipe status, make_pipe());
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const pid_t self = getpid();
  const pid_t pid = fork();
  if (pid < 0) return std::unexpected(errno_error("making a process", errno));
  if (pid == 0) {
    become(argv.data(), in.read_end.get(), out.write_end.get(), status.write_end.get(), self, signals);
  }
  return Child{pid, std::move(in.write_end), std::move(out.read_end), std::move(status.read_end)};
}

int wait_for_exec(Child& child) {
  int error_number = 0;
  ssize_t got;
  do {
    got = ::read(child.exec_status.get(), &error_number, sizeof(error_number));
  } while (got < 0 && errno == EINTR);
  child.exec_status.reset();
  return got == sizeof(error_number) ? error_number : 0;
}

ExecFailure explain_exec(const std::string& command, int error_number) {
  // The kernel says ENOENT of a script's missing interpreter too.
  if (error_number == ENOENT && command.contains('/') && access(command.c_str(), F_OK) == 0) {
    return {126, "its interpreter does not exist"};
  }
  return {error_number == ENOENT ? 127 : 126, std::strerror(error_number)};
}

std::string_view base_name(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos || path.size() == 1 ? path : path.substr(slash + 1);
}

void let_go_of_inherited(std::span<const int> keep, int null) {
  constexpr int kHighest = 256;  // what a parent hands down has a low number; each costs a system call
  for (int fd = STDERR_FILENO + 1; fd < kHighest; ++fd) {
    const int flags = fcntl(fd, F_GETFD);
    if (flags < 0 || (flags & FD_CLOEXEC) || std::ranges::find(keep, fd) != keep.end()) continue;
    dup3(null, fd, O_CLOEXEC);
  }
}

}  // namespace mcptrace::stdio
