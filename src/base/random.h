// Randomness as a seam: the kernel's, and a seeded one for tests (testing.h). One object a thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/ids.h"

namespace mcptrace {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::uint8_t> out) = 0;

  // Never zero.
  TraceId trace_id();
  SpanId span_id();
  std::uint64_t u64();
};

// getrandom(2), fetched in blocks: about 30 ns for a span id.
class SystemRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override;

 private:
  std::array<std::uint8_t, 512> block_{};
  std::size_t used_ = sizeof(block_);
};

}  // namespace mcptrace
