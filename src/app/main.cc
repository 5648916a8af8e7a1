// mcptrace: `run`, and the way to every other command, each in a program of its own that this one becomes.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "app/command_list.h"
#include "app/programs.h"
#include "app/run_command.h"
#include "base/shown.h"

namespace mcptrace::app {
namespace {

constexpr std::string_view kIntroduction =
    "mcptrace shows what an agent and its MCP servers do: every session as one trace, on this machine.\n"
    "\n"
    "  mcptrace run CMD ARGS…      put this in front of a server's command; the server and its client notice nothing\n"
    "                              (in front of one over HTTP: mcptrace proxy --upstream URL)\n"
    "  mcptrace sessions           what was traced\n"
    "  mcptrace trace              the newest session, call by call\n"
    "\n"
    "mcptrace --help lists all commands.\n";

std::string help() {
  std::string text = "Usage: mcptrace COMMAND [options]\n\nCommands:\n";
  for (const CommandInfo& command : kCommandList) {
    text.append("  ").append(command.name).append(12 - command.name.size(), ' ').append(command.summary).append("\n");
  }
  return text +
         "\nmcptrace COMMAND --help tells more, with examples. mcptrace --version prints the version.\n"
         "\nExamples:\n"
         "  mcptrace run npx -y @modelcontextprotocol/server-everything stdio\n"
         "  mcptrace proxy --upstream http://127.0.0.1:3001 --listen 127.0.0.1:8080\n"
         "  mcptrace sessions --since 1h --errors\n"
         "  mcptrace trace --follow\n";
}

int misused(const World& world, const std::string& text) {
  say(world, text);
  return 2;
}

int become(const World& world, std::string_view program) {
  std::vector<char*> argv;
  for (const std::string& argument : world.arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  for (const std::string& path : program_paths(program)) {
    execv(path.c_str(), argv.data());
    if (errno != ENOENT) break;
  }
  const int why = errno;
  misused(world, errno_error("cannot run " + std::string(program) + " (looked in libexec/mcptrace/ beside " +
                                 own_directory() + ")",
                             why)
                     .message);
  return 1;
}

int run_main(World& world) {
  const std::string name = world.arguments.size() > 1 ? world.arguments[1] : "";
  if (name.empty()) return print(world, kIntroduction);
  if (name == "--version" || name == "-V") return print(world, "mcptrace " MCPTRACE_VERSION "\n");
  if (name == "--help" || name == "-h" || name == "help") return print(world, help());
  if (name == "run") return run_command(world, std::span(world.arguments).subspan(2));
  for (const CommandInfo& command : kCommandList) {
    if (command.name != name) continue;
    return become(world, command.program == Program::kProxy ? "mcptrace-proxy" : "mcptrace-backend");
  }
  const bool printable = std::ranges::all_of(name, [](char c) { return c > 0x20 && c < 0x7f; }) && name.size() <= 64;
  return misused(world, (name.starts_with("-") ? "unknown option" : "unknown command") +
                            (printable ? " '" + shown(name) + "'" : std::string()) + " (see mcptrace --help)");
}

}  // namespace
}  // namespace mcptrace::app

int main(int argc, char** argv) {
  const mcptrace::SystemClock clock;
  mcptrace::SystemRandom random;
  mcptrace::app::World world = mcptrace::app::system_world(argc, argv, clock, random);
  return mcptrace::app::run_main(world);
}
