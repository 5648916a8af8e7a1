// What is wrong on the wire without being a call's error (docs/spans.md, Findings): seen by the relay or by the
// observer, counted on the session's root, and noted on the span of the call that it concerns. None holds content.
#pragma once

#include <cstdint>

namespace mcptrace::mcp {

enum class Finding : std::uint8_t {
  kContentLengthFraming,  // stdio that begins with Content-Length: instead of a line
  kNotMcpMessage,         // stdio: a line, or a counted body, that is no MCP message
  kBadJsonrpc,            // an answer without "jsonrpc":"2.0"
  kStrictServer,          // the server refuses requests whose params hold a _meta that it does not know
  kForeignRedirect,       // HTTP: a redirection to another origin
  kBadEncoding,           // HTTP: a Content-Encoding that is none, or not that of the body
  kLost,                  // telemetry was dropped, expired or unreadable
  kCount
};

// A set of them.
using Findings = std::uint32_t;
constexpr Findings finding_bit(Finding finding) { return 1u << static_cast<unsigned>(finding); }

}  // namespace mcptrace::mcp
