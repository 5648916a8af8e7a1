#include "spool/destinations.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "base/fd.h"
#include "base/keyed_hash.h"
#include "base/text.h"
#include "spool/directory.h"

namespace mcptrace::spool {
namespace {

constexpr std::string_view kPrefix = "otel-";
constexpr std::size_t kDigits = 16;
constexpr std::size_t kMostBytes = 256 << 10;

std::string directory_of(const std::string& state) { return state + "/destinations"; }

bool touch(int directory, const std::string& name) {
  return ::utimensat(directory, name.c_str(), nullptr, AT_SYMLINK_NOFOLLOW) == 0;
}

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

}  // namespace

std::string destination_name(std::uint64_t print) { return std::string(kPrefix).append(hex64(print)); }

bool is_destination_name(std::string_view name) {
  return name.size() == kPrefix.size() + kDigits && name.starts_with(kPrefix) &&
         std::ranges::all_of(name.substr(kPrefix.size()), [](char c) { return hex_value(c) >= 0 && c == lower(c); });
}

Result<> leave_destination(const std::string& state, const std::string& name, std::string_view text) {
  const std::string path = directory_of(state);
  MCPTRACE_TRY(const UniqueFd directory, make_directory(path));
  if (touch(directory.get(), name)) return {};
  Result<> left = replace_file(directory.get(), name, text, name + "." + std::to_string(::getpid()) + ".tmp");
  if (!left) return std::unexpected(std::move(left).error().with_context(path + "/" + name));
  return {};
}

std::vector<LeftDestination> left_destinations(const std::string& state) {
  std::vector<LeftDestination> left;
  const std::string path = directory_of(state);
  const std::unique_ptr<DIR, CloseDirectory> stream(::opendir(path.c_str()));
  if (stream == nullptr) return left;
  while (const dirent* found = ::readdir(stream.get())) {
    if (!is_destination_name(found->d_name)) continue;
    struct stat status;
    if (::fstatat(::dirfd(stream.get()), found->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (!S_ISREG(status.st_mode)) continue;
    auto text = read_file(path + "/" + found->d_name, kMostBytes);
    if (text) left.push_back({.name = found->d_name, .text = *std::move(text), .touched = modified_of(status)});
  }
  std::ranges::sort(left, {}, &LeftDestination::name);
  return left;
}

// Looked at under a name that nobody touches, so that there is no moment between the look and the end.
bool forget_destination(const std::string& state, const std::string& name, Nanos since) {
  const UniqueFd directory(::open(directory_of(state).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return errno == ENOENT;
  struct stat status;
  if (::fstatat(directory.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT;
  if (modified_of(status) >= since) return false;
  const std::string going = name + ".going";
  if (::renameat(directory.get(), name.c_str(), directory.get(), going.c_str()) != 0) return errno == ENOENT;
  const bool touched =
      ::fstatat(directory.get(), going.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && modified_of(status) >= since;
  // Where it was made anew meanwhile, both are the same.
  if (touched && ::renameat(directory.get(), going.c_str(), directory.get(), name.c_str()) == 0) return false;
  ::unlinkat(directory.get(), going.c_str(), 0);
  return !touched;
}

}  // namespace mcptrace::spool
