#include "app/trace_options.h"

#include <algorithm>

#include "base/shown.h"
#include "config/otel.h"

namespace mcptrace::app {
namespace {

Result<trace::Naming> parse_naming(std::string_view text) {
  if (text.empty() || text == "both") return trace::Naming::kBoth;
  if (text == "guide") return trace::Naming::kGuide;
  if (text == "semconv") return trace::Naming::kSemconv;
  return std::unexpected(
      Error{Errc::kInvalidArgument, "--naming wants guide, semconv or both, got '" + shown(text) + "'"});
}

Result<observe::InjectMode> parse_inject(std::string_view text, bool no_inject) {
  using enum observe::InjectMode;
  if (no_inject && (text.empty() || text == "never")) return kNever;
  if (no_inject) {
    return std::unexpected(
        Error{Errc::kInvalidArgument, "--no-inject says never, --inject says " + shown(text) + ": give one of them"});
  }
  if (text.empty() || text == "auto") return kAuto;
  if (text == "always") return kAlways;
  if (text == "never") return kNever;
  return std::unexpected(
      Error{Errc::kInvalidArgument, "--inject wants auto, always or never, got '" + shown(text) + "'"});
}

bool is_disabled(const World& world) {
  const auto ours = world.environment("MCPTRACE_DISABLED");
  return config::is_true(world.environment("OTEL_SDK_DISABLED")) || config::is_true(ours) || ours == "1";
}

// What the environment says of the keys that concern a producer; empty: nothing.
struct EnvironmentValues {
  std::string name, inject, naming;
  std::string destination;  // TraceOptions::destination
};

// As the process that ships reads them again.
std::string destination_lines(const World& world, std::vector<std::string>& warnings) {
  std::string lines;
  for (const std::string_view name : config::destination_variables()) {
    const auto value = world.environment(name);
    if (!value || value->empty()) continue;
    if (value->find_first_of(std::string_view("\n\r\0", 3)) != std::string::npos) {
      warnings.push_back(std::string(name) + " is of more than one line: no destination is made of the environment");
      return {};
    }
    lines.append(name).append("=").append(*value).append("\n");
  }
  return lines;
}

EnvironmentValues read_values(const World& world, Log& log) {
  config::EnvironmentDestination destination = config::destination_from_environment(world.environment);
  std::vector<std::string>& warnings = destination.warnings;
  EnvironmentValues values;
  if (destination.destination) values.destination = destination_lines(world, warnings);
  for (const config::EnvironmentValue& value : config::values_from_environment(world.environment, warnings)) {
    if (value.key == "name") values.name = value.text;
    if (value.key == "inject") values.inject = value.text;
    if (value.key == "naming") values.naming = value.text;
  }
  std::string said;
  for (const std::string& warning : warnings) said += (said.empty() ? "" : "; ") + warning;
  if (!said.empty()) log.once(LogReason::kConfiguration, said);
  return values;
}

void read_resource(const World& world, Log& log, TraceOptions& options) {
  if (const auto value = world.environment("OTEL_RESOURCE_ATTRIBUTES"); value && !value->empty()) {
    if (auto attributes = config::parse_resource_attributes(*value)) {
      options.resource_attributes = *std::move(attributes);
    } else {
      log.once(LogReason::kResource, "OTEL_RESOURCE_ATTRIBUTES is ignored: " + attributes.error().message);
    }
  }
  std::erase_if(options.resource_attributes, [](const auto& attribute) {
    return attribute.first == "service.name" || attribute.first == "service.instance.id";
  });
}

void read_parent(const World& world, TraceOptions& options) {
  if (const auto parent = world.environment("TRACEPARENT")) options.environment = trace::parse_traceparent(*parent);
  if (const auto state = world.environment("TRACESTATE");
      options.environment && state && trace::is_valid_tracestate(*state)) {
    options.environment_state = *state;
  }
}

// The first that says something.
std::string first_of(const std::string& flag, const std::string& variable, const std::optional<std::string>& file) {
  if (!flag.empty()) return flag;
  return variable.empty() ? file.value_or(std::string()) : variable;
}

}  // namespace

TraceOptionsReader::TraceOptionsReader(CommandLine& line) : installation_(line) {
  line.value("--name", name_);
  line.value("--inject", inject_);
  line.flag("--no-inject", no_inject_);
  line.value("--naming", naming_);
  line.value("--flush", flush_);
}

Result<TraceOptions> TraceOptionsReader::read(const World& world, Log& log) const {
  TraceOptions options;
  MCPTRACE_TRY(const observe::InjectMode wanted, parse_inject(inject_, no_inject_));
  MCPTRACE_TRY_VOID(parse_naming(naming_));
  options.disabled = is_disabled(world);
  if (!options.disabled) options.installation = installation_.find(world);
  if (const std::string& warning = options.installation.warning; !warning.empty()) {
    log.once(LogReason::kConfigurationFile, warning);
  }
  const config::Flat& file = options.installation.flat;
  const EnvironmentValues values = read_values(world, log);
  options.service_name = first_of(name_, values.name, file.name);
  const bool said = no_inject_ || !inject_.empty();
  // What is no flag was checked where it was read.
  options.inject = said ? wanted : parse_inject(first_of({}, values.inject, file.inject), false).value_or(wanted);
  options.naming = parse_naming(first_of(naming_, values.naming, file.naming)).value_or(trace::Naming::kBoth);
  read_resource(world, log, options);
  read_parent(world, options);
  options.destination = values.destination;
  options.ships = file.destinations != 0 || file.metrics_listen;
  options.ship_variables = file.variables;
  if (std::string given = config::given_for(options.installation.file); !given.empty()) {
    options.ship_arguments = {"--config", std::move(given)};
  }
  if (!flush_.empty()) {
    MCPTRACE_TRY(options.flush, parse_age("--flush", flush_));
  }
  return options;
}

}  // namespace mcptrace::app
