// Places a client's messages: which session stretch, which trace, which parent, which ids, and what goes on to the
// server.
//
// Runs on the relay thread, before the message goes on; what it decides travels with the fact, and the observer never
// derives it again (docs/spans.md). Without I/O; allocates only for conversations.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/keyed_hash.h"
#include "base/random.h"
#include "mcp/fact.h"
#include "mcp/splice.h"
#include "observe/acceptance.h"
#include "observe/placing.h"
#include "observe/stretches.h"
#include "trace/w3c.h"

namespace mcptrace::observe {

struct PlacementOptions {
  std::string name;  // service.name: part of derived ids
  Nanos gap = std::chrono::minutes(30);
  std::uint32_t stretch_calls = kMostStretchCalls;
  bool inject = true;
  Acceptance* acceptance = nullptr;  // of the server; null: it is taken to accept what is put in. Must outlive this
  // TRACEPARENT and TRACESTATE of our environment, if valid: the parent of session roots.
  std::optional<trace::TraceContext> environment;
  std::string environment_state;
};

// What the server's side tells the client's: moments and counts, no more. Written by one thread, read by the other.
struct Activity {
  std::atomic<std::int64_t> last_server_message{0};  // boot ns
  std::atomic<std::int32_t> open_requests{0};        // not counting subscriptions/listen; kept by the observer
  std::atomic<bool> server_counts{false};            // its stdout is framed by Content-Length
};

class Placement {
 public:
  // References must outlive this.
  Placement(PlacementOptions options, const HashKey& key, Random& random, const Activity& activity);

  // The session that messages of no other belong to, before any client's message: for a server that speaks first.
  [[nodiscard]] const mcp::CallContext& first() const { return first_; }

  struct Placed {
    mcp::CallContext context;
    std::string_view trace_state;  // of the span's own context; valid until the next place()
    bool inject = false;           // `injection` is to be made
    mcp::Injection injection;      // valid until the next place()
  };
  // `may`: what the framing found possible.
  const Placed& place(const mcp::Message& message, mcp::NotInjected may, Instant at);

 private:
  const Placed& place_foreign();
  void ask_server(const mcp::Message& message, mcp::NotInjected& may);
  Stretch& stretch_for(const mcp::Message& message, Instant at);
  Stretch& process_stretch(const mcp::Message& message, Instant at);
  void begin_process(std::uint64_t session_print, std::uint32_t previous);
  void choose_parent(const mcp::Message& message);

  PlacementOptions options_;
  Random& random_;
  const Activity& activity_;
  Stretches stretches_;  // of conversations
  Stretch process_;
  mcp::CallContext first_;
  bool known_ = false;         // MCP is spoken here
  bool process_used_ = false;  // requests other than initialize, server/discover, ping went before
  Nanos last_client_message_{};
  Placed placed_;
  OwnContext own_;
};

}  // namespace mcptrace::observe
