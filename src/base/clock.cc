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

}  // namespace mcptrace
