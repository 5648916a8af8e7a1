// mcptrace ship status and ship check: what is known of each destination, and what it says to one span.
#pragma once

#include <string>

#include "app/world.h"

namespace mcptrace::app {

// The exit status. `file`: the configuration's; empty: none.
int ship_status(World& world, const std::string& file, const std::string& state, bool json);
// `name`: of a destination; empty: all.
int ship_check(World& world, const std::string& file, const std::string& state, const std::string& name);

}  // namespace mcptrace::app
