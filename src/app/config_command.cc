#include <unistd.h>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/installation.h"
#include "config/config.h"
#include "config/flatten.h"
#include "config/otel.h"
#include "config/print.h"
#include "json/object.h"
#include "json/text.h"

namespace mcptrace::app {
namespace {

constexpr std::string_view kHelp = R"(usage: mcptrace config print [OPTIONS]
       mcptrace config check [FILE] [OPTIONS]

print shows every value that holds here, and where it comes from: flags of a command win over the environment, that over the configuration
file, that over defaults. Secrets are not shown; of a reference (env:NAME, file:PATH) it says whether it leads anywhere.
check reads the configuration file, FILE or the one that print names, and says all that is wrong with it (exit status 1), and which of its
keys have no effect yet.

options:
  --json           (print) as one JSON object
  --config FILE    the configuration file
  --home DIR       where the state lies
  -h, --help       this text

docs/configuration.md lists all keys.
)";

// One that takes too long is of no use to anybody.
constexpr unsigned kMostSeconds = 10;

struct Options {
  InstallationOptions installation;
  std::string file;
  bool json = false;
};

std::string json_of(const config::Shown& shown) {
  std::string text;
  json::Object object(text);
  const auto add = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) json::append_quoted(object.key(name), value);
  };
  add("key", shown.key);
  json::append_quoted(object.key("value"), shown.value);
  add("source", shown.source);
  add("note", shown.note);
  add("waits_for", shown.later);
  object.end();
  return text;
}

std::string lines_of(const std::vector<config::Shown>& list) {
  std::size_t keys = 0, values = 0;
  for (const config::Shown& shown : list) {
    keys = std::max(keys, query::columns(query::display(shown.key)));
    if (shown.value.size() < 60) values = std::max(values, query::columns(query::display(shown.value)));
  }
  std::string text;
  for (const config::Shown& shown : list) {
    text += query::pad(query::display(shown.key), keys) + "  ";
    const std::string value = query::display(shown.value);
    text += value + std::string(values - std::min(values, query::columns(value)), ' ') + "  " + shown.source;
    if (!shown.note.empty()) text += "; " + query::display(shown.note);
    if (!shown.later.empty() && shown.source != "default") text += "; no effect yet: waits for " + shown.later;
    text += "\n";
  }
  return text;
}

int print_config(World& world, const Options& options) {
  const Installation installation = enter_installation(world, options.installation);
  std::vector<config::Given> flags;
  if (!installation.home.empty()) flags.emplace_back("home", installation.home);
  const std::string& file = installation.file.path;
  const config::Checked checked = config::check(world.environment, file, flags);
  for (const std::string& problem : checked.problems) say(world, query::display(problem));
  const auto destination = config::destination_from_environment(world.environment);
  for (const std::string& warning : checked.config.warnings) say(world, query::display(warning));
  for (const std::string& warning : destination.warnings) say(world, query::display(warning));
  std::vector<config::Shown> list = config::show(checked.config, world.environment);
  if (destination.destination)
    std::ranges::move(config::show_environment_destination(*destination.destination), std::back_inserter(list));
  const std::string state = state_directory(world).value_or("");
  if (options.json) {
    std::string text;
    json::Object object(text);
    json::append_quoted(object.key("file"), file);
    json::append_quoted(object.key("state_directory"), state);
    json::append_list(object.key("settings"), list,
                      [](std::string& out, const config::Shown& shown) { out += json_of(shown); });
    object.end();
    return print(world, text + "\n");
  }
  return print(world, "configuration file: " + (file.empty() ? "none" : query::display(file)) +
                          "\nstate directory: " + query::display(state) + "\n\n" + lines_of(list));
}

int check_config(World& world, const Options& options) {
  const Installation installation = options.installation.find(world);
  const std::string& file = options.file.empty() ? installation.file.path : options.file;
  if (file.empty()) return print(world, "There is no configuration file; defaults hold.\n");
  const config::Checked checked = config::check(world.environment, file);
  for (const std::string& problem : checked.problems) say(world, query::display(problem));
  for (const std::string& warning : checked.config.warnings) say(world, query::display(warning));
  for (const config::Shown& shown : config::show(checked.config, world.environment)) {
    if (!shown.note.empty() && shown.note != "set") say(world, query::display(shown.key + ": " + shown.note));
  }
  if (!checked.problems.empty()) return kFailed;
  std::string text = query::display(file) + " is good.\n";
  const std::vector<std::string> idle = config::without_effect(checked.config);
  for (const std::string& key : idle)
    text += (&key == idle.data() ? "Without effect yet (what they wait for): " : ", ") + query::display(key);
  return print(world, text + (idle.empty() ? "" : "\n"));
}

// For `run` and `proxy`, which read no YAML: FILE STATE-DIRECTORY (config/flat.h).
int flatten_config(World& world, std::span<const std::string> arguments) {
  if (arguments.size() != 2) return kMisused;
  ::alarm(kMostSeconds);
  return print(world, config::flatten_into(arguments[0], arguments[1]));
}

}  // namespace

int config_command(World& world, std::span<const std::string> arguments) {
  const std::string what = arguments.empty() ? "--help" : arguments[0];
  if (what == "flatten") return flatten_config(world, arguments.subspan(1));
  if (what == "--help" || what == "-h") return print(world, kHelp);
  if (what != "print" && what != "check") {
    return fail(world, {Errc::kInvalidArgument, "config takes print or check (see mcptrace config --help)"});
  }
  CommandLine line("config");
  Options options{.installation = InstallationOptions(line), .file = {}, .json = false};
  if (what == "print") line.flag("--json", options.json);
  if (what == "check") line.positional("FILE", options.file);
  if (const auto parsed = line.parse(arguments.subspan(1)); !parsed) return fail(world, parsed.error());
  if (line.help_wanted()) return print(world, kHelp);
  return what == "print" ? print_config(world, options) : check_config(world, options);
}

}  // namespace mcptrace::app
