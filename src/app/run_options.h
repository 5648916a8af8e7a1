// What `mcptrace run` was asked to do: the command line and the environment, parsed into values that need no further
// check.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "app/trace_options.h"
#include "app/world.h"
#include "base/log.h"
#include "base/result.h"

namespace mcptrace::app {

struct RunOptions : TraceOptions {
  std::vector<std::string> command;
};

std::string run_help();

// Error: kInvalidArgument, for the user. Variables that cannot be used are said in the log and ignored.
struct ParsedRun {
  bool help = false;
  RunOptions options;
};
Result<ParsedRun> parse_run(const World& world, std::span<const std::string> args, Log& log);

}  // namespace mcptrace::app
