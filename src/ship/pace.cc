#include "ship/pace.h"

#include <algorithm>

namespace mcptrace::ship {
namespace {

constexpr Nanos kSlowFirst = std::chrono::minutes(1), kSlowMost = std::chrono::minutes(15);
constexpr unsigned kMostDoublings = 16;

}  // namespace

Nanos Pace::backoff(Nanos first, Nanos most) const {
  return std::min(first * (std::int64_t{1} << std::min(failures_, kMostDoublings)), most);
}

// Up to half as much again.
void Pace::wait(Nanos delay, Nanos now) {
  const auto half = static_cast<std::uint64_t>(std::max<std::int64_t>(delay.count() / 2, 1));
  next_ = now + delay + Nanos(static_cast<std::int64_t>(random_.u64() % half));
  ++failures_;
}

void Pace::failed(std::optional<Nanos> after, Nanos now) { wait(after ? *after : backoff(first_, most_), now); }

void Pace::misplaced(Nanos now) { wait(backoff(kSlowFirst, kSlowMost), now); }

}  // namespace mcptrace::ship
