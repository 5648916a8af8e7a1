// Starts `mcptrace ship` where nobody ships what this process appends. On the observer's thread, and after its end on
// the main one; the traffic never notices.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/world.h"
#include "base/clock.h"
#include "base/detached.h"
#include "base/log.h"

namespace mcptrace::app {

// What `ship` gets of our environment: where things are, the proxies and certificates of this machine, and the
// variables that the configuration takes secrets from. `state` is its MCPTRACE_HOME, however we found it.
// `working_directory`: relative paths in ours are below it, as `ship` is elsewhere.
std::vector<std::string> ship_environment(const std::vector<std::string>& ours, const std::string& state,
                                          const std::vector<std::string>& referenced,
                                          const std::string& working_directory);

// `arguments`: behind `ship`.
DetachedProgram ship_program(const World& world, const std::string& state, const std::vector<std::string>& referenced,
                             const std::vector<std::string>& arguments);

class ShipStarter {
 public:
  // References must outlive this.
  ShipStarter(std::string state, DetachedProgram ship, const Clock& clock, Log& log)
      : state_(std::move(state)), ship_(std::move(ship)), clock_(clock), log_(log) {}

  // Looks, at most every ten seconds, whether there is one, and starts it if there is none. True: it looked.
  bool check();
  // The same at once.
  void start();
  // Times that it could not be.
  [[nodiscard]] std::uint64_t failures() const { return failures_; }

 private:
  std::string state_;
  DetachedProgram ship_;
  const Clock& clock_;
  Log& log_;
  std::optional<Nanos> next_;  // boot
  std::uint64_t failures_ = 0;
};

}  // namespace mcptrace::app
