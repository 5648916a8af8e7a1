// What both placements share, over stdio and over HTTP: the rules that replicas, and the two transports, must agree on
// (docs/spans.md). Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/keyed_hash.h"
#include "base/random.h"
#include "mcp/fact.h"
#include "mcp/message.h"
#include "mcp/splice.h"
#include "trace/w3c.h"

namespace mcptrace::observe {

// Of a stretch with random ids: after as many tools/call the client's next request begins another, as backends cut
// traces that are too large.
inline constexpr std::uint32_t kMostStretchCalls = 5000;

// Days of UTC since the epoch.
std::int64_t utc_day(Nanos wall);

// Trace id and root id follow from (name, key, UTC day), so that replicas with the same secret agree without talking.
void derive_root_ids(const HashKey& key, std::string_view name, std::string_view session_key, std::int64_t day,
                     mcp::CallContext& root);

// The entry of `baggage` that names a conversation, as "key=value".
std::optional<std::string> conversation_in(std::string_view baggage);

// The context that the message carries in its _meta, if it is one, and whole.
std::optional<trace::TraceContext> context_in(const mcp::Message& message);

// Is this message of a client one of MCP? `known`: that MCP is spoken on its stream, which the message may show.
// Answers are as their requests were: whoever pairs them says so.
bool is_mcp(const mcp::Message& message, bool& known);

// Would injection put a _meta where there is none? Servers may refuse that (acceptance.h).
bool puts_in_meta(const mcp::Message& message, mcp::NotInjected may);

// The texts of a message's own context: what goes on. Its views are valid until the next call.
class OwnContext {
 public:
  // The message starts in a trace of ours, below its root. Gives its tracestate.
  std::string_view start(mcp::CallContext& context, Random& random);
  // Notes why it is not to be injected; else fills `injection` and returns true.
  bool inject(mcp::CallContext& context, bool wanted, mcp::NotInjected may, std::string_view trace_state,
              mcp::Injection& injection);

 private:
  std::array<char, trace::kTraceparentSize> traceparent_{};
  std::array<char, 20> randomness_{};
};

}  // namespace mcptrace::observe
