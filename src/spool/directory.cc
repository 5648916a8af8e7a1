#include "spool/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/ids.h"
#include "base/text.h"

namespace mcptrace::spool {
namespace {

constexpr std::size_t kCreatedDigits = 20;
constexpr std::size_t kSaltDigits = 8;
constexpr std::size_t kMaxPrefix = 32;
bool is_plain(char c) {
  return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' || c == '_';
}

// Ours to read: root looks at everybody's.
bool may_read(uid_t owner) { return owner == ::geteuid() || ::geteuid() == 0; }

Result<> make_parents(const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string parent = path.substr(0, slash);
    if (::mkdir(parent.c_str(), 0700) != 0 && errno != EEXIST) {
      return std::unexpected(errno_error("making the directory " + parent, errno));
    }
  }
  return {};
}

Result<> check_directory(int fd, const std::string& path, Use use) {
  struct stat status;
  if (::fstat(fd, &status) != 0) return std::unexpected(errno_error(path, errno));
  if (use == Use::kWrite ? status.st_uid != ::geteuid() : !may_read(status.st_uid)) {
    return std::unexpected(Error{Errc::kUnsupported, path + " belongs to user " + std::to_string(status.st_uid) +
                                                         ", not to us: not used as a spool"});
  }
  if ((status.st_mode & 022) != 0) {
    return std::unexpected(
        Error{Errc::kUnsupported, path + " may be written by other users: not used as a spool (chmod 700 mends it)"});
  }
  return {};
}

std::uint64_t size_of(const struct stat& status) { return static_cast<std::uint64_t>(status.st_size); }

// At least a block, whatever its length: else a million small ones would be "within the bound".
std::uint64_t disk_bytes_of(const struct stat& status) {
  constexpr std::uint64_t kBlock = 4096, kUnit = 512;
  return std::max((size_of(status) / kBlock + 1) * kBlock, static_cast<std::uint64_t>(status.st_blocks) * kUnit);
}

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

}  // namespace

std::string make_name(Nanos created, std::string_view prefix, int pid, std::uint32_t salt) {
  std::string digits = std::to_string(std::max<std::int64_t>(created.count(), 0));
  std::string name(kCreatedDigits - digits.size(), '0');
  name.append(digits).append("-");
  for (const char c : prefix.substr(0, kMaxPrefix)) name.push_back(is_plain(c) ? c : '_');
  name.append("-").append(std::to_string(pid)).append("-");
  const std::uint8_t bytes[4] = {static_cast<std::uint8_t>(salt >> 24), static_cast<std::uint8_t>(salt >> 16),
                                 static_cast<std::uint8_t>(salt >> 8), static_cast<std::uint8_t>(salt)};
  return name.append(to_hex(bytes)).append(kSuffix);
}

std::optional<FileName> parse_name(std::string_view name, std::string_view suffix) {
  if (!name.ends_with(suffix)) return std::nullopt;
  name.remove_suffix(suffix.size());
  if (name.size() < kCreatedDigits + 2 + kSaltDigits || name[kCreatedDigits] != '-') return std::nullopt;
  if (!std::all_of(name.begin(), name.end(), is_plain)) return std::nullopt;
  const std::string_view digits = name.substr(0, kCreatedDigits);
  const std::string_view salt = name.substr(name.size() - kSaltDigits);
  const auto created = parse_number<std::int64_t>(digits);
  std::uint8_t bytes[4];
  if (!created || *created < 0) return std::nullopt;
  if (name[name.size() - kSaltDigits - 1] != '-' || !parse_hex(salt, bytes)) return std::nullopt;
  const std::string_view process = name.substr(kCreatedDigits + 1, name.size() - kCreatedDigits - kSaltDigits - 2);
  return FileName{.created = Nanos(*created),
                  .salt = static_cast<std::uint32_t>(bytes[0]) << 24 | static_cast<std::uint32_t>(bytes[1]) << 16 |
                          static_cast<std::uint32_t>(bytes[2]) << 8 | bytes[3],
                  .process = process};
}

Result<UniqueFd> open_directory(const std::string& path, Use use) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOENT) return fd;
    // A symlink gives ENOTDIR here, since O_DIRECTORY is looked at first.
    struct stat status;
    if (::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode)) {
      return std::unexpected(Error{Errc::kUnsupported, path + " is a symbolic link: not used as a spool"});
    }
    return std::unexpected(errno_error("opening the directory " + path, errno));
  }
  MCPTRACE_TRY_VOID(check_directory(fd.get(), path, use));
  return fd;
}

Result<UniqueFd> make_directory(const std::string& path) {
  MCPTRACE_TRY(UniqueFd existing, open_directory(path, Use::kWrite));
  if (existing.valid()) return existing;
  MCPTRACE_TRY_VOID(make_parents(path));
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return std::unexpected(errno_error("making the directory " + path, errno));
  }
  MCPTRACE_TRY(UniqueFd made, open_directory(path, Use::kWrite));
  if (!made.valid()) return std::unexpected(errno_error("opening the directory " + path, ENOENT));
  return made;
}

Result<std::vector<Entry>> list_entries(int directory, std::string_view suffix) {
  // A descriptor of its own: readdir moves the place in it.
  UniqueFd fd(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return std::unexpected(errno_error("listing the spool", errno));
  const std::unique_ptr<DIR, CloseDirectory> stream(::fdopendir(fd.get()));
  if (stream == nullptr) return std::unexpected(errno_error("listing the spool", errno));
  static_cast<void>(fd.release());
  std::vector<Entry> entries;
  while (const dirent* found = ::readdir(stream.get())) {
    if (!parse_name(found->d_name, suffix)) continue;
    struct stat status;
    if (::fstatat(directory, found->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;  // gone meanwhile
    if (!S_ISREG(status.st_mode) || !may_read(status.st_uid)) continue;
    entries.push_back({.name = found->d_name,
                       .bytes = size_of(status),
                       .modified = modified_of(status),
                       .disk_bytes = disk_bytes_of(status)});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return entries;
}

Nanos modified_of(const struct stat& status) {
  return std::chrono::seconds(status.st_mtim.tv_sec) + Nanos(status.st_mtim.tv_nsec);
}

bool look_again(int fd, Entry& entry) {
  struct stat status;
  if (::fstat(fd, &status) != 0) return false;
  entry.bytes = size_of(status);
  entry.modified = modified_of(status);
  return true;
}

UniqueFd open_for_reading(int directory, const char* path) {
  return UniqueFd(::openat(directory, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
}

bool is_locked(int fd) {
  struct flock whole{};
  whole.l_type = F_RDLCK;
  whole.l_whence = SEEK_SET;
  return ::fcntl(fd, F_OFD_GETLK, &whole) != 0 || whole.l_type != F_UNLCK;
}

std::optional<bool> is_locked(int directory, const std::string& name) {
  const UniqueFd fd = open_for_reading(directory, name.c_str());
  if (!fd.valid()) return errno == ENOENT ? std::nullopt : std::optional(true);
  return is_locked(fd.get());
}

}  // namespace mcptrace::spool
