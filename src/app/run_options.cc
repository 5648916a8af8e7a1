#include "app/run_options.h"

#include "app/command_line.h"
#include "app/launch_name.h"
#include "config/help.h"
#include "config/options.h"

namespace mcptrace::app {
namespace {

Error bad(std::string message) { return {Errc::kInvalidArgument, std::move(message)}; }

}  // namespace

std::string run_help() {
  return "Usage: mcptrace run [options] [--] CMD ARGS…\n"
         "\n"
         "Runs an MCP server over stdio, passes every byte between it and its client, and traces the session.\n"
         "The command begins at the first word that is no option; all that follows it is the command's own.\n"
         "\n" +
         config::options_help(config::kRun) +
         "\n"
         "Environment: MCPTRACE_CONFIG, MCPTRACE_HOME, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES,\n"
         "OTEL_EXPORTER_OTLP_ENDPOINT and its kin, TRACEPARENT, TRACESTATE; MCPTRACE_DISABLED=1 or\n"
         "OTEL_SDK_DISABLED=true only passes bytes on. Most MCP clients start their servers with HOME, PATH and little "
         "else:\n"
         "variables of a shell do not come here. What holds for all sessions goes into "
         "~/.config/mcptrace/mcptrace.yaml\n"
         "(docs/configuration.md), what holds for one server into these options or the client's own \"env\".\n"
         "\n"
         "Examples:\n"
         "  mcptrace run npx -y @modelcontextprotocol/server-everything stdio\n"
         "  mcptrace run --name files node server.js /data\n"
         "\n"
         "In an MCP client's configuration, put mcptrace in front of the command:\n"
         "  { \"mcpServers\": { \"files\": { \"command\": \"mcptrace\", \"args\": [\"run\", \"node\", "
         "\"server.js\"] } } }\n";
}

Result<ParsedRun> parse_run(const World& world, std::span<const std::string> args, Log& log) {
  ParsedRun parsed;
  RunOptions& options = parsed.options;
  CommandLine line("run");
  const TraceOptionsReader trace(line);
  const std::size_t own = line.count_options(args);
  MCPTRACE_TRY_VOID(line.parse(args.first(own)));
  parsed.help = line.help_wanted();
  if (parsed.help) return parsed;
  MCPTRACE_TRY(static_cast<TraceOptions&>(options), trace.read(world, log));
  auto command = args.subspan(own);
  if (!command.empty() && command.front() == "--") command = command.subspan(1);
  if (command.empty() || command.front().empty()) {
    return std::unexpected(
        bad("run wants a server to run: mcptrace run [options] CMD ARGS… (see mcptrace run --help)"));
  }
  options.command.assign(command.begin(), command.end());
  if (options.service_name.empty()) {
    const std::string logname = world.environment("LOGNAME").value_or(""),
                      user = world.environment("USER").value_or("");
    options.service_name = launch_name(options.command, {.home = world.home, .logname = logname, .user = user});
  }
  return parsed;
}

}  // namespace mcptrace::app
