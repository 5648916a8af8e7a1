#include "app/world.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <ctime>

#include "app/programs.h"
#include "base/fd.h"

namespace mcptrace::app {
namespace {

std::optional<std::string> from_environment(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

std::vector<std::string> all_of_environment() {
  std::vector<std::string> entries;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) entries.emplace_back(*entry);
  return entries;
}

std::string home_directory() {
  if (const auto home = from_environment("HOME"); home && !home->empty()) return *home;
  char buffer[4096];
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(::getuid(), &entry, buffer, sizeof(buffer), &found) != 0 || found == nullptr) return {};
  return found->pw_dir != nullptr ? found->pw_dir : "";
}

std::string current_directory() {
  char* path = ::getcwd(nullptr, 0);
  std::string text = path != nullptr ? path : "";
  std::free(path);
  return text;
}

std::size_t width_of(int fd) {
  winsize size{};
  return ::ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

std::chrono::seconds offset_at(Nanos wall) {
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(wall).count();
  std::tm local{};
  if (::localtime_r(&seconds, &local) == nullptr) return {};
  return std::chrono::seconds(local.tm_gmtoff);
}

std::optional<std::string> set_and_not_empty(const World& world, std::string_view name) {
  auto value = world.environment(name);
  if (value && value->empty()) return std::nullopt;
  return value;
}

// Looks only: could this directory be made, with those above it?
Result<> can_be_made(std::string path) {
  for (;;) {
    const std::size_t slash = path.find_last_of('/');
    const bool top = slash == std::string::npos || slash == 0;
    path = slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
    struct stat info;
    if (::stat(path.c_str(), &info) != 0) {
      const int why = errno;
      const bool is_link = ::lstat(path.c_str(), &info) == 0;
      if (is_link) return std::unexpected(errno_error(path + " is a link that leads nowhere", why));
      if ((why == ENOENT || why == ENOTDIR) && !top) continue;
      return std::unexpected(errno_error(path, why));
    }
    if (!S_ISDIR(info.st_mode)) return std::unexpected(errno_error(path, ENOTDIR));
    if (::faccessat(AT_FDCWD, path.c_str(), W_OK | X_OK, AT_EACCESS) == 0) return {};
    return std::unexpected(errno_error(path, errno));
  }
}

}  // namespace

World system_world(int argc, char** argv, const Clock& clock, Random& random) {
  const bool terminal = ::isatty(1) == 1;
  return {.arguments = {argv, argv + argc},
          .environment = from_environment,
          .home = home_directory(),
          .working_directory = current_directory(),
          .stdin_fd = 0,
          .stdout_fd = 1,
          .stderr_fd = 2,
          .stdout_is_terminal = terminal,
          .stderr_is_terminal = ::isatty(2) == 1,
          .terminal_width = terminal ? width_of(1) : 0,
          .local_offset = offset_at,
          .clock = clock,
          .random = random,
          .environment_entries = all_of_environment,
          .flatten = ask_backend_to_flatten};
}

void say(const World& world, std::string_view text) {
  static_cast<void>(write_all(world.stderr_fd, "mcptrace: " + std::string(text) + "\n"));
}

int print(const World& world, std::string_view text) {
  const auto wrote = write_all(world.stdout_fd, text);
  if (wrote) return 0;
  say(world, wrote.error().message);
  return 1;
}

std::vector<std::string> state_directories(const World& world) {
  std::vector<std::string> directories;
  const auto add = [&](std::string directory) {
    if (!directory.empty() && std::ranges::find(directories, directory) == directories.end()) {
      directories.push_back(std::move(directory));
    }
  };
  add(world.given_home);
  add(set_and_not_empty(world, "MCPTRACE_HOME").value_or(""));
  add(world.file_home);
  const auto state = set_and_not_empty(world, "XDG_STATE_HOME");
  if (state && state->starts_with('/')) add(*state + "/mcptrace");
  if (!world.home.empty()) add(world.home + "/.local/state/mcptrace");
  return directories;
}

Result<std::string> state_directory(const World& world) {
  std::vector<std::string> directories = state_directories(world);
  if (!directories.empty()) return std::move(directories.front());
  return std::unexpected(
      Error{Errc::kNotFound, "no place for state: give --home, or set MCPTRACE_HOME, XDG_STATE_HOME or HOME"});
}

Result<std::string> spool_directory(const World& world) {
  MCPTRACE_TRY(const std::string state, state_directory(world));
  std::string spool = state + "/spool";
  struct stat info;
  if (::lstat(spool.c_str(), &info) == 0) return spool;
  if (auto usable = can_be_made(spool); !usable) {
    return std::unexpected(std::move(usable).error().with_context("the state directory " + state + " cannot be used"));
  }
  return spool;
}

}  // namespace mcptrace::app
