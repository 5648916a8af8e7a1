#include "base/log.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace mcptrace {

void Log::once(LogReason reason, std::string_view text) {
  const std::uint32_t bit = 1u << static_cast<unsigned>(reason);
  if (said_.fetch_or(bit, std::memory_order_relaxed) & bit) return;
  static constexpr std::string_view kPrefix = "mcptrace: ";
  char line[512];
  std::memcpy(line, kPrefix.data(), kPrefix.size());
  const std::size_t length = std::min(text.size(), sizeof(line) - kPrefix.size() - 1);
  std::transform(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(length), line + kPrefix.size(),
                 [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c; });
  line[kPrefix.size() + length] = '\n';
  // A full pipe must not hold us up: a pipe that polls writable takes at least PIPE_BUF bytes at once.
  pollfd ready{fd_, POLLOUT, 0};
  if (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLOUT)) return;
  [[maybe_unused]] const ssize_t wrote = ::write(fd_, line, kPrefix.size() + length + 1);
}

}  // namespace mcptrace
