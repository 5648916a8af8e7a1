#include "observe/placing.h"

namespace mcptrace::observe {

std::string_view conversation_in(std::string_view baggage, ConversationBuffer& buffer) {
  if (baggage.empty()) return {};
  for (const std::string_view start : {"session.id=", "gen_ai.conversation.id="}) {
    const std::string_view key = start.substr(0, start.size() - 1);
    const auto value = trace::baggage_get(baggage, key, std::span(buffer).subspan(start.size(), 256));
    if (!value || value->empty()) continue;
    start.copy(buffer.data(), start.size());
    return {buffer.data(), start.size() + value->size()};
  }
  return {};
}

std::optional<trace::TraceContext> context_in(const mcp::Message& message) {
  const std::string_view text = message[mcp::Text::kTraceparent];
  if (text.empty() || message.has(mcp::kAmbiguous) || message.has(mcp::kTraceparentCut)) return std::nullopt;
  return trace::parse_traceparent(text);
}

std::string_view take_caller(mcp::CallContext& context, const trace::TraceContext& caller, mcp::ParentSource source,
                             std::string_view state) {
  context.parent_source = source;
  context.trace_id = caller.trace_id;
  context.parent_id = caller.span_id;
  context.flags = caller.flags;
  return trace::is_valid_tracestate(state) ? state : std::string_view();
}

void take_root_as_parent(mcp::CallContext& context) {
  context.parent_source = mcp::ParentSource::kRoot;
  context.trace_id = context.root_trace_id;
  context.parent_id = context.root_span_id;
}

void take_root(mcp::CallContext& context, const mcp::CallContext& root) {
  context.session = root.session;
  context.previous = root.previous;
  context.derived = root.derived;
  context.session_print = root.session_print;
  context.root_trace_id = root.root_trace_id;
  context.root_span_id = root.root_span_id;
}

bool is_mcp(const mcp::Message& message, bool& known) {
  if (!message.has(mcp::kJsonrpc2) || message.kind == mcp::MessageKind::kNotMessage) return false;
  if (message.has(mcp::kNamesMcp)) known = true;
  return known;
}

bool puts_in_meta(const mcp::Message& message, mcp::NotInjected may) {
  return may == mcp::NotInjected::kNone && message.kind == mcp::MessageKind::kRequest && !message.has(mcp::kHasMeta);
}

std::string_view OwnContext::start(mcp::CallContext& context, Random& random) {
  take_root_as_parent(context);
  context.flags = trace::kSampledFlag | trace::kRandomFlag;
  context.randomness = random.u64() >> 8;
  return trace::write_randomness(context.randomness, randomness_);
}

bool OwnContext::inject(mcp::CallContext& context, bool wanted, mcp::NotInjected may, std::string_view trace_state,
                        mcp::Injection& injection) {
  using mcp::NotInjected;
  context.not_injected = wanted || may == NotInjected::kNotRequest ? may : NotInjected::kOff;
  if (context.not_injected != NotInjected::kNone) return false;
  trace::write_traceparent({context.trace_id, context.span_id, context.flags}, traceparent_.data());
  injection = {{traceparent_.data(), traceparent_.size()}, trace_state};
  return true;
}

}  // namespace mcptrace::observe
