// Everything that comes from outside the process, in one place: arguments, environment, standard streams, clocks,
// randomness. A subcommand takes a World& and touches nothing else outside, so that tests give it another one.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "config/flat.h"

namespace mcptrace::app {

struct World {
  std::vector<std::string> arguments;  // argv, the program's name first
  // The value of an environment variable; nothing if it is not set.
  std::function<std::optional<std::string>(std::string_view name)> environment;
  std::string home;               // $HOME, else the user's from the password file; empty: unknown
  std::string working_directory;  // empty: unknown
  int stdin_fd = 0;
  int stdout_fd = 1;
  int stderr_fd = 2;
  bool stdout_is_terminal = false;
  bool stderr_is_terminal = false;
  std::size_t terminal_width = 0;  // columns of stdout; 0: no terminal, or it does not say
  std::function<std::chrono::seconds(Nanos wall)> local_offset;  // of local time from UTC
  const Clock& clock;
  Random& random;
  // All of the environment: "NAME=value".
  std::function<std::vector<std::string>()> environment_entries = [] { return std::vector<std::string>(); };
  // Makes the flat copy of the configuration file (config/flat.h); null: there is nobody who could.
  config::Flatten flatten{};
  // Where the state lies by --home, and by the configuration file; empty: that does not say. Known once the options are
  // parsed (installation.h).
  std::string given_home{}, file_home{};
};

// The World of this process. The clock and the randomness must outlive it.
World system_world(int argc, char** argv, const Clock& clock, Random& random);

// One line on stderr, "mcptrace: <text>"; never fails.
void say(const World& world, std::string_view text);

// To stdout; the exit status: 0, or 1 and a line on stderr that says why.
int print(const World& world, std::string_view text);

// --home, else $MCPTRACE_HOME, else the file's home, else $XDG_STATE_HOME/mcptrace, else <home>/.local/state/mcptrace.
// Empty variables count as not set, and a relative $XDG_STATE_HOME is passed over, as its specification wants. Error:
// none of them is known.
Result<std::string> state_directory(const World& world);
// All of these that are known, that one first: where else sessions may lie.
std::vector<std::string> state_directories(const World& world);
// state_directory() + "/spool", to be read. Also an error: there is none, and no `run` or `proxy` of this user could
// make it, so that it would be no answer that nothing was traced.
Result<std::string> spool_directory(const World& world);

}  // namespace mcptrace::app
