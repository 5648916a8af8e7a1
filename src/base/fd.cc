#include "base/fd.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>

namespace mcptrace {

void UniqueFd::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

Result<> write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote < 0) {
      if (errno == EINTR) continue;
      return std::unexpected(errno_error("write", errno));
    }
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return {};
}

Result<> replace_file(int directory, const std::string& name, std::string_view text, const std::string& temporary) {
  rlimit limit;
  if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < text.size()) {
    return std::unexpected(errno_error("making it", EFBIG));
  }
  const UniqueFd file(
      ::openat(directory, temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.valid()) return std::unexpected(errno_error("making it", errno));
  Result<> done = write_all(file.get(), text);
  if (done && ::renameat(directory, temporary.c_str(), directory, name.c_str()) != 0) {
    done = std::unexpected(errno_error("naming it", errno));
  }
  if (!done) ::unlinkat(directory, temporary.c_str(), 0);
  return done;
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOENT) return std::unexpected(Error{Errc::kNotFound, path + ": no such file"});
    return std::unexpected(errno_error(path, errno));
  }
  std::string text;
  char block[16384];
  for (;;) {
    const ssize_t got = ::read(fd.get(), block, sizeof(block));
    if (got == 0) return text;
    if (got < 0) {
      if (errno == EINTR) continue;
      return std::unexpected(errno_error(path, errno));
    }
    text.append(block, static_cast<std::size_t>(got));
    if (text.size() > limit) {
      return std::unexpected(Error{Errc::kLimit, path + ": larger than " + std::to_string(limit) + " bytes"});
    }
  }
}

}  // namespace mcptrace
