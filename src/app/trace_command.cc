#include "app/command_line.h"
#include "app/commands.h"
#include "app/follow_session.h"
#include "app/installation.h"
#include "query/export.h"

namespace mcptrace::app {
namespace {

constexpr std::string_view kHelp = R"(usage: mcptrace trace [ID] [OPTIONS]

Shows one session: who spoke with whom, and each request with its time and outcome. Without ID: the newest session. ID is a session id
(s-1f2e3d4c5b6a7988), a trace id, or the first digits of either (at least 4).

options:
  -f, --follow     print calls as they end, until the session is over or Ctrl-C
  --full           fold nothing: every span in a row of its own
  --format FORMAT  text (default), json, or otlp (one OTLP/JSON TracesData object a line and trace)
  --home DIR       where the state lies
  --config FILE    the configuration file
  -h, --help       this text

The bars stand on one time axis. Where nothing ran for most of the time, idle gaps are drawn shorter, and a note says so. A session with
more than 200 spans under one parent has runs of good calls folded into one row each; --full shows them. "↗ trace" marks a call that is
part of its caller's own trace.

examples:
  mcptrace trace
  mcptrace trace s-1f2e3d4c --full
  mcptrace trace --follow
  mcptrace trace 4bf92f35 --format otlp > trace.json
)";

struct Options {
  std::string id;
  std::string format = "text";
  bool follow = false, full = false, help = false;
};

Result<Options> parse(World& world, std::span<const std::string> arguments) {
  Options options;
  CommandLine line("trace");
  const InstallationOptions installation(line);
  line.positional("ID", options.id);
  line.flag("-f,--follow", options.follow);
  line.flag("--full", options.full);
  line.value("--format", options.format);
  MCPTRACE_TRY_VOID(line.parse(arguments));
  options.help = line.help_wanted();
  if (options.help) return options;
  enter_installation(world, installation);
  const bool known = options.format == "text" || options.format == "json" || options.format == "otlp";
  if (!known) {
    return std::unexpected(
        Error{Errc::kInvalidArgument, "--format of trace is text, json or otlp, not '" + options.format + "'"});
  }
  if (options.follow && options.format == "otlp") {
    return std::unexpected(Error{Errc::kInvalidArgument, "--follow knows --format text and json only"});
  }
  return options;
}

int show(World& world, const Options& options, const query::TraceView& view) {
  if (options.format == "json") return print(world, query::trace_json(view));
  if (options.format == "otlp") return print(world, query::trace_otlp(view, MCPTRACE_VERSION));
  query::TextOptions text = text_options(world);
  text.full = options.full;
  return print(world, query::waterfall(view, text));
}

}  // namespace

int trace_command(World& world, std::span<const std::string> arguments) {
  const auto options = parse(world, arguments);
  if (!options) return fail(world, options.error());
  if (options->help) return print(world, kHelp);
  const auto directory = spool_directory(world);
  if (!directory) return fail(world, directory.error());
  query::Skips skips;
  const auto found = query::find_session(*directory, options->id, world.clock.wall(), skips);
  if (!found) {
    say_skips(world, skips);
    return fail(world, found.error());
  }
  if (options->id.empty() && found->others != 0) {
    say(world, "the newest session; " + query::format_count(found->others, "other") +
                   (found->others == 1 ? " is" : " are") + " stored (mcptrace sessions)");
  }
  if (options->follow) {
    if (found->session) return follow_session(world, *directory, *found, options->format == "json");
    return fail(world,
                {Errc::kNotFound, "only a session can be followed, and '" + options->id + "' is a caller's trace"});
  }
  const auto view = query::load_spans(*found, world.clock.wall(), skips);
  if (!view) return fail(world, view.error());
  say_skips(world, skips);
  return show(world, *options, *view);
}

}  // namespace mcptrace::app
