#include "app/programs.h"

#include <unistd.h>

#include <array>

namespace mcptrace::app {

std::string own_directory() {
  std::array<char, 4096> path;
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
  const std::string text(path.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  return text.substr(0, text.rfind('/'));
}

std::vector<std::string> program_places(const std::string& own_directory, const std::string& program) {
  if (own_directory.ends_with("/libexec/mcptrace")) return {own_directory + "/" + program};
  return {own_directory + "/libexec/mcptrace/" + program, own_directory + "/../libexec/mcptrace/" + program};
}

}  // namespace mcptrace::app
