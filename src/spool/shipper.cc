#include "spool/shipper.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "spool/directory.h"

namespace mcptrace::spool {
namespace {

constexpr const char* kLock = "ship.lock";
constexpr const char* kServes = "ship.serves";
constexpr const char* kHurry = "ship.hurry";
constexpr std::size_t kMostServedBytes = 1 << 20;

std::string path_of(const std::string& state, const char* name) { return state + "/" + name; }

// Whoever may write to it is its owner's affair, as with the secret in it: what is read of these files is no secret,
// and nothing is believed that could do harm.
Result<UniqueFd> open_state(const std::string& state) {
  UniqueFd fd(::open(state.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return std::unexpected(errno_error("opening the directory " + state, errno));
  return fd;
}

// False and errno.
bool lock(int fd) {
  struct flock whole{};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  return ::fcntl(fd, F_OFD_SETLK, &whole) == 0;
}

}  // namespace

Result<std::optional<ShipLock>> ShipLock::take(const std::string& state) {
  MCPTRACE_TRY(const UniqueFd spool, make_directory(state + "/spool"));
  MCPTRACE_TRY(const UniqueFd directory, open_state(state));
  const std::string path = path_of(state, kLock);
  UniqueFd fd(::openat(directory.get(), kLock, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
  if (!fd.valid()) return std::unexpected(errno_error(path, errno));
  if (!lock(fd.get())) {
    if (errno == EAGAIN || errno == EACCES) return std::nullopt;
    return std::unexpected(errno_error("locking " + path, errno));
  }
  ::unlinkat(directory.get(), kServes, 0);
  if (::ftruncate(fd.get(), 0) == 0) static_cast<void>(write_all(fd.get(), std::to_string(::getpid()) + "\n"));
  return ShipLock(state, std::move(fd));
}

Result<> ShipLock::serve(std::span<const std::string> destinations) const {
  std::string text;
  for (const std::string& destination : destinations) text.append(destination).append("\n");
  MCPTRACE_TRY(const UniqueFd directory, open_state(state_));
  Result<> said = replace_file(directory.get(), kServes, text, std::string(kServes) + ".tmp");
  if (!said) return std::unexpected(std::move(said).error().with_context(path_of(state_, kServes)));
  return {};
}

bool has_shipper(const std::string& state) {
  const UniqueFd fd = open_for_reading(AT_FDCWD, path_of(state, kLock).c_str());
  return fd.valid() && is_locked(fd.get());
}

std::optional<std::vector<std::string>> served(const std::string& state) {
  if (!has_shipper(state)) return std::nullopt;
  const auto text = read_file(path_of(state, kServes), kMostServedBytes);
  if (!text) return std::nullopt;
  std::vector<std::string> destinations;
  for (std::string_view rest = *text; !rest.empty();) destinations.emplace_back(take_until(rest, '\n'));
  return destinations;
}

std::string ship_cursor(std::string_view destination) { return std::string("ship-").append(destination); }

Result<> ask_to_hurry(const std::string& state) {
  const std::string path = path_of(state, kHurry);
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
  if (!fd.valid() || ::futimens(fd.get(), nullptr) != 0) return std::unexpected(errno_error(path, errno));
  return {};
}

Nanos hurry_asked(const std::string& state) {
  struct stat status;
  if (::lstat(path_of(state, kHurry).c_str(), &status) != 0) return {};
  return modified_of(status);
}

}  // namespace mcptrace::spool
