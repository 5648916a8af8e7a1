#include "app/installation.h"

namespace mcptrace::app {
namespace {

std::string absolute(const World& world, const std::string& path) {
  if (path.empty() || path.starts_with('/') || world.working_directory.empty()) return path;
  return world.working_directory + "/" + path;
}

// Where the state lies if the file does not say.
std::string unfiled_state(World world, const std::string& home) {
  world.given_home = home;
  world.file_home.clear();
  return state_directory(world).value_or("");
}

}  // namespace

InstallationOptions::InstallationOptions(CommandLine& line) {
  line.value("--home", home_);
  line.value("--config", config_);
}

Installation InstallationOptions::find(const World& world) const {
  Installation found;
  found.home = absolute(world, home_);
  config::Search search{.environment = world.environment,
                        .home = world.home,
                        .given = config_ == config::kNoFile ? config_ : absolute(world, config_)};
  found.file = config::find_file(search);
  found.file.path = absolute(world, found.file.path);  // $MCPTRACE_CONFIG: who sits elsewhere is to find the same
  if (found.file.path.empty()) return found;
  config::FlatReading reading = config::read_flat(found.file, unfiled_state(world, found.home), world.flatten);
  found.flat = std::move(reading.flat);
  found.warning = std::move(reading.warning);
  return found;
}

config::FlatSource flat_source(const World& world, const Installation& installation) {
  config::Search search{.environment = world.environment,
                        .home = world.home,
                        .given = installation.file.named ? installation.file.path : std::string()};
  return {std::move(search), unfiled_state(world, installation.home), world.flatten};
}

void enter(World& world, const Installation& installation) {
  world.given_home = installation.home;
  world.file_home = installation.flat.home.value_or("");
}

Installation enter_installation(World& world, const InstallationOptions& options) {
  Installation installation = options.find(world);
  if (!installation.warning.empty()) say(world, installation.warning);
  enter(world, installation);
  return installation;
}

}  // namespace mcptrace::app
