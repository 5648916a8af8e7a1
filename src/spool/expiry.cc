// The count is a file beside the others, `expired`: lines "<files> <bytes>\n", each appended by one write(2), which are
// to be added up. Where there are many, they are made one, in a new file that takes the name.
#include "spool/expiry.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <optional>
#include <string_view>

#include "base/random.h"
#include "base/text.h"
#include "spool/cursor.h"
#include "spool/directory.h"

namespace mcptrace::spool {
namespace {

constexpr const char* kName = "expired";
constexpr const char* kLooked = "looked";
constexpr std::size_t kManyBytes = 16 << 10;
constexpr std::size_t kMostBytes = 64 << 10;  // that are read, and that a file may need room for
constexpr Nanos kCursorLives = std::chrono::hours(24 * 7);

std::string line_of(const Expired& some) {
  return std::to_string(some.files).append(" ").append(std::to_string(some.bytes)).append("\n");
}

std::optional<Expired> parse_line(std::string_view line) {
  const auto files = parse_number<std::uint64_t>(take_until(line, ' '));
  const auto bytes = parse_number<std::uint64_t>(line);
  return files && bytes ? std::optional<Expired>({.files = *files, .bytes = *bytes}) : std::nullopt;
}

// Half a line, as a full disk leaves it, counts nothing.
Expired sum_of(std::string_view text) {
  Expired sum;
  for (std::size_t end = text.find('\n'); end != text.npos; end = text.find('\n')) {
    if (const auto some = parse_line(text.substr(0, end))) {
      sum.files += some->files;
      sum.bytes += some->bytes;
    }
    text.remove_prefix(end + 1);
  }
  return sum;
}

std::string read_all(int directory) {
  const UniqueFd fd = open_for_reading(directory, kName);
  std::string text(kMostBytes, '\0');
  const ssize_t got = fd.valid() ? ::pread(fd.get(), text.data(), text.size(), 0) : 0;
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return text;
}

// Under a temporary's name, so that it goes as they do if we die meanwhile.
void make_one_line(int directory, Nanos now) {
  SystemRandom random;
  std::string name = make_name(now, kName, ::getpid(), static_cast<std::uint32_t>(random.u64()));
  name.resize(name.size() - kSuffix.size());
  name += kTemporarySuffix;
  static_cast<void>(replace_file(directory, kName, line_of(sum_of(read_all(directory))), name));
}

void count(int directory, const Expired& more, Nanos now) {
  // Running into `ulimit -f` would end the process by SIGXFSZ, and the traffic with it.
  rlimit limit;
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < kMostBytes) return;
  const UniqueFd fd(
      ::openat(directory, kName, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
  Entry file;
  if (!fd.valid() || !write_all(fd.get(), line_of(more)) || !look_again(fd.get(), file)) return;
  if (file.bytes >= kManyBytes) make_one_line(directory, now);
}

void remove_left_temporaries(int directory, Nanos now) {
  const auto left = list_entries(directory, kTemporarySuffix);
  if (!left) return;
  for (const Entry& entry : *left) {
    if (entry.modified >= now - std::chrono::minutes(1)) break;
    if (is_locked(directory, entry.name) == false) ::unlinkat(directory, entry.name.c_str(), 0);
  }
}

// Moves those that were read before those that were not, the oldest of each first. How many were.
std::size_t read_first(const std::string& path, std::vector<Entry>& entries, Nanos now) {
  const auto cursors = read_cursors(path, now - kCursorLives);
  if (!cursors || cursors->empty()) return 0;
  std::vector<Entry> read, unread;
  for (Entry& entry : entries) (has_passed(*cursors, entry) ? read : unread).push_back(std::move(entry));
  const std::size_t count = read.size();
  std::ranges::move(unread, std::back_inserter(read));
  entries = std::move(read);
  return count;
}

}  // namespace

Expired expire(int directory, const std::string& path, std::uint64_t total_bytes, std::uint64_t total_files,
               Nanos now) {
  remove_left_temporaries(directory, now);
  Expired unread;
  auto entries = list_entries(directory, kSuffix);
  if (!entries) return unread;
  std::uint64_t bytes = 0;
  std::uint64_t files = entries->size();
  for (const Entry& entry : *entries) bytes += entry.disk_bytes;
  const auto fits = [&] { return bytes <= total_bytes && files <= total_files; };
  if (fits()) return unread;
  const std::size_t read = read_first(path, *entries, now);
  for (std::size_t i = 0; i < entries->size() && !fits(); ++i) {
    const Entry& entry = (*entries)[i];
    const auto locked = is_locked(directory, entry.name);
    if (locked == true) continue;
    if (locked == false) {
      const bool deleted = ::unlinkat(directory, entry.name.c_str(), 0) == 0;
      if (!deleted && errno != ENOENT) continue;
      if (deleted && i >= read) {
        ++unread.files;
        unread.bytes += entry.bytes;
      }
    }
    // Somebody else's deletion made room just as well.
    bytes -= entry.disk_bytes;
    --files;
  }
  if (unread.files != 0) count(directory, unread, now);
  return unread;
}

bool looked_lately(int directory, Nanos now, Nanos lately) {
  struct stat status;
  if (::fstatat(directory, kLooked, &status, AT_SYMLINK_NOFOLLOW) != 0) return false;
  const Nanos at = modified_of(status);
  return at <= now && subtract(now, at) < lately;
}

void note_look(int directory, Nanos now) {
  const UniqueFd fd(::openat(directory, kLooked, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
  if (!fd.valid()) return;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  const timespec at = {.tv_sec = seconds.count(), .tv_nsec = (now - seconds).count()};
  const timespec times[] = {at, at};
  ::futimens(fd.get(), times);
}

Expired read_expired(const std::string& path) {
  const auto directory = open_directory(path, Use::kRead);
  return directory && directory->valid() ? sum_of(read_all(directory->get())) : Expired();
}

void forget_expired(const std::string& path) { ::unlink((path + "/" + kName).c_str()); }

}  // namespace mcptrace::spool
