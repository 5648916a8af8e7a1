#include "app/programs.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>

#include "base/clock.h"
#include "base/fd.h"

namespace mcptrace::app {
namespace {

using namespace std::chrono_literals;

constexpr Nanos kPatience = 200ms;
constexpr std::size_t kMostAnswer = 256 << 10;

// What a process is started with: /dev/null for its input and errors, `output` for its output, and nothing else; the
// signals as they are by default.
class Start {
 public:
  explicit Start(int output) {
    posix_spawn_file_actions_init(&files_);
    posix_spawn_file_actions_addopen(&files_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files_, output, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&files_, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&files_, STDERR_FILENO + 1);
    posix_spawnattr_init(&attributes_);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~Start() {
    posix_spawn_file_actions_destroy(&files_);
    posix_spawnattr_destroy(&attributes_);
  }
  Start(const Start&) = delete;
  Start& operator=(const Start&) = delete;

  std::optional<pid_t> run(const std::string& path, char* const* arguments) {
    pid_t pid = 0;
    if (posix_spawn(&pid, path.c_str(), &files_, &attributes_, arguments, environ) != 0) return std::nullopt;
    return pid;
  }

 private:
  posix_spawn_file_actions_t files_;
  posix_spawnattr_t attributes_;
};

// All that is written to `fd` until its end, if that comes in time.
std::optional<std::string> read_until(int fd, Nanos deadline) {
  const SystemClock clock;
  std::string text;
  std::array<char, 4096> block;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock.boot()).count();
    pollfd waiting{fd, POLLIN, 0};
    const int ready = left > 0 ? poll(&waiting, 1, static_cast<int>(left)) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return std::nullopt;
    const ssize_t got = read(fd, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) return text;
    text.append(block.data(), static_cast<std::size_t>(got));
    if (text.size() > kMostAnswer) return std::nullopt;
  }
}

}  // namespace

std::string own_directory() {
  std::array<char, 4096> path;
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
  const std::string text(path.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  return text.substr(0, text.rfind('/'));
}

std::vector<std::string> program_paths(std::string_view program) {
  const std::string here = own_directory(), name(program);
  constexpr std::string_view kFolder = "/libexec/mcptrace";
  std::vector<std::string> paths;
  if (here.ends_with(kFolder)) paths.push_back(here + "/" + name);
  for (const char* const place : {"", "/.."}) paths.push_back(here + place + std::string(kFolder) + "/" + name);
  return paths;
}

std::optional<std::string> ask_backend_to_flatten(const std::string& file, const std::string& state_directory) {
  const SystemClock clock;
  const Nanos deadline = clock.boot() + kPatience;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  const UniqueFd answer(ends[0]);
  UniqueFd output(ends[1]);
  std::vector<std::string> words{"mcptrace", "config", "flatten", file, state_directory};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::optional<pid_t> pid;
  for (const std::string& path : program_paths("mcptrace-backend")) {
    if (!pid && access(path.c_str(), X_OK) == 0) pid = Start(output.get()).run(path, arguments.data());
  }
  if (!pid) return std::nullopt;
  output.reset();
  auto text = read_until(answer.get(), deadline);
  // It ends as soon as its output has ended. One that takes too long is nobody's until we end.
  waitpid(*pid, nullptr, text ? 0 : WNOHANG);
  return text;
}

}  // namespace mcptrace::app
