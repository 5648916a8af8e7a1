#include <unistd.h>

#include "app/command_line.h"
#include "app/commands.h"
#include "app/installation.h"
#include "spool/expiry.h"

namespace mcptrace::app {
namespace {

constexpr std::string_view kHelp = R"(usage: mcptrace clear [OPTIONS]

Deletes stored traces, without asking. Files of sessions that still run are kept. Without --older-than it forgets
which names of tools servers declared, too: until a server lists them again, names of an odd form are not written.

options:
  --older-than AGE  only files last written longer ago than AGE: 30s, 5m, 2h, 7d, 2w
  --home DIR        where the state lies
  --config FILE     the configuration file
  -h, --help        this text

examples:
  mcptrace clear
  mcptrace clear --older-than 7d
)";

// Processes that run make a new file at the next name.
void forget_declared(const std::string& state) { ::unlink((state + "/declared").c_str()); }

}  // namespace

int clear_command(World& world, std::span<const std::string> arguments) {
  std::string older_than;
  CommandLine line("clear");
  const InstallationOptions installation(line);
  line.value("--older-than", older_than);
  if (const auto parsed = line.parse(arguments); !parsed) return fail(world, parsed.error());
  if (line.help_wanted()) return print(world, kHelp);
  enter_installation(world, installation);
  Nanos before = Nanos::max();
  if (!older_than.empty()) {
    const auto age = parse_age("--older-than", older_than);
    if (!age) return fail(world, age.error());
    before = world.clock.wall() - *age;
  }
  const auto directory = spool_directory(world);
  if (!directory) return fail(world, directory.error());
  if (older_than.empty()) forget_declared(*state_directory(world));
  const auto live = query::live_sessions(*directory);
  if (!live) return fail(world, live.error());
  const auto removed = spool::remove_files(*directory, before, live->in_use);
  if (!removed) return fail(world, removed.error());
  if (older_than.empty()) spool::forget_expired(*directory);
  std::string text =
      "Deleted " + query::format_count(removed->files, "file") + " (" + query::format_bytes(removed->bytes) + ").";
  if (live->count != 0) {
    text += " " + query::format_count(live->count, "session") +
            (live->count == 1 ? " still runs; its files were kept." : " still run; their files were kept.");
  }
  return print(world, text + "\n");
}

}  // namespace mcptrace::app
