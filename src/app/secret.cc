// File: 64 lower-case hexadecimal digits and a newline, mode 0600.
#include "app/secret.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"
#include "base/ids.h"

namespace mcptrace::app {
namespace {

constexpr rlim_t kFileBytes = 65;

Result<> make_directories(const std::string& path) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (mkdir(part.c_str(), 0700) != 0 && errno != EEXIST)
      return std::unexpected(errno_error("cannot make " + part, errno));
    if (slash == std::string::npos) return {};
  }
}

// What is there but cannot be opened is the file's fault, else its directory cannot be used.
Error cannot_open(const std::string& path, int error_number) {
  if (error_number == ENOENT) return {Errc::kNotFound, path};
  Error error = errno_error(path, error_number);
  struct stat info;
  if (lstat(path.c_str(), &info) == 0) error.code = Errc::kInvalidArgument;
  return error;
}

// `ours`: made by us. A file that is mounted for us may be a link, and belong to somebody else.
Result<Secret> read_secret(const std::string& path, bool ours) {
  // Without O_NONBLOCK a FIFO in our place would be waited for, and with it the traffic. One that was given to us is
  // meant: `--secret-file <(…)`.
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | (ours ? O_NOFOLLOW | O_NONBLOCK : 0)));
  if (!fd.valid()) return std::unexpected(cannot_open(path, errno));
  struct stat info;
  if (fstat(fd.get(), &info) != 0) return std::unexpected(errno_error(path, errno));
  const std::string mend = ours ? " (deleted, it is made anew)" : "";
  if (ours && !S_ISREG(info.st_mode))
    return std::unexpected(Error{Errc::kInvalidArgument, path + ": no regular file" + mend});
  if (!ours && (info.st_mode & 007) != 0) {
    return std::unexpected(Error{Errc::kInvalidArgument, path + ": everybody may read it (chmod o= " + path + ")"});
  }
  if (ours && (info.st_uid != geteuid() || (info.st_mode & 077) != 0)) {
    return std::unexpected(
        Error{Errc::kInvalidArgument, path + ": must belong to you, with mode 0600 (chmod 600 " + path + ")"});
  }
  std::array<char, 64> digits;
  Secret secret;
  const bool whole = read(fd.get(), digits.data(), digits.size()) == static_cast<ssize_t>(digits.size()) &&
                     parse_hex({digits.data(), digits.size()}, secret);
  explicit_bzero(digits.data(), digits.size());
  if (!whole) {
    return std::unexpected(Error{Errc::kCorrupt, path + ": not 64 hexadecimal digits" + mend});
  }
  return secret;
}

// True also if somebody else's is there already. Not every file system has links.
bool give_name(const std::string& mine, const std::string& path) {
  return link(mine.c_str(), path.c_str()) == 0 || errno == EEXIST ||
         renameat2(AT_FDCWD, mine.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) == 0 || errno == EEXIST;
}

// Written whole under a name of its own, then linked to the real one, which fails if somebody was first.
Result<> make_secret(const std::string& directory, const std::string& path, Random& random) {
  // Running into `ulimit -f` would end the process by SIGXFSZ, and the traffic with it.
  rlimit limit;
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < kFileBytes)
    return std::unexpected(Error{Errc::kLimit, path + ": the limit of file sizes (ulimit -f) leaves no room for it"});
  Secret secret;
  random.fill(secret);
  const std::string mine = directory + "/.secret-" + to_hex(random.span_id().bytes);
  const UniqueFd fd(open(mine.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) return std::unexpected(errno_error("cannot make a file in " + directory, errno));
  std::string digits = to_hex(secret);
  Result<> done = write_all(fd.get(), digits);
  explicit_bzero(digits.data(), digits.size());
  if (done) done = write_all(fd.get(), "\n");
  if (done && !give_name(mine, path)) {
    done = std::unexpected(errno_error("cannot make " + path, errno));
    done.error().code = Errc::kInvalidArgument;
  }
  unlink(mine.c_str());
  return done;
}

}  // namespace

Result<Secret> load_secret(const std::string& path) {
  auto secret = read_secret(path, false);
  if (!secret && secret.error().code == Errc::kNotFound) {
    return std::unexpected(Error{Errc::kNotFound, path + ": there is no such file"});
  }
  return secret;
}

Result<Secret> load_or_make_secret(const std::string& state_directory, Random& random) {
  const std::string path = state_directory + "/secret";
  Result<Secret> secret = read_secret(path, true);
  if (secret || secret.error().code != Errc::kNotFound) return secret;
  MCPTRACE_TRY_VOID(make_directories(state_directory));
  MCPTRACE_TRY_VOID(make_secret(state_directory, path, random));
  return read_secret(path, true);
}

}  // namespace mcptrace::app
