// `mcptrace proxy`: a reverse proxy in front of MCP servers over HTTP, traced.
#pragma once

#include <span>
#include <string>

#include "app/world.h"

namespace mcptrace::app {

// Runs until it is told to end. Exit status: 0, 1 = it could not start, 2 = called wrongly.
int proxy_command(World& world, std::span<const std::string> args);

}  // namespace mcptrace::app
