// Tracing of HTTP exchanges: what a proxy shares between its connections' taps. Each tap looks at one client
// connection's exchanges as they pass (exchange_tap.h), places what the client says, and hands facts to the observer,
// in order. No I/O, no clock; one relay thread.
//
//   Tracing tracing(options, key, random, sink);
//   auto tap = tracing.tap();   // one a client connection, reused for its exchanges; not to outlive `tracing`
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/keyed_hash.h"
#include "base/random.h"
#include "http/forwarded.h"
#include "mcp/fact.h"
#include "mcp/message_scanner.h"
#include "observe/http_placement.h"
#include "observe/observer.h"
#include "proxy/exchange_tap.h"

namespace mcptrace::proxy {

struct TracingOptions {
  bool inject = true;
  std::vector<observe::Acceptance*> acceptance;  // by route: what is known of its server; must outlive this
  observe::ParentOrder parent = observe::ParentOrder::kMetaFirst;
  bool trust_proxy = false;  // every peer is a trusted proxy: X-Forwarded-For and Forwarded say who the client is
  http::TrustedProxies trusted_proxies;  // these are, as peers and as the hops before
  bool client_address = false;           // it may be written, and the port
  std::vector<std::string> conversation_keys = mcp::default_conversation_keys();  // of params._meta
  std::vector<std::string> conversation_headers;                                  // names of header fields
  Nanos gap = std::chrono::minutes(30);
  std::uint32_t stretch_calls = observe::kMostStretchCalls;
  std::size_t hold_bytes = 64 << 20;     // HoldBudget's
  std::string name;                      // --name, else OTEL_SERVICE_NAME; empty: each route's
  std::vector<std::string> route_names;  // by route: its name and its upstream as configured
};

// Where facts go. Called on the relay thread.
class FactSink {
 public:
  virtual ~FactSink() = default;
  virtual void push(const mcp::FactHead& fact, const mcp::Message& message) = 0;
  // Facts of an exchange could not be made for want of memory (boot clock).
  virtual void lose(Nanos at) = 0;
  // The bytes that the facts so far were about have gone on: the observer may be woken.
  virtual void passed() = 0;
};

class ObserverSink final : public FactSink {
 public:
  explicit ObserverSink(observe::Observer& observer) : observer_(observer) {}
  void push(const mcp::FactHead& fact, const mcp::Message& message) override { observer_.client().push(fact, message); }
  void lose(Nanos at) override { observer_.client().lose(at); }
  void passed() override { observer_.wake_after(observer_.client()); }

 private:
  observe::Observer& observer_;
};

class TracingShared;

class Tracing final : public TapSource {
 public:
  // References must outlive this.
  Tracing(TracingOptions options, const HashKey& key, Random& random, FactSink& sink);
  ~Tracing() override;

  std::unique_ptr<ExchangeTap> tap() override;
  http::HoldBudget& budget() override;
  void wake() override;

 private:
  std::unique_ptr<TracingShared> shared_;
};

}  // namespace mcptrace::proxy
