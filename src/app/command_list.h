// The commands of mcptrace, once: their names, what --help says of them, and which of the two executables holds them.
#pragma once

#include <string_view>

namespace mcptrace::app {

struct CommandInfo {
  std::string_view name;
  std::string_view summary;
  bool data_path;  // in mcptrace itself; else in mcptrace-backend
};

inline constexpr CommandInfo kCommandList[] = {
    {"run", "run an MCP server over stdio and trace its session", true},
    {"sessions", "list the sessions that were traced", false},
    {"trace", "show one session: its calls, errors and times", false},
    {"clear", "delete stored traces", false},
};

}  // namespace mcptrace::app
