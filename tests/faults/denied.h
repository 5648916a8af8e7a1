// System calls that fail, for root too and in containers: a filter of the kernel's (seccomp) in the process that asks
// for it and in all that it starts.
#pragma once

#include <cstdint>
#include <vector>

namespace mcptrace::faults {

struct Denied {
  long number;
  int error;
  // Only where this argument has these bits so; of the first 32.
  unsigned argument = 0;
  std::uint32_t mask = 0, value = 0;
};

// Ends the process with 90 where it cannot be had.
void deny(const std::vector<Denied>& calls);
// No thread can be started any more; processes can.
void deny_threads();

}  // namespace mcptrace::faults
