// Which names of tools servers declared, beyond this process (docs/architecture.md, What may be written: in any
// tools/list that this installation saw of the server, or a call of it ended ok). The tracer asks and tells; whoever
// keeps them implements it. Called on the observer's thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace mcptrace::observe {

class DeclaredNames {
 public:
  virtual ~DeclaredNames() = default;
  // `server` tells servers apart; names as mcp::Message::name_hash.
  [[nodiscard]] virtual bool contains(std::string_view server, std::uint64_t name) = 0;
  virtual void add(std::string_view server, std::span<const std::uint64_t> names) = 0;
};

}  // namespace mcptrace::observe
