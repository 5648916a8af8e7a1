// To be preloaded: a time in which next to nothing passes, for counting what a program does for its work alone. Each
// look at a clock is a microsecond after the one before, and a nap ends when somebody wakes the sleeper, not before.
// So how long the work took on the machine at hand (under valgrind: long) changes nothing.
#include <dlfcn.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include <atomic>
#include <ctime>

extern "C" {

int clock_gettime(clockid_t, timespec* now) noexcept {
  static std::atomic<long> looks{0};
  const long micros = looks.fetch_add(1, std::memory_order_relaxed);
  *now = {1'790'000'000 + micros / 1'000'000, micros % 1'000'000 * 1000};
  return 0;
}

long still_syscall(long number, long a, long b, long c, long d, long e, long f) noexcept asm("syscall");

long still_syscall(long number, long a, long b, long c, long d, long e, long f) noexcept {
  using Syscall = long (*)(long, ...);
  static const auto real = reinterpret_cast<Syscall>(dlsym(RTLD_NEXT, "syscall"));
  const bool nap = number == SYS_futex && (b & FUTEX_CMD_MASK) == FUTEX_WAIT;
  return real(number, a, b, c, nap ? 0 : d, e, f);
}

}  // extern "C"
