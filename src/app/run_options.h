// What `mcptrace run` was asked to do: the command line and the environment, parsed into values that need no further
// check.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "app/world.h"
#include "base/log.h"
#include "base/result.h"
#include "trace/conventions.h"
#include "trace/w3c.h"

namespace mcptrace::app {

struct RunOptions {
  std::vector<std::string> command;
  std::string service_name;
  bool service_name_fixed = false;
  bool inject = true;
  bool disabled = false;
  trace::Naming naming = trace::Naming::kBoth;
  std::vector<std::pair<std::string, std::string>> resource_attributes;
  std::optional<trace::TraceContext> environment;
  std::string environment_state;
};

extern const char kRunHelp[];

// Error: kInvalidArgument, for the user. Variables that cannot be used are said in the log and ignored.
struct ParsedRun {
  bool help = false;
  RunOptions options;
};
Result<ParsedRun> parse_run(const World& world, std::span<const std::string> args, Log& log);

}  // namespace mcptrace::app
