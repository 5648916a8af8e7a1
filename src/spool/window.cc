#include "spool/window.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace mcptrace::spool {
namespace {
constexpr std::size_t kChunk = 256u << 10;
}

std::string_view Window::view(int fd, std::uint64_t offset, std::size_t size) {
  if (offset >= start_ && offset - start_ <= length_ && length_ - (offset - start_) >= size) {
    return {bytes_.get() + (offset - start_), length_ - static_cast<std::size_t>(offset - start_)};
  }
  // From the offset afresh, also what is here already: at the end of a growing file it may have been half a record, cut
  // off since and replaced.
  const std::size_t wanted = std::max(size, kChunk);
  if (wanted > capacity_) {
    bytes_ = std::make_unique_for_overwrite<char[]>(wanted);
    capacity_ = wanted;
  }
  start_ = offset;
  length_ = 0;
  while (length_ < wanted) {
    const ssize_t got = ::pread(fd, bytes_.get() + length_, wanted - length_, static_cast<off_t>(offset + length_));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error_ = errno;
    if (got <= 0) break;
    length_ += static_cast<std::size_t>(got);
  }
  return {bytes_.get(), length_};
}

}  // namespace mcptrace::spool
