#include "app/command_line.h"
#include "app/commands.h"
#include "app/installation.h"
#include "app/ship_loop.h"
#include "app/ship_report.h"

namespace mcptrace::app {
namespace {

constexpr std::string_view kHelp = R"(usage: mcptrace ship [--once|--stay] [OPTIONS]
       mcptrace ship status [--json] [OPTIONS]
       mcptrace ship check [NAME] [OPTIONS]

Sends what was traced to the destinations of the configuration file, and what a process traced whose environment names one
(OTEL_EXPORTER_OTLP_ENDPOINT) to that. run and proxy start it by themselves and never wait for it; it ends when nobody traces and all is
delivered. What cannot be delivered stays in the spool, within its bounds.

status tells for each destination what it took, what waits, and what went wrong last. check sends one span to NAME, or to all, and says what
came back and what to do.

options:
  --once           deliver what is there now, and end: for cron and CI (exit status 1: some of it was not taken)
  --stay           until SIGTERM: for a unit
  --json           (status) one JSON object a line
  --home DIR       where the state lies
  --config FILE    the configuration file
  -h, --help       this text

examples:
  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 mcptrace run -- node server.js
  mcptrace ship check honeycomb
  mcptrace ship status
)";

int ship(World& world, std::span<const std::string> arguments) {
  CommandLine line("ship");
  const InstallationOptions options(line);
  bool once = false, stay = false;
  line.flag("--once", once);
  line.flag("--stay", stay);
  if (const auto parsed = line.parse(arguments); !parsed) return fail(world, parsed.error());
  if (line.help_wanted()) return print(world, kHelp);
  if (once && stay) return fail(world, {Errc::kInvalidArgument, "--once and --stay exclude each other"});
  const Installation installation = enter_installation(world, options);
  const auto state = state_directory(world);
  if (!state) return fail(world, state.error());
  const ShipUntil until = once ? ShipUntil::kDelivered : stay ? ShipUntil::kToldSo : ShipUntil::kQuiet;
  return ship_until(until, world, installation.file, *state);
}

int report(World& world, std::span<const std::string> arguments, bool check) {
  CommandLine line(check ? "ship check" : "ship status");
  const InstallationOptions options(line);
  bool json = false;
  std::string name;
  if (check) {
    line.positional("NAME", name);
  } else {
    line.flag("--json", json);
  }
  if (const auto parsed = line.parse(arguments); !parsed) return fail(world, parsed.error());
  if (line.help_wanted()) return print(world, kHelp);
  const Installation installation = enter_installation(world, options);
  const auto state = state_directory(world);
  if (!state) return fail(world, state.error());
  return check ? ship_check(world, installation.file.path, *state, name)
               : ship_status(world, installation.file.path, *state, json);
}

}  // namespace

int ship_command(World& world, std::span<const std::string> arguments) {
  const std::string what = arguments.empty() ? "" : arguments[0];
  if (what == "status" || what == "check") return report(world, arguments.subspan(1), what == "check");
  return ship(world, arguments);
}

}  // namespace mcptrace::app
