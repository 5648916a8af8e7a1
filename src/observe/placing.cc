#include "observe/placing.h"

#include <algorithm>

namespace mcptrace::observe {
namespace {

template <class Id>
Id take_id(const Digest& digest, std::size_t offset) {
  Id id;
  std::copy_n(digest.begin() + static_cast<std::ptrdiff_t>(offset), Id::kBytes, id.bytes.begin());
  if (id.is_zero()) id.bytes[0] = 1;
  return id;
}

}  // namespace

std::int64_t utc_day(Nanos wall) { return wall.count() / Nanos(std::chrono::hours(24)).count(); }

void derive_root_ids(const HashKey& key, std::string_view name, std::string_view session_key, std::int64_t day,
                     mcp::CallContext& root) {
  KeyedHash ids(key, "derived-ids");
  ids.update_field(name);
  ids.update_field(session_key);
  ids.update_field(std::to_string(day));
  const Digest digest = ids.finish();
  root.derived = true;
  root.root_trace_id = take_id<TraceId>(digest, 0);
  root.root_span_id = take_id<SpanId>(digest, 16);
}

std::optional<std::string> conversation_in(std::string_view baggage) {
  if (baggage.empty()) return std::nullopt;
  for (const std::string_view key : {"session.id", "gen_ai.conversation.id"}) {
    if (auto value = trace::baggage_get(baggage, key, 256); value && !value->empty()) {
      return std::string(key) + "=" + *value;
    }
  }
  return std::nullopt;
}

std::optional<trace::TraceContext> context_in(const mcp::Message& message) {
  const std::string_view text = message[mcp::Text::kTraceparent];
  if (text.empty() || message.has(mcp::kAmbiguous) || message.has(mcp::kTraceparentCut)) return std::nullopt;
  return trace::parse_traceparent(text);
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
