#include <ranges>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/installation.h"
#include "base/text.h"
#include "query/export.h"
#include "query/sessions_text.h"

namespace mcptrace::app {
namespace {

constexpr std::string_view kHelp = R"(usage: mcptrace sessions [OPTIONS]

Lists the sessions that were traced on this machine, newest activity first. Sessions of one agent (a client process and its servers) stand
together, bracketed at the left.

options:
  --limit N        at most N sessions (default 20)
  --since AGE      with a sign of life in the last AGE: 30s, 5m, 2h, 7d, 2w
  --errors         only sessions that failed, or with errors
  --server NAME    only sessions of that server
  --all            probes too: sessions that held nothing but an answered server/discover
  --format FORMAT  text (default) or json
  --home DIR       where the state lies
  --config FILE    the configuration file
  -h, --help       this text

columns:
  CALLS    tool calls; "12+": at least 12, not every file was looked at
  ERRORS   requests of any kind that failed
  DROPS    messages that passed untraced
  STATE    failed  it could not be used: mcptrace trace says why
           killed  its wrapper died before it could say that it was over
           closed  its end was seen
           open    a request is open, or a message came within a minute
           idle    none of these
           probe   a client's question which era the server is of
  ID       what mcptrace trace takes

examples:
  mcptrace sessions
  mcptrace sessions --since 1h --errors
  mcptrace sessions --server everything --limit 100
  mcptrace sessions --format json | jq '.sessions[].counts.calls'
)";

struct Options {
  query::SessionQuery query;
  bool json = false;
  bool help = false;
};

Result<Options> parse(World& world, std::span<const std::string> arguments) {
  Options options;
  std::string limit, since, format = "text";
  CommandLine line("sessions");
  const InstallationOptions installation(line);
  line.value("--limit", limit);
  line.value("--since", since);
  line.flag("--errors", options.query.errors);
  line.value("--server", options.query.server);
  line.flag("--all", options.query.all);
  line.value("--format", format);
  MCPTRACE_TRY_VOID(line.parse(arguments));
  options.help = line.help_wanted();
  if (options.help) return options;
  enter_installation(world, installation);
  options.query.now = world.clock.wall();
  if (!since.empty()) {
    MCPTRACE_TRY(const std::chrono::seconds age, parse_age("--since", since));
    options.query.since = options.query.now - age;
  }
  if (!limit.empty()) {
    options.query.limit = parse_number<std::size_t>(limit).value_or(0);
    if (options.query.limit < 1 || options.query.limit > 1'000'000) {
      return std::unexpected(
          Error{Errc::kInvalidArgument, "--limit wants a number from 1 to 1000000, got '" + limit + "'"});
    }
  }
  if (format != "text" && format != "json") {
    return std::unexpected(Error{Errc::kInvalidArgument, "--format of sessions is text or json, not '" + format + "'"});
  }
  options.json = format == "json";
  return options;
}

// Another directory of this user that has some: the agent's client did not know what this shell knows, or the other way
// round.
std::string elsewhere_text(const World& world, const query::SessionQuery& wanted) {
  std::string text;
  for (const std::string& state : state_directories(world) | std::views::drop(1)) {
    query::SessionQuery any;
    any.now = wanted.now;
    any.limit = 1;
    const auto list = query::load_sessions(state + "/spool", any);
    if (!list || list->empty_spool) continue;
    text += "There are sessions in " + query::display(state) + ":\n\n  mcptrace sessions --home " +
            query::display(state) + "\n\n";
  }
  return text;
}

std::string nothing_text(const World& world, const query::SessionList& list, const query::SessionQuery& wanted) {
  const std::string where = query::display(state_directory(world).value_or(""));
  if (!list.empty_spool) {
    std::string text = "No session in " + where + " fits.\n";
    if (list.hidden_probes != 0)
      text += "(" + query::format_count(list.hidden_probes, "probe") + " hidden: --all shows them)\n";
    return text;
  }
  return "No session was traced yet in " + where + ".\n\n" + elsewhere_text(world, wanted) +
         "Put mcptrace in front of an MCP server:\n\n  mcptrace run CMD ARGS…\n\n"
         "MCP clients start servers with HOME, PATH and little else: what this shell exports does not reach them. Say "
         "where\nthe state lies with run --home DIR, or with a line \"home: DIR\" in "
         "~/.config/mcptrace/mcptrace.yaml.\n";
}

}  // namespace

int sessions_command(World& world, std::span<const std::string> arguments) {
  const auto options = parse(world, arguments);
  if (!options) return fail(world, options.error());
  if (options->help) return print(world, kHelp);
  const auto directory = spool_directory(world);
  if (!directory) return fail(world, directory.error());
  auto list = query::load_sessions(*directory, options->query);
  if (!list) return fail(world, list.error());
  say_skips(world, list->skips);
  const std::vector<query::Session> sessions = query::grouped_by_agent(std::move(list->sessions));
  if (options->json) return print(world, query::sessions_json(sessions, list->more, list->skips.numbers()));
  if (sessions.empty()) return print(world, nothing_text(world, *list, options->query));
  std::string text = query::sessions_table(sessions, text_options(world));
  if (list->more) text += "(there are more: --limit N)\n";
  return print(world, text);
}

}  // namespace mcptrace::app
