#include "query/axis.h"

#include <algorithm>
#include <limits>

namespace mcptrace::query {
namespace {

// The difference first: a double does not tell the nanoseconds of today's dates apart.
double length(Interval interval) { return static_cast<double>(subtract(interval.end, interval.begin).count()); }

// Cut to the whole, ordered, without overlaps.
std::vector<Interval> merged(Interval whole, std::vector<Interval> intervals) {
  for (Interval& interval : intervals) {
    interval.begin = std::clamp(interval.begin, whole.begin, whole.end);
    interval.end = std::clamp(interval.end, interval.begin, whole.end);
  }
  std::ranges::sort(intervals, {}, &Interval::begin);
  std::vector<Interval> out;
  for (const Interval& interval : intervals) {
    if (!out.empty() && interval.begin <= out.back().end) {
      out.back().end = std::max(out.back().end, interval.end);
    } else {
      out.push_back(interval);
    }
  }
  return out;
}

// The length at which gaps are cut so that all together take `room`; infinite if they do anyway.
double cap_of(std::vector<double> gaps, double room) {
  std::ranges::sort(gaps);
  double rest = room;
  for (std::size_t i = 0; i < gaps.size(); ++i) {
    const double fair = rest / static_cast<double>(gaps.size() - i);
    if (gaps[i] > fair) return fair;
    rest -= gaps[i];
  }
  return std::numeric_limits<double>::infinity();
}

}  // namespace

TimeAxis::TimeAxis(Interval whole, std::vector<Interval> busy_intervals) {
  whole.end = std::max(whole.begin, whole.end);
  const std::vector<Interval> busy = merged(whole, std::move(busy_intervals));
  double busy_length = 0;
  std::vector<double> gaps;
  Nanos at = whole.begin;
  for (const Interval& interval : busy) {
    busy_length += length(interval);
    if (interval.begin > at) gaps.push_back(length({at, interval.begin}));
    at = interval.end;
  }
  if (at < whole.end) gaps.push_back(length({at, whole.end}));
  const double cap = busy_length > 0 ? cap_of(std::move(gaps), busy_length) : std::numeric_limits<double>::infinity();

  const auto add_gap = [&](Nanos begin, Nanos end) {
    if (end <= begin) return;
    const double full = length({begin, end});
    add(begin, end, std::min(full, cap), full > cap);
  };
  at = whole.begin;
  for (const Interval& interval : busy) {
    add_gap(at, interval.begin);
    if (interval.end > interval.begin) add(interval.begin, interval.end, length(interval), false);
    at = interval.end;
  }
  add_gap(at, whole.end);
  const double total = segments_.empty() ? 1 : segments_.back().to;
  for (Segment& segment : segments_) segment.from /= total, segment.to /= total;
}

void TimeAxis::add(Nanos begin, Nanos end, double drawn, bool shortened) {
  const double from = segments_.empty() ? 0 : segments_.back().to;
  segments_.push_back({begin, end, from, from + drawn, shortened});
  if (!shortened) return;
  ++shortened_gaps_;
  shortened_time_ = mcptrace::add(shortened_time_, subtract(end, begin));
}

double TimeAxis::position(Nanos at) const {
  const auto it = std::ranges::upper_bound(segments_, at, {}, &Segment::end);
  if (it == segments_.end()) return segments_.empty() ? 0 : 1;
  if (at <= it->begin) return it->from;
  return it->from + (it->to - it->from) * length({it->begin, at}) / length({it->begin, it->end});
}

bool TimeAxis::shortened(double from, double to) const {
  const auto it = std::ranges::upper_bound(segments_, from, {}, &Segment::to);
  return it != segments_.end() && it->shortened && it->from <= from && to <= it->to;
}

}  // namespace mcptrace::query
