// What a server is called by the command that starts it: its service.name where nobody gave it one, known before the
// server has said anything (docs/spans.md, Names). Nothing of a person and no secret comes through: only a word that
// stands where a launcher of the table expects its package, script, module, image or address is used, and of an address
// only the host. Pure.
//
//   launch_name({"npx", "-y", "@acme/files@1.2", "/data"}, user)      -> "@acme/files"
//   launch_name({"node", "/home/ann/weather/dist/index.js"}, user)    -> "weather"
//   launch_name({"docker", "run", "-i", "-e", "KEY=…", "acme/db:3"}, user) -> "db"
//   launch_name({"/opt/acme/bin/acme-server", "--key=…"}, user)       -> "acme-server"
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace mcptrace::app {

// Who runs the server. Empty: not known.
struct LaunchUser {
  std::string_view home, logname, user;
};

// `command` is not empty. Gives at most 64 of A-Z a-z 0-9 . _ @ / -, or "_OTHER" where the program itself has a name
// that may not be told.
std::string launch_name(std::span<const std::string> command, const LaunchUser& user);

}  // namespace mcptrace::app
