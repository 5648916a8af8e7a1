// mcptrace-backend: every subcommand that is not in the data path. mcptrace starts it with its own arguments.
#include <csignal>

#include "app/commands.h"
#include "config/flatten.h"

int main(int argc, char** argv) {
  // As with other filters: when `head` has seen enough, we are ended by the signal, without a word.
  std::signal(SIGPIPE, SIG_DFL);
  const mcptrace::SystemClock clock;
  mcptrace::SystemRandom random;
  mcptrace::app::World world = mcptrace::app::system_world(argc, argv, clock, random);
  // It reads YAML itself, and leaves no copy: to look changes nothing.
  world.flatten = [](const std::string& file, const std::string&) { return mcptrace::config::flatten(file); };
  return mcptrace::app::run_backend(world);
}
