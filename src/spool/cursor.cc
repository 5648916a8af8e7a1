#include "spool/cursor.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/fd.h"
#include "spool/directory.h"
#include "spool/reader.h"

namespace mcptrace::spool {
namespace {

// More lines than the spool may have files; a longer one is not ours.
constexpr std::size_t kMaxCursorBytes = 8u << 20;

std::string cursors_of(const std::string& directory) { return directory + "/cursors"; }

bool is_cursor_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
  });
}

// Lines of "<file name> <position>".
Positions parse_positions(std::string_view text) {
  Positions positions;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos || !parse_name(line.substr(0, space))) continue;
    std::uint64_t position = 0;
    const char* end = line.data() + line.size();
    const auto number = std::from_chars(line.data() + space + 1, end, position);
    if (number.ec == std::errc() && number.ptr == end) positions[std::string(line.substr(0, space))] = position;
  }
  return positions;
}

Positions load(const std::string& path) {
  const auto text = read_file(path, kMaxCursorBytes);
  return text ? parse_positions(*text) : Positions();
}

}  // namespace

class Cursor::Impl {
 public:
  std::string directory;
  std::string name;
  Positions positions;
};

Cursor::Cursor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Cursor::~Cursor() = default;
Cursor::Cursor(Cursor&&) noexcept = default;

Result<Cursor> Cursor::open(const std::string& directory, const std::string& name) {
  if (!is_cursor_name(name)) {
    return std::unexpected(
        Error{Errc::kInvalidArgument, "a cursor's name is of letters, digits, - and _, not '" + name + "'"});
  }
  MCPTRACE_TRY(const UniqueFd spool, make_directory(directory));
  MCPTRACE_TRY(const UniqueFd cursors, make_directory(cursors_of(directory)));
  auto impl = std::make_unique<Impl>();
  impl->directory = directory;
  impl->name = name;
  impl->positions = load(cursors_of(directory) + "/" + name);
  Cursor cursor(std::move(impl));
  MCPTRACE_TRY_VOID(cursor.save());
  return cursor;
}

std::uint64_t Cursor::position(const std::string& file_name) const {
  const auto found = impl_->positions.find(file_name);
  return found == impl_->positions.end() ? 0 : found->second;
}

void Cursor::advance(const std::string& file_name, std::uint64_t position) { impl_->positions[file_name] = position; }

Result<> Cursor::save() {
  MCPTRACE_TRY(const UniqueFd spool, make_directory(impl_->directory));
  MCPTRACE_TRY(const std::vector<Entry> entries, list_entries(spool.get(), kSuffix));
  const auto gone = [&](const auto& line) {
    return !std::binary_search(entries.begin(), entries.end(), Entry{.name = line.first},
                               [](const Entry& a, const Entry& b) { return a.name < b.name; });
  };
  std::erase_if(impl_->positions, gone);
  std::string text;
  for (const auto& [file, position] : impl_->positions) {
    text.append(file).append(" ").append(std::to_string(position)).append("\n");
  }
  MCPTRACE_TRY(const UniqueFd cursors, make_directory(cursors_of(impl_->directory)));
  const std::string path = cursors_of(impl_->directory) + "/" + impl_->name;
  const std::string temporary = impl_->name + ".tmp";  // no cursor's name has a dot
  const UniqueFd file(
      ::openat(cursors.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.valid()) return std::unexpected(errno_error("making " + path, errno));
  if (auto wrote = write_all(file.get(), text); !wrote) {
    ::unlinkat(cursors.get(), temporary.c_str(), 0);
    return std::unexpected(std::move(wrote).error().with_context(path));
  }
  if (::renameat(cursors.get(), temporary.c_str(), cursors.get(), impl_->name.c_str()) != 0) {
    return std::unexpected(errno_error("naming " + path, errno));
  }
  return {};
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
    if (known && std::chrono::seconds(status.st_mtim.tv_sec) + Nanos(status.st_mtim.tv_nsec) < since) continue;
    cursors.push_back(load(path + "/" + found->d_name));
  }
  ::closedir(stream);
  return cursors;
}

bool has_passed(const std::vector<Positions>& cursors, const Entry& entry) {
  return std::ranges::all_of(cursors, [&](const Positions& positions) {
    const auto found = positions.find(entry.name);
    return found != positions.end() && found->second >= entry.bytes;
  });
}

}  // namespace mcptrace::spool
