// mcptrace-proxy: `mcptrace proxy`, a program of its own because of what it links (docs/adr/008).
#include <span>

#include "app/proxy_command.h"
#include "base/fd.h"

int main(int argc, char** argv) {
  const mcptrace::SystemClock clock;
  mcptrace::SystemRandom random;
  mcptrace::app::World world = mcptrace::app::system_world(argc, argv, clock, random);
  // As mcptrace calls it: the command's name first.
  if (world.arguments.size() < 2 || world.arguments[1] != "proxy") {
    static_cast<void>(
        mcptrace::write_all(world.stderr_fd, "mcptrace: this is a part of mcptrace; call mcptrace proxy\n"));
    return 2;
  }
  return mcptrace::app::proxy_command(world, std::span(world.arguments).subspan(2));
}
