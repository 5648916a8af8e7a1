#include "app/trace_options.h"

#include <algorithm>

#include "app/otel_environment.h"
#include "base/shown.h"

namespace mcptrace::app {
namespace {

Result<trace::Naming> parse_naming(std::string_view text) {
  if (text == "both") return trace::Naming::kBoth;
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

void read_environment(const World& world, Log& log, TraceOptions& options) {
  options.disabled = is_true(world.environment("OTEL_SDK_DISABLED")) ||
                     is_true(world.environment("MCPTRACE_DISABLED")) || world.environment("MCPTRACE_DISABLED") == "1";
  if (const auto value = world.environment("OTEL_RESOURCE_ATTRIBUTES"); value && !value->empty()) {
    if (auto attributes = parse_resource_attributes(*value)) {
      options.resource_attributes = *std::move(attributes);
    } else {
      log.once(LogReason::kConfiguration, "OTEL_RESOURCE_ATTRIBUTES is ignored: " + attributes.error().message);
    }
  }
  const auto named =
      std::ranges::find(options.resource_attributes, "service.name", &std::pair<std::string, std::string>::first);
  if (options.service_name.empty()) options.service_name = world.environment("OTEL_SERVICE_NAME").value_or("");
  if (options.service_name.empty() && named != options.resource_attributes.end()) options.service_name = named->second;
  std::erase_if(options.resource_attributes, [](const auto& attribute) {
    return attribute.first == "service.name" || attribute.first == "service.instance.id";
  });
  if (const auto parent = world.environment("TRACEPARENT")) options.environment = trace::parse_traceparent(*parent);
  if (const auto state = world.environment("TRACESTATE");
      options.environment && state && trace::is_valid_tracestate(*state)) {
    options.environment_state = *state;
  }
  if (auto destination = destination_of(world.environment)) {
    options.destination = *std::move(destination);
  } else {
    log.once(LogReason::kConfiguration, destination.error().message);
  }
}

}  // namespace

TraceOptionsReader::TraceOptionsReader(CommandLine& line) {
  line.value("--name", name_);
  line.value("--inject", inject_);
  line.flag("--no-inject", no_inject_);
  line.value("--naming", naming_);
  line.value("--flush", flush_);
}

Result<TraceOptions> TraceOptionsReader::read(const World& world, Log& log) const {
  TraceOptions options;
  options.service_name = name_;
  MCPTRACE_TRY(options.inject, parse_inject(inject_, no_inject_));
  MCPTRACE_TRY(options.naming, parse_naming(naming_));
  if (!flush_.empty()) {
    MCPTRACE_TRY(options.flush, parse_age("--flush", flush_));
  }
  read_environment(world, log, options);
  return options;
}

}  // namespace mcptrace::app
