// The process that ships: one for an installation, as long as anybody appends or anything is to be delivered.
#pragma once

#include <string>

#include "app/installation.h"
#include "app/world.h"

namespace mcptrace::app {

enum class ShipUntil : std::uint8_t {
  kQuiet,      // nobody holds a spool file, and all is delivered
  kDelivered,  // all that is there now is delivered, or a destination has failed for half a minute: --once
  kToldSo,     // SIGTERM: --stay
};

// The exit status. `file`: the configuration's; empty: none.
int ship_until(ShipUntil until, World& world, const config::FoundFile& file, const std::string& state);

}  // namespace mcptrace::app
