// For tests and benchmarks: a clock and a randomness that do as they are told.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <span>

#include "base/clock.h"
#include "base/random.h"

namespace mcptrace {

// Moved by hand; both clocks together, or the wall alone (a clock that jumps).
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Instant start = {std::chrono::hours(24 * 365 * 50), std::chrono::hours(1)}) : now_(start) {}
  [[nodiscard]] Nanos wall() const override { return now_.wall; }
  [[nodiscard]] Nanos boot() const override { return now_.boot; }
  void advance(Nanos by) { now_.wall += by, now_.boot += by; }
  void jump_wall(Nanos by) { now_.wall += by; }
  void set(Instant now) { now_ = now; }

 private:
  Instant now_;
};

// SplitMix64: the same seed, the same numbers.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  void fill(std::span<std::uint8_t> out) override {
    for (std::size_t i = 0; i < out.size(); i += 8) {
      std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
      z ^= z >> 31;
      std::memcpy(out.data() + i, &z, std::min<std::size_t>(8, out.size() - i));
    }
  }

 private:
  std::uint64_t state_;
};

}  // namespace mcptrace
