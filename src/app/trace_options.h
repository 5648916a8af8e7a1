// What `run` and `proxy` have in common: how spans are named, what the environment says, and whether anything is
// traced.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/command_line.h"
#include "app/installation.h"
#include "app/world.h"
#include "base/log.h"
#include "base/result.h"
#include "observe/acceptance.h"
#include "trace/conventions.h"
#include "trace/w3c.h"

namespace mcptrace::app {

struct TraceOptions {
  Installation installation;
  // --name, else OTEL_SERVICE_NAME, else service.name of OTEL_RESOURCE_ATTRIBUTES, else the file's `name`; of `run`
  // else the launch name; of `proxy` else empty: each route has its own.
  std::string service_name;
  observe::InjectMode inject = observe::InjectMode::kAuto;
  bool disabled = false;
  trace::Naming naming = trace::Naming::kBoth;
  std::vector<std::pair<std::string, std::string>> resource_attributes;
  std::optional<trace::TraceContext> environment;
  std::string environment_state;

  // The variables by which the environment names a destination, "NAME=value" lines; empty: it names none.
  std::string destination;
  // The configuration has destinations, or somewhere to show metrics: `ship` is to run.
  bool ships = false;
  std::vector<std::string> ship_variables;  // that the configuration takes secrets from
  std::vector<std::string> ship_arguments;
  std::optional<std::chrono::seconds> flush;
  bool lives_long = false;  // the configuration file may change meanwhile
};

// The options on a command line; read into TraceOptions after it is parsed: they win over the environment, that over
// the configuration file. Variables that cannot be used, and a file, are said in the log and ignored.
class TraceOptionsReader {
 public:
  explicit TraceOptionsReader(CommandLine& line);
  Result<TraceOptions> read(const World& world, Log& log) const;

 private:
  InstallationOptions installation_;
  std::string name_, naming_, inject_, flush_;
  bool no_inject_ = false;
};

}  // namespace mcptrace::app
