// Which tools the servers declared in their tools/lists: of each server, as names that may be written and definitions
// that are known; of each session, as what its client was told. Bounded in both. Observer thread.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "mcp/call_table.h"
#include "observe/session.h"
#include "observe/tracer_options.h"

namespace mcptrace::observe {

class DeclaredTools {
 public:
  explicit DeclaredTools(const TracerOptions& options) : options_(options), by_route_(options.place_of(0xffff) + 1) {}

  // More of a page that is passing.
  static void collect(std::span<const mcp::DeclaredTool> tools, std::vector<mcp::DeclaredTool>& page);
  // The page has passed: the answer to `asked`. `last`: no more pages come. Gives how many of its tools were known here
  // and never defined so.
  std::size_t learn(Session& session, const mcp::OpenCall& asked, const std::vector<mcp::DeclaredTool>& page,
                    bool last);
  // Is the tool's name one that may be written though it has an odd form? Only if its server declared it: a lenient one
  // answers whatever name it is called by.
  [[nodiscard]] bool may_write(const mcp::OpenCall& call, const Session& session) const;

  // A session has what the one before it was told.
  void inherited(const Session& session) { of_sessions_ += session.declared_count(); }
  void forget(Session& session);
  // Too many are remembered of sessions to go on with those of closed ones.
  [[nodiscard]] bool is_crowded() const;

 private:
  std::size_t declare(std::uint16_t route, const std::vector<mcp::DeclaredTool>& tools);

  const TracerOptions& options_;
  std::vector<std::unordered_map<std::uint64_t, std::uint64_t>> by_route_;  // definitions, by name
  std::size_t of_routes_ = 0, of_sessions_ = 0;                             // names, together
};

}  // namespace mcptrace::observe
