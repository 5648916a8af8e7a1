// The launchers that servers are started with, one row each: which of their options take a value, and what the first
// word is that is no option. launch_name.cc reads them.
//
// An option that a row does not name ends the search at the launcher's own name, as nobody knows whether the next word
// is its value. So a row names only options of which that is sure, in every version of the launcher.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace mcptrace::app {

enum class Launches : std::uint8_t {
  kNothing,  // it has subcommands, or an option that tells
  kPackage,  // of npm or of PyPI
  kModule,   // of Python
  kScript,   // a path, a package behind "npm:" or "jsr:", an address
  kProgram,  // a script, or a command
  kImage,    // of a container
  kUrl,
  kCommand,  // the words that follow
  kLine,     // a shell's line of them
};

struct Launcher {
  struct Telling {
    std::string_view options;
    Launches value = Launches::kNothing;
  };

  std::string_view name;  // with its subcommand
  Launches launches = Launches::kNothing;
  std::string_view flags;            // options without a value of their own; "-D*": all that are longer and begin so
  std::string_view values;           // options whose value is the next word, or stands behind "="
  std::array<Telling, 2> telling{};  // options whose value is what is launched
  std::string_view folder{};         // the option whose value is the folder of a relative script
};

// By its program's name, or name and subcommand; null: none.
const Launcher* find_launcher(std::string_view name);

}  // namespace mcptrace::app
