#include <algorithm>
#include <charconv>

#include "app/command_list.h"
#include "app/commands.h"
#include "base/shown.h"
#include "query/text.h"

namespace mcptrace::app {
namespace {

constexpr std::size_t kWidthOfFiles = 100, kLeastWidth = 40, kMostWidth = 1000;

struct Command {
  std::string_view name;
  int (*run)(World& world, std::span<const std::string> arguments);
};
constexpr Command kCommands[] = {
    {"sessions", sessions_command}, {"trace", trace_command},   {"ship", ship_command},
    {"clear", clear_command},       {"config", config_command},
};

std::string usage() {
  std::string text = "usage: mcptrace COMMAND [OPTIONS]\n\n";
  for (const CommandInfo& command : kCommandList) {
    text += "  " + query::pad(command.name, 10) + std::string(command.summary) + "\n";
  }
  return text + "\nmcptrace COMMAND --help tells more.\n";
}

// What the terminal shows is UTF-8 unless the locale says otherwise.
bool is_unicode(const World& world) {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const auto value = world.environment(name);
    if (!value || value->empty()) continue;
    std::string locale = *value;
    std::ranges::transform(locale, locale.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return locale.find("utf-8") != std::string::npos || locale.find("utf8") != std::string::npos;
  }
  return true;
}

std::size_t width_of(const World& world) {
  if (world.terminal_width != 0) return std::clamp(world.terminal_width, kLeastWidth, kMostWidth);
  std::size_t width = 0;
  if (const auto text = world.environment("COLUMNS")) {
    std::from_chars(text->data(), text->data() + text->size(), width);
  }
  return width == 0 ? kWidthOfFiles : std::clamp(width, kLeastWidth, kMostWidth);
}

}  // namespace

int run_backend(World& world) {
  const std::string name = world.arguments.size() > 1 ? world.arguments[1] : "";
  for (const Command& command : kCommands) {
    if (name == command.name) return command.run(world, std::span(world.arguments).subspan(2));
  }
  if (name == "-h" || name == "--help" || name == "help") return print(world, usage());
  if (name.empty()) {
    say(world, "which command? (see mcptrace --help)");
  } else {
    say(world, "unknown command '" + query::cut(query::display(shown(name)), 80) + "' (see mcptrace --help)");
  }
  return kMisused;
}

int fail(World& world, const Error& error) {
  say(world, query::display(error.message));
  return error.code == Errc::kInvalidArgument ? kMisused : kFailed;
}

void say_skips(World& world, const query::Skips& skips) {
  for (const std::string& line : skips.lines()) say(world, line);
}

query::TextOptions text_options(const World& world) {
  query::TextOptions options;
  options.width = width_of(world);
  const auto no_color = world.environment("NO_COLOR");
  const bool dumb = world.environment("TERM") == "dumb";
  options.color = world.stdout_is_terminal && !dumb && (!no_color || no_color->empty());
  options.unicode = is_unicode(world);
  options.now = world.clock.wall();
  options.offset = world.local_offset;
  return options;
}

}  // namespace mcptrace::app
