// What the taps of one proxy share: placement, scanners that lie idle, and the HTTP+SSE sessions whose streams are
// here. Used by TracedExchange only; one relay thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "mcp/message_scanner.h"
#include "mcp/sse_framer.h"
#include "proxy/tracing.h"

namespace mcptrace::proxy {

class TracingShared {
 public:
  TracingShared(TracingOptions options, const HashKey& key, Random& random, FactSink& sink);

  [[nodiscard]] const TracingOptions& options() const { return options_; }
  observe::HttpPlacement& placement() { return placement_; }
  [[nodiscard]] const HashKey& key() const { return key_; }
  FactSink& sink() { return sink_; }
  std::uint64_t next_serial() { return ++last_serial_; }
  // For a body that is there as a whole: used and done with within one call.
  mcp::MessageScanner& whole_scanner() { return whole_scanner_; }

  http::HoldBudget& budget() { return budget_; }
  // Scanners are large, and most streams are idle most of the time: they are lent, on the budget. Null: there is no
  // room.
  std::unique_ptr<mcp::MessageScanner> lend_scanner(mcp::Direction direction);
  std::unique_ptr<mcp::SseFramer> lend_framer();
  // Null: nothing was lent.
  void give_back(mcp::Direction direction, std::unique_ptr<mcp::MessageScanner> scanner);
  void give_back(std::unique_ptr<mcp::SseFramer> framer);

  // HTTP+SSE: requests to this target belong to the session of this endpoint URI, until it is forgotten.
  void learn_endpoint(std::size_t route, std::string_view target, std::string_view uri, std::uint64_t exchange);
  void forget_endpoint(std::size_t route, std::string_view target, std::uint64_t exchange);
  [[nodiscard]] std::string_view endpoint(std::size_t route, std::string_view target) const;

  // Is it known that MCP is spoken at this path (the target up to its query)? Of many, those that were used last.
  bool speaks_mcp(std::size_t route, std::string_view target);
  void learn_mcp(std::size_t route, std::string_view target);

 private:
  void keep_path(std::uint64_t path);
  struct Endpoint {
    std::string target, uri;
    std::uint64_t exchange = 0;
  };
  [[nodiscard]] std::uint64_t endpoint_key(std::size_t route, std::string_view target) const {
    return mix64(target, seed_ + route);
  }

  TracingOptions options_;
  http::HoldBudget budget_;
  const HashKey& key_;
  FactSink& sink_;
  observe::HttpPlacement placement_;
  std::uint64_t last_serial_ = 0;
  std::uint64_t seed_;
  mcp::MessageScanner whole_scanner_;
  std::vector<std::unique_ptr<mcp::MessageScanner>> client_scanners_, server_scanners_;
  std::vector<std::unique_ptr<mcp::SseFramer>> framers_;
  std::unordered_map<std::uint64_t, Endpoint> endpoints_;
  // By endpoint_key(). When the young are many they become the old, and the old go.
  std::unordered_set<std::uint64_t> young_paths_, old_paths_;
};

// The path and query that a client's POST to `uri` will have, where the stream itself has `target` (RFC 3986 5.2).
// Empty if it names no http URI.
std::string resolve_endpoint(std::string_view target, std::string_view uri);

}  // namespace mcptrace::proxy
