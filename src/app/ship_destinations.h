// The destinations of an installation: those of its configuration file, and those that processes left which their
// environment named.
#pragma once

#include <string>
#include <vector>

#include "app/world.h"
#include "config/config.h"
#include "ship/ship.h"

namespace mcptrace::app {

struct Destinations {
  std::vector<ship::Wanted> wanted;
  std::vector<std::string> errors;  // of those that cannot be used, a sentence each
};

// `config`: null, where it could not be read.
Destinations find_destinations(const config::Config* config, const std::string& state);

}  // namespace mcptrace::app
