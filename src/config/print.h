// A configuration as people may see it: each value, where it comes from, and no secret.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"

namespace mcptrace::config {

struct Shown {
  std::string key;
  std::string value;   // what was written; of an address without what may be secret, of a header's text "…"
  std::string source;  // "default", "file, line 3", "variable MCPTRACE_HOME", "flag"
  std::string note;    // of references: "set", or why they lead nowhere; of others empty
  std::string later;   // the part that it waits for; empty: it has its effect
};

// In the order of the table; of what was said several times, what holds. Elements of lists only where they were said.
std::vector<Shown> show(const Config& config, const Lookup& environment);

// The same of a destination that the environment names.
std::vector<Shown> show_environment_destination(const Destination& destination);

// Keys that were said and have no effect yet, each with the part that it waits for: "sampling (sampling)".
std::vector<std::string> without_effect(const Config& config);

}  // namespace mcptrace::config
