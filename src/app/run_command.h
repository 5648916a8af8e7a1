// mcptrace run [--name NAME] [--no-inject] [--naming guide|semconv|both] [--] CMD ARGS…
#pragma once

#include <span>
#include <string>

#include "app/world.h"

namespace mcptrace::app {

// `args`: what follows "run". Returns an exit status only where it was called wrongly or explains itself; else the
// process ends as the server did.
int run_command(World& world, std::span<const std::string> args);

}  // namespace mcptrace::app
