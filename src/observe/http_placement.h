// Placement over HTTP: the session stretch, trace, parent and ids of each message of many clients (docs/spans.md).
//
// Runs on the relay thread, before the message goes on; what it decides travels with the fact. Sessions are known by
// explicit keys (ids derived from the key, so that replicas agree) or guessed; many live at once, in a table that is
// bounded in count: the least recently used goes, and comes back with the same derived ids. Without I/O; allocates only
// when a session is new.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/keyed_hash.h"
#include "base/random.h"
#include "mcp/fact.h"
#include "mcp/splice.h"
#include "observe/acceptance.h"
#include "observe/placing.h"
#include "observe/stretches.h"

namespace mcptrace::observe {

// Which context a client's request gets for its parent, if there is one; the others become links.
enum class ParentOrder : std::uint8_t { kMetaFirst, kHeaderFirst, kRootOnly };

struct HttpPlacementOptions {
  std::string name;                      // --name, else OTEL_SERVICE_NAME; empty: each route's own
  std::vector<std::string> route_names;  // as configured: part of derived ids
  Nanos gap = std::chrono::minutes(30);
  std::uint32_t stretch_calls = kMostStretchCalls;
  bool inject = true;
  std::vector<Acceptance*> acceptance;  // by route; none, or null: the server is taken to accept what is put in
  ParentOrder parent = ParentOrder::kMetaFirst;
  std::size_t most_sessions = 8192;
};

// What the head of a request says of its session and of its caller. Borrows.
struct HttpCaller {
  std::size_t route = 0;
  Instant first_byte;
  std::string_view session_id;    // Mcp-Session-Id
  std::string_view endpoint;      // of the HTTP+SSE session that it is sent to, as the upstream wrote it
  std::string_view conversation;  // "name=value" of the first configured header that is there
  std::string_view baggage;
  std::string_view authorization, user_agent, address;  // whose guessed session it is
  std::string_view traceparent, tracestate;             // empty: none, or not usable
  bool modern = false;                                  // by its protocol version header
};

class HttpPlacement {
 public:
  // References must outlive this.
  HttpPlacement(HttpPlacementOptions options, const HashKey& key, Random& random);

  // A stretch of a session. Valid as long as the table keeps it; afterwards it is silently nobody's.
  struct Handle {
    Stretch* stretch = nullptr;
    std::uint32_t serial = 0;
  };
  struct Placed {
    mcp::CallContext context;
    std::string_view trace_state;  // of the span's own context; valid until the next call
    std::array<mcp::CallerLink, 2> links{};
    std::uint8_t link_count = 0;
    std::uint64_t scope = 0;  // of an explicit transport session; 0: none
    bool guessed = false;
    bool own_root = false;
    Handle stretch;
    bool inject = false;       // `injection` is to be made
    mcp::Injection injection;  // valid until the next call
  };

  // A message of a client. Only a request opens its session.
  const Placed& place(const HttpCaller& caller, const mcp::Message& message, mcp::NotInjected may, Instant at);
  // An exchange that has no message with a span of its own.
  const Placed& place_exchange(const HttpCaller& caller);
  // A legacy initialize, whose session only the answer tells: at first it has one of its own, with random ids, and
  // stays there if it failed, which is to say that the answer was no result. One that was redirected is of no session.
  // `session_id` is the answer's.
  enum class Initialized : std::uint8_t { kDone, kFailed, kRedirected };
  const Placed& place_initialize(const HttpCaller& caller, const mcp::Message& message, mcp::NotInjected may);
  void finish_initialize(const HttpCaller& caller, const mcp::Message& message, std::string_view session_id,
                         Initialized how, Placed& placed);
  // The session of an HTTP+SSE stream.
  const Placed& place_endpoint(const HttpCaller& caller);

  // Of the server that this route leads to; null: nothing is learned of it.
  [[nodiscard]] Acceptance* acceptance(std::size_t route) const;

  // A message of the session passed; a request other than subscriptions/listen began to wait, and no longer does.
  void touch(Handle stretch, Nanos boot);
  void request_began(Handle stretch);
  void request_ended(Handle stretch);

 private:
  SessionKey key_of(const HttpCaller& caller, const mcp::Message* message, bool modern);
  static Stretch* at(Handle handle);

  void start();
  void take_session(Stretch& stretch, bool opens);
  void take_own_session(const HttpCaller& caller);
  void take_no_session();
  void choose_parent(const HttpCaller& caller, const mcp::Message* message, bool may_use_root);
  void write_injection(mcp::NotInjected may);

  HttpPlacementOptions options_;
  Random& random_;
  Stretches stretches_;
  std::string text_;  // of the key that is being looked up
  Placed placed_;
  OwnContext own_;
};

}  // namespace mcptrace::observe
