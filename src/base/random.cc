#include "base/random.h"

#include <sys/random.h>

#include <cstring>

#include "base/check.h"

namespace mcptrace {

TraceId Random::trace_id() {
  TraceId id;
  while (id.is_zero()) fill(id.bytes);
  return id;
}

SpanId Random::span_id() {
  SpanId id;
  while (id.is_zero()) fill(id.bytes);
  return id;
}

std::uint64_t Random::u64() {
  std::array<std::uint8_t, 8> bytes;
  fill(bytes);
  std::uint64_t value;
  std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

void SystemRandom::fill(std::span<std::uint8_t> out) {
  MCPTRACE_CHECK(out.size() <= block_.size());
  if (block_.size() - used_ < out.size()) {
    // A block of up to 256 bytes is filled whole or not at all; ours may be cut by a signal, hence the loop.
    for (std::size_t have = 0; have < block_.size();) {
      const ssize_t got = getrandom(block_.data() + have, block_.size() - have, 0);
      if (got > 0) have += static_cast<std::size_t>(got);
    }
    used_ = 0;
  }
  std::memcpy(out.data(), block_.data() + used_, out.size());
  used_ += out.size();
}

}  // namespace mcptrace
