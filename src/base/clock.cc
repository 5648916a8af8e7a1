#include "base/clock.h"

#include <ctime>

namespace mcptrace {
namespace {

Nanos read_clock(clockid_t id) {
  timespec now;
  clock_gettime(id, &now);
  return std::chrono::seconds(now.tv_sec) + Nanos(now.tv_nsec);
}

}  // namespace

Nanos SystemClock::wall() const { return read_clock(CLOCK_REALTIME); }
Nanos SystemClock::boot() const { return read_clock(CLOCK_BOOTTIME); }

Nanos add(Nanos a, Nanos b) {
  std::int64_t sum = 0;
  if (!__builtin_add_overflow(a.count(), b.count(), &sum)) return Nanos(sum);
  return b.count() > 0 ? Nanos::max() : Nanos::min();
}

Nanos subtract(Nanos a, Nanos b) {
  std::int64_t difference = 0;
  if (!__builtin_sub_overflow(a.count(), b.count(), &difference)) return Nanos(difference);
  return b.count() < 0 ? Nanos::max() : Nanos::min();
}

}  // namespace mcptrace
