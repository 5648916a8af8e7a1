#include "base/check.h"
#include "stdio/relay.h"

namespace mcptrace::stdio {

PlainClientTap::PlainClientTap() : buffer_(64 << 10) {}

std::span<char> PlainClientTap::room() { return buffer_; }

void PlainClientTap::arrived(std::size_t count) {
  MCPTRACE_CHECK(count <= buffer_.size());
  piece_ = {buffer_.data(), count};
}

std::span<const iovec> PlainClientTap::ready() {
  if (piece_.iov_len == 0) return {};
  return {&piece_, 1};
}

void PlainClientTap::sent() { piece_.iov_len = 0; }

}  // namespace mcptrace::stdio
