// The commands of mcptrace, once: their names, what --help says of them, and which executable holds them.
#pragma once

#include <cstdint>
#include <string_view>

namespace mcptrace::app {

enum class Program : std::uint8_t {
  kMcptrace,  // itself: what wraps stdio servers starts often, and stays small
  kProxy,     // libexec/mcptrace/mcptrace-proxy
  kBackend,   // libexec/mcptrace/mcptrace-backend
};

struct CommandInfo {
  std::string_view name;
  std::string_view summary;
  Program program;
};

inline constexpr CommandInfo kCommandList[] = {
    {"run", "run an MCP server over stdio and trace its session", Program::kMcptrace},
    {"proxy", "stand in front of an MCP server over HTTP and trace its sessions", Program::kProxy},
    {"sessions", "list the sessions that were traced", Program::kBackend},
    {"trace", "show one session: its calls, errors and times", Program::kBackend},
    {"ship", "send what was traced to the configured backends", Program::kBackend},
    {"clear", "delete stored traces", Program::kBackend},
    {"config", "show and check the configuration", Program::kBackend},
};

}  // namespace mcptrace::app
