// What wakes `ship`: writes to the spool, somebody who asks it to hurry, a destination that was left, signals. One
// descriptor to wait on, beside its connections. One thread.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/fd.h"

namespace mcptrace::app {

class ShipWatch {
 public:
  // Takes SIGINT, SIGTERM and SIGHUP over until it is destroyed. Where inotify cannot be had time alone wakes.
  explicit ShipWatch(std::string state);
  ~ShipWatch();
  ShipWatch(const ShipWatch&) = delete;
  ShipWatch& operator=(const ShipWatch&) = delete;

  [[nodiscard]] int fd() const { return all_.get(); }
  struct Seen {
    bool changed = false;  // something in one of the directories
    bool end = false;      // SIGINT, SIGTERM
    bool reload = false;   // SIGHUP
  };
  // What came since it was asked last.
  Seen take();

 private:
  void look();

  std::string state_;
  UniqueFd all_, changes_, signals_;
};

}  // namespace mcptrace::app
