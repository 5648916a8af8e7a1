// The two clocks that a trace needs, as one seam.
//
// A span starts at wall time; every duration, gap and deadline is boot time (CLOCK_BOOTTIME), which neither jumps nor
// stops while the machine sleeps. `Clock` has two implementations: the system's, and one that tests move by hand
// (testing.h).
#pragma once

#include <chrono>

namespace mcptrace {

using Nanos = std::chrono::nanoseconds;

// One moment on both clocks. `wall` = since the Unix epoch; `boot` = since boot.
struct Instant {
  Nanos wall{};
  Nanos boot{};
};

// Safe to call from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Nanos wall() const = 0;
  [[nodiscard]] virtual Nanos boot() const = 0;
  [[nodiscard]] Instant now() const { return {wall(), boot()}; }
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] Nanos wall() const override;
  [[nodiscard]] Nanos boot() const override;
};

// Sums that stay at the ends of the range, for times that somebody else wrote.
Nanos add(Nanos a, Nanos b);
Nanos subtract(Nanos a, Nanos b);

}  // namespace mcptrace
