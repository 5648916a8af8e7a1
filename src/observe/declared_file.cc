// The file: lines of 8, 16 and 16 hexadecimal digits, "<server> <name> <definition>\n"; of the first version, which
// knew no definitions, "<server> <name>\n". A line that does not end so is passed over but for its last 42, or 25,
// characters: they are whole where a torn line stood before.
//
//   server      keyed hash of the server, cut: so that the lines of others need no look-up
//   name        keyed hash of server and name
//   definition  the tool's definition hash, its lower half; 0: not known. A tool has a line for each
//
// Appended by one write(2) a list, with O_APPEND: processes do not mix their bytes. The lock only spares doubles, when
// many start at once; who does not get it writes all the same.
#include "observe/declared_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/text.h"

namespace mcptrace::observe {
namespace {

constexpr std::size_t kServerDigits = 8;
constexpr std::size_t kNameDigits = 16;
constexpr std::size_t kFirstLineBytes = kServerDigits + 1 + kNameDigits;  // without its newline
constexpr std::size_t kDefinitionDigits = 16;
constexpr std::size_t kLineBytes = kFirstLineBytes + 1 + kDefinitionDigits;
constexpr std::uint64_t kMostBytes = 1 << 20;
constexpr std::size_t kMostNames = 4096;
constexpr std::size_t kMostDefinitions = 32;

std::uint64_t size_limit() {
  rlimit limit;
  // Running into `ulimit -f` would end the process by SIGXFSZ, and the traffic with it.
  if (::getrlimit(RLIMIT_FSIZE, &limit) != 0) return kMostBytes;
  return std::min<std::uint64_t>(limit.rlim_cur, kMostBytes);
}

}  // namespace

DeclaredFile::DeclaredFile(std::string path, const HashKey& key, Log& log)
    : path_(std::move(path)), key_(key), log_(log) {}

void DeclaredFile::say(const Error& error) {
  log_.once(LogReason::kDeclaredNames, "tools' names of an odd form may be hidden in later sessions: " + error.message);
}

void DeclaredFile::serve(std::string_view server) {
  if (server == server_ && !server_print_.empty()) return;
  server_ = server;
  KeyedHash hash(key_, "declaring-server");
  hash.update(server);
  server_print_ = hex64(hash.finish64()).substr(0, kServerDigits) + ' ';
  known_.clear();
  read_to_ = 0;
}

std::uint64_t DeclaredFile::print_of(std::uint64_t name) const {
  KeyedHash hash(key_, "declared-name");
  hash.update_field(server_);
  hash.update_field(hex64(name));
  return hash.finish64();
}

bool DeclaredFile::contains(std::string_view server, std::uint64_t name) {
  serve(server);
  const std::uint64_t print = print_of(name);
  if (known_.contains(print)) return true;
  read_on();
  return known_.contains(print);
}

std::size_t DeclaredFile::add(std::string_view server, std::span<const mcp::DeclaredTool> tools) {
  serve(server);
  if (!open(O_CREAT)) return 0;
  const bool locked = ::flock(fd_.get(), LOCK_EX | LOCK_NB) == 0;
  read_on();
  std::string lines;
  std::size_t changed = 0;
  for (const auto& [name, definition] : tools) {
    const std::uint64_t print = print_of(name);
    const Learned learned = learn(print, definition.low);
    if (learned == Learned::kOther) ++changed;
    if (learned == Learned::kNothing) continue;
    lines.append(server_print_).append(hex64(print)).append(1, ' ').append(hex64(definition.low)).append(1, '\n');
  }
  append(lines);
  if (locked) ::flock(fd_.get(), LOCK_UN);
  return changed;
}

// kOther: the tool was defined before, and not so.
DeclaredFile::Learned DeclaredFile::learn(std::uint64_t print, std::uint64_t definition) {
  if (known_.size() >= kMostNames && !known_.contains(print)) return Learned::kNothing;
  const auto [entry, fresh] = known_.try_emplace(print);
  Definitions& known = entry->second;
  const bool more =
      definition != 0 && known.size() < kMostDefinitions && std::ranges::find(known, definition) == known.end();
  if (more) known.push_back(definition);
  if (more && known.size() > 1) return Learned::kOther;
  return fresh || more ? Learned::kMore : Learned::kNothing;
}

// True if there is a file to be used. One that lost its name (`mcptrace clear`) is let go.
bool DeclaredFile::open(int create) {
  struct stat info;
  if (fd_.valid() && ::fstat(fd_.get(), &info) == 0 && info.st_nlink != 0) return true;
  read_to_ = 0;
  constexpr int kFlags = O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  fd_.reset(::open(path_.c_str(), kFlags | create, 0600));
  if (fd_.valid()) return is_ours(fd_.get());
  if (errno != ENOENT || create != 0) say(errno_error(path_, errno));
  return false;
}

bool DeclaredFile::is_ours(int fd) {
  struct stat info;
  if (::fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == ::geteuid() && (info.st_mode & 022) == 0) {
    return true;
  }
  say({Errc::kInvalidArgument, path_ + ": must be a file that belongs to you and that nobody else may write"});
  fd_.reset();
  return false;
}

void DeclaredFile::read_on() {
  if (!open(0)) return;
  struct stat info;
  if (::fstat(fd_.get(), &info) != 0) return;
  const std::uint64_t size = std::min(static_cast<std::uint64_t>(info.st_size), kMostBytes);
  if (size < read_to_) read_to_ = 0;
  char block[8192];
  while (read_to_ < size) {
    const std::size_t wanted = std::min<std::uint64_t>(sizeof(block), size - read_to_);
    const ssize_t got = ::pread(fd_.get(), block, wanted, static_cast<off_t>(read_to_));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) say(errno_error(path_, errno));
    if (got <= 0) return;
    const std::string_view bytes(block, static_cast<std::size_t>(got));
    const std::size_t whole = bytes.rfind('\n') + 1;  // 0: none
    take_lines(bytes.substr(0, whole));
    // The rest is looked at again with what follows it; of what has no end, only what may become a line.
    const std::size_t rest = std::min(bytes.size() - whole, kLineBytes);
    read_to_ += bytes.size() - rest;
    if (bytes.size() < wanted || read_to_ + rest >= size) return;
  }
}

void DeclaredFile::take_lines(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view line = take_until(bytes, '\n');
    if (line.size() >= kLineBytes && line[line.size() - kDefinitionDigits - 1] == ' ' &&
        take_line(line.substr(line.size() - kLineBytes))) {
      continue;
    }
    if (line.size() >= kFirstLineBytes) take_line(line.substr(line.size() - kFirstLineBytes));
  }
}

// False: it is none of this server's.
bool DeclaredFile::take_line(std::string_view line) {
  if (!line.starts_with(server_print_)) return false;
  line.remove_prefix(server_print_.size());
  const auto print = parse_number<std::uint64_t>(line.substr(0, kNameDigits), 16);
  const auto definition = line.size() > kNameDigits ? parse_number<std::uint64_t>(line.substr(kNameDigits + 1), 16) : 0;
  if (!print || !definition) return false;
  learn(*print, *definition);
  return true;
}

void DeclaredFile::append(const std::string& lines) {
  if (lines.empty()) return;
  struct stat info;
  if (::fstat(fd_.get(), &info) != 0) return;
  if (static_cast<std::uint64_t>(info.st_size) + lines.size() > size_limit()) return;  // full
  if (::write(fd_.get(), lines.data(), lines.size()) < 0) say(errno_error(path_, errno));
}

}  // namespace mcptrace::observe
