#include "base/check.h"
#include "stdio/relay.h"

namespace mcptrace::stdio {

namespace {
constexpr std::size_t kBufferBytes = 64 << 10;
}

PlainClientTap::PlainClientTap() : buffer_(make_page_buffer(kBufferBytes)) {}

std::span<char> PlainClientTap::room() { return {buffer_.get(), kBufferBytes}; }

void PlainClientTap::arrived(std::size_t count) {
  MCPTRACE_CHECK(count <= kBufferBytes);
  piece_ = {buffer_.get(), count};
}

std::span<const iovec> PlainClientTap::ready() {
  if (piece_.iov_len == 0) return {};
  return {&piece_, 1};
}

void PlainClientTap::sent() { piece_.iov_len = 0; }

}  // namespace mcptrace::stdio
