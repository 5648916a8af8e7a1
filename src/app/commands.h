// The subcommands of mcptrace-backend: one file each, one row of the table in backend.cc each. A command takes the
// arguments after its name, and gives the exit status: 0, 1 = it could not be done (said on stderr), 2 = it was called
// wrongly.
#pragma once

#include <span>
#include <string>

#include "app/world.h"
#include "query/load.h"
#include "query/waterfall.h"

namespace mcptrace::app {

inline constexpr int kDone = 0, kFailed = 1, kMisused = 2;

int sessions_command(World& world, std::span<const std::string> arguments);
int trace_command(World& world, std::span<const std::string> arguments);
int ship_command(World& world, std::span<const std::string> arguments);
int clear_command(World& world, std::span<const std::string> arguments);
int config_command(World& world, std::span<const std::string> arguments);

// argv -> one of them.
int run_backend(World& world);

// What commands share: "mcptrace: <text>" lines to stderr.
int fail(World& world, const Error& error);
void say_skips(World& world, const query::Skips& skips);
// Width, colour and alphabet of what stdout is.
query::TextOptions text_options(const World& world);

}  // namespace mcptrace::app
