// What the benchmarks of whole programs share: time, medians, what a process used, and what a spool holds.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace mcptrace::bench {

using Clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC: the same in every process of the machine

double seconds_since(Clock::time_point start);

// Says what went wrong, behind the program's name, and exits with 1: a benchmark has nobody to return an error to.
[[noreturn]] void fail(const std::string& what);

// 0 of nothing. `part`: 0.5 is the median, 0.99 the 99th percentile (nearest rank).
double quantile(std::vector<double> values, double part);
double median(std::vector<double> values);

// This process, and what it starts from now on, on one core or on all.
void pin(bool one_core);

// Of a process, its threads and its children: CPU seconds, from the scheduler's own count in nanoseconds (of threads
// that live), and resident KiB.
double cpu_seconds(pid_t pid);
double resident_kib(pid_t pid);
// Of the process alone, at its highest.
double peak_mib(pid_t pid);

// What tracing left behind.
struct Traced {
  std::size_t tool_calls = 0;  // spans of tools/call
  std::size_t ok = 0;          // of them, with outcome ok
  std::int64_t dropped = 0;    // what the sessions' roots say of facts that were lost
  std::uint64_t bytes = 0;     // of the spool's files
  bool damaged = false;        // something could not be read
};
Traced read_spool(const std::string& directory);

}  // namespace mcptrace::bench
