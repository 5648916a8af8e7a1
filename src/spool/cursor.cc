#include "spool/cursor.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/fd.h"
#include "base/text.h"
#include "spool/directory.h"
#include "spool/reader.h"

namespace mcptrace::spool {
namespace {

// A longer one is not ours.
constexpr std::size_t kMaxCursorBytes = 64u << 20;

Positions parse_positions(std::string_view text) {
  Positions positions;
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    const std::string_view file = take_until(line, ' ');
    const auto position = parse_number<std::uint64_t>(take_until(line, ' '));
    if (position && parse_name(file)) positions[std::string(file)] = *position;
  }
  return positions;
}

Positions load(const std::string& path) {
  const auto text = read_file(path, kMaxCursorBytes);
  return text ? parse_positions(*text) : Positions();
}

}  // namespace

std::string cursors_of(const std::string& directory) { return directory + "/cursors"; }

bool is_cursor_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
  });
}

Result<std::vector<Positions>> read_cursors(const std::string& directory, Nanos since) {
  std::vector<Positions> cursors;
  const std::string path = cursors_of(directory);
  DIR* stream = ::opendir(path.c_str());
  if (stream == nullptr) {
    if (errno == ENOENT) return cursors;
    return std::unexpected(errno_error("listing " + path, errno));
  }
  while (const dirent* found = ::readdir(stream)) {
    if (!is_cursor_name(found->d_name)) continue;
    struct stat status;
    const bool known = ::fstatat(::dirfd(stream), found->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (known && modified_of(status) < since) continue;
    cursors.push_back(load(path + "/" + found->d_name));
  }
  ::closedir(stream);
  return cursors;
}

Positions read_cursor(const std::string& directory, const std::string& name) {
  return load(cursors_of(directory) + "/" + name);
}

void remove_cursor(const std::string& directory, const std::string& name) {
  if (is_cursor_name(name)) ::unlink((cursors_of(directory) + "/" + name).c_str());
}

bool has_passed(const std::vector<Positions>& cursors, const Entry& entry) {
  return std::ranges::all_of(cursors, [&](const Positions& positions) {
    const auto found = positions.find(entry.name);
    return found != positions.end() && found->second >= entry.bytes;
  });
}

}  // namespace mcptrace::spool
