// The spool's directory: what its files are called, and who holds them. Any process, any thread.
//
// A file is called <created, wall ns, 20 digits>-<prefix>-<pid>-<salt, 8 hexadecimal digits>.spool, so that the order
// of the names is the order of age. It is made under its name with ".tmp" behind it, locked, given its header and
// preamble, and only then renamed: whoever sees a file sees it locked, unless its process has left it. From then on it
// is never locked again, so "not locked" is final, and looking and then deleting is no race.
//
// The lock is an open file description lock (F_OFD_SETLK): it goes with the process however that ends, and, other than
// with flock(2), it can be asked after (F_OFD_GETLK) without taking one, so no reader is ever in a writer's way.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"

namespace mcptrace::spool {

inline constexpr std::string_view kSuffix = ".spool";
inline constexpr std::string_view kTemporarySuffix = ".spool.tmp";

struct FileName {
  Nanos created{};
  std::uint32_t salt = 0;
  std::string_view process;  // <prefix>-<pid>: the same for all files of one; borrows
};
std::string make_name(Nanos created, std::string_view prefix, int pid, std::uint32_t salt);
// Nothing where the name is none of ours. `suffix`: which kind is wanted.
std::optional<FileName> parse_name(std::string_view name, std::string_view suffix = kSuffix);

enum class Use : std::uint8_t { kRead, kWrite };
// An invalid descriptor where there is no such directory. Refuses a symlink, one that others may write to, and one of
// somebody else (root may read anybody's, but leaves no files there that their owner could not read).
Result<UniqueFd> open_directory(const std::string& path, Use use);
// For writing, made if missing (0700, its parents too).
Result<UniqueFd> make_directory(const std::string& path);

struct Entry {
  std::string name;
  std::uint64_t bytes = 0;
  Nanos modified{};
  std::uint64_t disk_bytes = 0;  // that it takes on disk, with the room that is kept behind it
};
// Regular files of ours with this suffix and of our user (root sees all), oldest first. Others are passed over.
Result<std::vector<Entry>> list_entries(int directory, std::string_view suffix);

// When the file was last written to (wall).
Nanos modified_of(const struct stat& status);

// Size and time of an open file, afresh.
bool look_again(int fd, Entry& entry);

// Opens for reading, not through a symlink and never waiting (a FIFO): -1 and errno.
UniqueFd open_for_reading(int directory, const char* path);
// Does a living process hold the file? Yes also where the system cannot say.
bool is_locked(int fd);
// The same by name. Nothing where the file is gone.
std::optional<bool> is_locked(int directory, const std::string& name);

}  // namespace mcptrace::spool
