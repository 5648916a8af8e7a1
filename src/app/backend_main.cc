// mcptrace-backend: every subcommand that is not in the data path. mcptrace starts it with its own arguments.
#include <csignal>

#include "app/commands.h"

int main(int argc, char** argv) {
  // As with other filters: when `head` has seen enough, we are ended by the signal, without a word.
  std::signal(SIGPIPE, SIG_DFL);
  const mcptrace::SystemClock clock;
  mcptrace::SystemRandom random;
  mcptrace::app::World world = mcptrace::app::system_world(argc, argv, clock, random);
  return mcptrace::app::run_backend(world);
}
