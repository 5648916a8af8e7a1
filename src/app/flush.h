// --flush: at the end of a process, waits until what it wrote is delivered. Main thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "app/ship_starter.h"
#include "base/clock.h"

namespace mcptrace::app {

enum class Flushed : std::uint8_t {
  kAll,
  kTimeIsOver,
  kInterrupted,  // SIGTERM, SIGINT, SIGHUP or SIGQUIT came
};

struct FlushOptions {
  std::string state;
  std::string first_file;                 // of the spool, of those that this process wrote; empty: none
  std::vector<std::string> destinations;  // that are known to be: of its environment, and of the configuration
  std::chrono::seconds limit{};
};

// Delivered is: each destination that is served (spool/shipper.h), but those that other processes named, is done with
// all that is in our files. Starts what ships where it is not there, and asks it to hurry. Blocks the signals, for
// good.
Flushed flush(const FlushOptions& options, ShipStarter& starter, const Clock& clock);

}  // namespace mcptrace::app
