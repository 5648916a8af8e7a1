// Checked texts into the typed configuration. Pure.
#pragma once

#include <span>
#include <vector>

#include "config/config.h"
#include "config/reader.h"

namespace mcptrace::config {

// What `settings` say, in their order, later ones winning. Problems: what only shows of several together (two
// destinations of one name, one that leads nowhere).
void fill(Config& config, std::span<const Setting> settings, std::vector<Problem>& problems);

}  // namespace mcptrace::config
