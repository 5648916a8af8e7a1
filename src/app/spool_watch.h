// Waits until the spool may hold more: inotify on its directory, together with what ends the waiting. Used by trace
// --follow, on its thread.
#pragma once

#include <string>

#include "base/fd.h"

namespace mcptrace::app {

enum class Wake : std::uint8_t {
  kChanged,      // or a second went by: a lock that was let go makes no event of its own
  kInterrupted,  // SIGINT or SIGTERM
  kOutputGone,   // nobody reads our stdout any more
};

class SpoolWatch {
 public:
  // Takes SIGINT and SIGTERM over until it is destroyed. Where inotify cannot be had (its instances are few) time alone
  // wakes.
  SpoolWatch(const std::string& directory, int output);
  ~SpoolWatch();
  SpoolWatch(const SpoolWatch&) = delete;
  SpoolWatch& operator=(const SpoolWatch&) = delete;

  Wake wait();

 private:
  UniqueFd changes_, signals_;
  int output_;
};

}  // namespace mcptrace::app
