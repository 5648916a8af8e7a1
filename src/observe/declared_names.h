// Which tools servers declared, beyond this process, and how they defined them (docs/architecture.md, What may be
// written: in any tools/list that this installation saw of the server). The tracer asks and tells; whoever
// keeps them implements it. Called on the observer's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "mcp/message.h"

namespace mcptrace::observe {

class DeclaredNames {
 public:
  virtual ~DeclaredNames() = default;
  // `server` tells servers apart; names as mcp::Message::name_hash.
  [[nodiscard]] virtual bool contains(std::string_view server, std::uint64_t name) = 0;
  // Gives how many of them were defined here, and never so.
  virtual std::size_t add(std::string_view server, std::span<const mcp::DeclaredTool> tools) = 0;
};

}  // namespace mcptrace::observe
