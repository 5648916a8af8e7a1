#include "stdio/child.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
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

namespace {

// Is there a file that execvp(3) would have run?
bool exists(const std::string& command) {
  if (command.contains('/')) return access(command.c_str(), F_OK) == 0;
  const char* path = std::getenv("PATH");
  std::string_view left = path != nullptr ? path : "/bin:/usr/bin";
  for (;;) {
    const std::size_t colon = left.find(':');
    const std::string directory(left.substr(0, colon));
    if (access((directory.empty() ? command : directory + "/" + command).c_str(), X_OK) == 0) return true;
    if (colon == std::string_view::npos) return false;
    left.remove_prefix(colon + 1);
  }
}

bool is_directory(const std::string& command) {
  struct stat info;
  return command.contains('/') && stat(command.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

}  // namespace

ExecFailure explain_exec(const std::string& command, int error_number) {
  if (error_number == ENOENT) {
    // The kernel says so of a missing interpreter too: of a script's, or of a program for another system.
    if (exists(command)) return {126, "its interpreter does not exist"};
    return {127, command.contains('/') ? "there is no such file" : "not found in PATH"};
  }
  if (error_number == EACCES && is_directory(command)) return {126, "is a directory"};
  if (error_number == ENOEXEC) return {126, "not an executable format"};
  return {126, std::strerror(error_number)};
}

std::string shown_command(std::string_view command) {
  constexpr std::size_t kMost = 300;
  if (command.size() <= kMost) return std::string(command);
  std::size_t from = command.size() - kMost;
  while (from < command.size() && (command[from] & '\xc0') == '\x80') ++from;  // not within a character
  return "…" + std::string(command.substr(from));
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
