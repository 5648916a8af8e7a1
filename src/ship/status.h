// How a destination does, as its shipper last wrote it down (`ship/<name>/status` in the state directory): what `ship
// status` tells, and where its counts go on after a restart. Plain data.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace mcptrace::ship {

struct Status {
  std::string url, protocol, compression;
  std::uint64_t delivered = 0;  // spans
  std::uint64_t rejected = 0;   // of requests that were taken
  std::uint64_t set_aside = 0;  // always refused; aside.h
  std::uint64_t cut = 0;        // to the backend's limits
  std::uint64_t late = 0;       // older than what the backend finds; sent, or not, as docs/backends.md says
  std::uint64_t missed_files = 0, missed_bytes = 0;  // deleted before they were read
  Nanos delivered_at{};                              // wall, the last time; zero: never
  std::string error;                                 // the last one, a sentence
  Nanos error_at{};
  Nanos next_try{};  // wall; zero: at once

  bool operator==(const Status&) const = default;
};

// Error: there is none.
Result<Status> read_status(const std::string& directory);
// `directory` is made if it is missing.
Result<> write_status(const std::string& directory, const Status& status);

}  // namespace mcptrace::ship
