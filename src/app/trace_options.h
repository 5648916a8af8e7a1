// What `run` and `proxy` have in common: how spans are named, what the environment says, and whether anything is
// traced.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/command_line.h"
#include "app/world.h"
#include "base/log.h"
#include "base/result.h"
#include "trace/conventions.h"
#include "trace/w3c.h"

namespace mcptrace::app {

struct TraceOptions {
  std::string service_name;         // --name, OTEL_SERVICE_NAME, or what the command puts here itself
  bool service_name_fixed = false;  // one of the first two was given
  bool inject = true;
  bool disabled = false;
  trace::Naming naming = trace::Naming::kBoth;
  std::vector<std::pair<std::string, std::string>> resource_attributes;
  std::optional<trace::TraceContext> environment;
  std::string environment_state;
};

// The options on a command line; read into TraceOptions after it is parsed. Variables that cannot be used are said in
// the log and ignored.
class TraceOptionsReader {
 public:
  explicit TraceOptionsReader(CommandLine& line);
  Result<TraceOptions> read(const World& world, Log& log) const;

 private:
  std::string name_, naming_ = "both";
  bool no_inject_ = false;
};

inline constexpr char kTraceOptionsHelp[] =
    "  --no-inject        do not put trace context into requests; nothing is ever held back or changed\n"
    "  --naming SET       names of spans and attributes: guide, semconv or both (default: both)\n";

}  // namespace mcptrace::app
