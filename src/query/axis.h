// The time axis of a waterfall. A session that waits for its user most of the time would be all gap: stretches in which
// nothing ran are drawn shorter where they would take more than half of the axis, and the axis says which. Pure.
#pragma once

#include <vector>

#include "base/clock.h"

namespace mcptrace::query {

struct Interval {
  Nanos begin{};
  Nanos end{};
};

class TimeAxis {
 public:
  // From `whole.begin` to `whole.end`; `busy` = when something ran, in any order, overlapping or not.
  TimeAxis(Interval whole, std::vector<Interval> busy);

  // Where a moment lies, 0 to 1; outside the whole: at its ends.
  [[nodiscard]] double position(Nanos at) const;
  // Does the part of the axis from `from` to `to` (0 to 1) lie within one shortened gap?
  [[nodiscard]] bool shortened(double from, double to) const;

  [[nodiscard]] std::size_t shortened_gaps() const { return shortened_gaps_; }
  [[nodiscard]] Nanos shortened_time() const { return shortened_time_; }

 private:
  struct Segment {
    Nanos begin{}, end{};
    double from = 0, to = 0;  // on the axis
    bool shortened = false;
  };
  void add(Nanos begin, Nanos end, double length, bool shortened);

  std::vector<Segment> segments_;
  std::size_t shortened_gaps_ = 0;
  Nanos shortened_time_{};
};

}  // namespace mcptrace::query
