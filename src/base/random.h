// Randomness as a seam: the kernel's, and a seeded one for tests. One object a thread.
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

// The same seed, the same numbers: not for anything that must be secret.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  void fill(std::span<std::uint8_t> out) override;

 private:
  std::uint64_t state_;
};

}  // namespace mcptrace
