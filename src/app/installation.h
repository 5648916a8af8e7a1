// Which installation a command belongs to: where its state lies, and what its configuration file says. Every command
// finds the same one by --home, --config, the environment and the user's home directory.
#pragma once

#include <string>

#include "app/command_line.h"
#include "app/world.h"
#include "base/result.h"
#include "config/flat.h"

namespace mcptrace::app {

struct Installation {
  config::FoundFile file;
  config::Flat flat;
  std::string home;     // --home, absolute; empty: not given
  std::string warning;  // why the file does not count as it is; empty: it does, or there is none
};

// The options that name it; read after the line was parsed.
class InstallationOptions {
 public:
  explicit InstallationOptions(CommandLine& line);
  InstallationOptions(const InstallationOptions&) = delete;  // the line writes into it
  InstallationOptions& operator=(const InstallationOptions&) = delete;
  // A file that cannot be used is a warning, never an error.
  [[nodiscard]] Installation find(const World& world) const;

 private:
  std::string home_, config_;
};

// Its file, for a process that lives long.
config::FlatSource flat_source(const World& world, const Installation& installation);

// From here on, state_directory() of this world is that of the installation.
void enter(World& world, const Installation& installation);

// The same for commands that show what was traced: the warning is said on stderr.
Installation enter_installation(World& world, const InstallationOptions& options);

}  // namespace mcptrace::app
