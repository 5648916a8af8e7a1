#include "app/run_options.h"

#include <algorithm>

#include "app/command_line.h"
#include "app/otel_environment.h"

namespace mcptrace::app {
namespace {

Error bad(std::string message) { return {Errc::kInvalidArgument, std::move(message)}; }

Error no_dashes() { return bad("the server's command comes after '--': mcptrace run -- CMD ARGS…"); }

Result<trace::Naming> parse_naming(std::string_view text) {
  if (text == "both") return trace::Naming::kBoth;
  if (text == "guide") return trace::Naming::kGuide;
  if (text == "semconv") return trace::Naming::kSemconv;
  return std::unexpected(bad("--naming wants guide, semconv or both, got '" + std::string(text) + "'"));
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

void read_environment(const World& world, Log& log, RunOptions& options) {
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
  if (!options.service_name_fixed) {
    if (const auto name = world.environment("OTEL_SERVICE_NAME"); name && !name->empty()) {
      options.service_name = *name;
      options.service_name_fixed = true;
    } else if (named != options.resource_attributes.end()) {
      options.service_name = named->second;
      options.service_name_fixed = true;
    }
  }
  std::erase_if(options.resource_attributes, [](const auto& attribute) {
    return attribute.first == "service.name" || attribute.first == "service.instance.id";
  });
  if (const auto parent = world.environment("TRACEPARENT")) options.environment = trace::parse_traceparent(*parent);
  if (const auto state = world.environment("TRACESTATE");
      options.environment && state && trace::is_valid_tracestate(*state)) {
    options.environment_state = *state;
  }
}

}  // namespace

const char kRunHelp[] =
    "Usage: mcptrace run [options] -- CMD ARGS…\n"
    "\n"
    "Runs an MCP server over stdio, passes every byte between it and its client, and traces the session.\n"
    "\n"
    "Options:\n"
    "  --name NAME        the service's name in traces (default: what the server calls itself)\n"
    "  --no-inject        do not put trace context into requests; nothing is ever held back or changed\n"
    "  --naming SET       names of spans and attributes: guide, semconv or both (default: both)\n"
    "  -h, --help         this text\n"
    "\n"
    "Environment: MCPTRACE_HOME, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, TRACEPARENT, TRACESTATE;\n"
    "MCPTRACE_DISABLED=1 or OTEL_SDK_DISABLED=true only passes bytes on.\n"
    "\n"
    "Examples:\n"
    "  mcptrace run -- npx -y @modelcontextprotocol/server-everything stdio\n"
    "  mcptrace run --name files -- node server.js /data\n"
    "\n"
    "In an MCP client's configuration, put mcptrace in front of the command:\n"
    "  { \"mcpServers\": { \"files\": { \"command\": \"mcptrace\", \"args\": [\"run\", \"--\", \"node\", "
    "\"server.js\"] } } }\n";

Result<ParsedRun> parse_run(const World& world, std::span<const std::string> args, Log& log) {
  ParsedRun parsed;
  RunOptions& options = parsed.options;
  const auto separator = std::ranges::find(args, "--");
  bool no_inject = false;
  std::string naming = "both", stray;
  CommandLine line("run");
  line.value("--name", options.service_name);
  line.flag("--no-inject", no_inject);
  line.value("--naming", naming);
  line.positional("CMD", stray);
  if (!args.empty() && !args.front().starts_with("-")) return std::unexpected(no_dashes());
  MCPTRACE_TRY_VOID(line.parse(args.first(static_cast<std::size_t>(separator - args.begin()))));
  parsed.help = line.help_wanted();
  if (parsed.help) return parsed;
  if (!stray.empty()) return std::unexpected(no_dashes());
  options.inject = !no_inject;
  options.service_name_fixed = !options.service_name.empty();
  MCPTRACE_TRY(options.naming, parse_naming(naming));
  if (separator != args.end()) options.command.assign(separator + 1, args.end());
  if (options.command.empty()) {
    return std::unexpected(bad("run wants a server to run: mcptrace run -- CMD ARGS… (see mcptrace run --help)"));
  }
  read_environment(world, log, options);
  if (options.service_name.empty()) options.service_name = base_name(options.command.front());
  return parsed;
}

}  // namespace mcptrace::app
