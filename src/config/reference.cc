#include "config/reference.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/fd.h"
#include "config/value.h"

namespace mcptrace::config {
namespace {

Error bad(std::string message) { return {Errc::kInvalidArgument, std::move(message)}; }

Result<std::string> read_secret(const std::string& path) {
  // O_NONBLOCK: a FIFO would be waited for.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd.valid()) return std::unexpected(errno_error(path, errno));
  struct stat info;
  if (::fstat(fd.get(), &info) != 0) return std::unexpected(errno_error(path, errno));
  if (!S_ISREG(info.st_mode)) return std::unexpected(bad(path + ": no regular file"));
  std::string secret;
  secret.reserve(kMostSecret + 1);  // so that no copy stays behind where it grew
  for (;;) {
    const std::size_t held = secret.size();
    ssize_t got = 0;
    secret.resize_and_overwrite(kMostSecret + 1, [&](char* data, std::size_t size) {
      got = ::read(fd.get(), data + held, size - held);
      return held + static_cast<std::size_t>(got > 0 ? got : 0);
    });
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 || secret.size() > kMostSecret) {
      const Error error = got < 0 ? errno_error(path, errno) : bad(path + ": larger than 64 KiB");
      wipe(secret);
      return std::unexpected(error);
    }
    if (got == 0) return secret;
  }
}

}  // namespace

void wipe(std::string& secret) {
  ::explicit_bzero(secret.data(), secret.size());
  secret.clear();
}

Result<std::string> resolve(std::string_view reference, const Lookup& environment) {
  if (const std::string_view name = variable_of(reference); !name.empty()) {
    std::string value = value_of(environment, name);
    if (value.empty()) return std::unexpected(bad("the variable " + std::string(name) + " is not set"));
    return value;
  }
  if (!is_reference(reference)) return std::unexpected(bad("no reference: env:NAME or file:PATH"));
  const std::string path(reference.substr(std::string_view("file:").size()));
  MCPTRACE_TRY(std::string secret, read_secret(path));
  while (secret.ends_with('\n') || secret.ends_with('\r')) secret.pop_back();
  if (secret.empty()) return std::unexpected(bad(path + ": is empty"));
  return secret;
}

}  // namespace mcptrace::config
