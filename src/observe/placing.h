// What both placements share, over stdio and over HTTP: the rules that replicas, and the two transports, must agree on
// (docs/spans.md). Pure.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "base/random.h"
#include "mcp/fact.h"
#include "mcp/message.h"
#include "mcp/splice.h"
#include "trace/w3c.h"

namespace mcptrace::observe {

// The entry of `baggage` that names a conversation, as "key=value" in `buffer`; empty: none.
using ConversationBuffer = std::array<char, 23 + 256>;
std::string_view conversation_in(std::string_view baggage, ConversationBuffer& buffer);

// The context that the message carries in its _meta, if it is one, and whole.
std::optional<trace::TraceContext> context_in(const mcp::Message& message);

// The parent is the caller's span. Gives its tracestate: `state`, if that is valid.
std::string_view take_caller(mcp::CallContext& context, const trace::TraceContext& caller, mcp::ParentSource source,
                             std::string_view state);
// The parent is the root.
void take_root_as_parent(mcp::CallContext& context);

// What follows is of the session of this root; its own trace, span and parent stay as they are.
void take_root(mcp::CallContext& context, const mcp::CallContext& root);

// Is this message of a client one of MCP? `known`: that MCP is spoken on its stream, which the message may show.
// Answers are as their requests were: whoever pairs them says so.
bool is_mcp(const mcp::Message& message, bool& known);

// Would injection put a _meta where there is none? Servers may refuse that (acceptance.h).
bool puts_in_meta(const mcp::Message& message, mcp::NotInjected may);

// The texts of a message's own context: what goes on. Its views are valid until the next call.
class OwnContext {
 public:
  // The message starts in a trace of ours, below its root: that is the parent. Gives its tracestate.
  std::string_view start(mcp::CallContext& context, Random& random);
  // Notes why it is not to be injected; else fills `injection` and returns true.
  bool inject(mcp::CallContext& context, bool wanted, mcp::NotInjected may, std::string_view trace_state,
              mcp::Injection& injection);

 private:
  std::array<char, trace::kTraceparentSize> traceparent_{};
  std::array<char, 20> randomness_{};
};

}  // namespace mcptrace::observe
