#include <bit>

#include "otlp/json.h"
#include "otlp/wire.h"

namespace mcptrace::otlp {
namespace {

// Fields that hold their default are left out, as protobuf does it.
void text(std::string& out, std::uint32_t field, std::string_view value) {
  if (!value.empty()) append_bytes(out, field, value);
}
void number(std::string& out, std::uint32_t field, std::uint64_t value) {
  if (value != 0) append_number(out, field, value);
}
void time(std::string& out, std::uint32_t field, Nanos value) {
  if (value.count() != 0) append_fixed64(out, field, static_cast<std::uint64_t>(value.count()));
}
void fixed32(std::string& out, std::uint32_t field, std::uint32_t value) {
  if (value != 0) append_fixed32(out, field, value);
}
template <std::size_t kSize, class Tag>
void id(std::string& out, std::uint32_t field, const IdBytes<kSize, Tag>& value) {
  if (!value.is_zero()) append_bytes(out, field, {reinterpret_cast<const char*>(value.bytes.data()), kSize});
}

void append_value(std::string& out, const Value& value);

void append_key_values(std::string& out, std::uint32_t field, const std::vector<KeyValue>& pairs) {
  for (const KeyValue& pair : pairs) {
    append_message(out, field, [&] {
      text(out, 1, pair.first);
      append_message(out, 2, [&] { append_value(out, pair.second); });
    });
  }
}

// The content of an AnyValue. What it holds is written even if it is 0 or empty: that is a value, too.
struct ValueWriter {
  std::string& out;

  void operator()(std::monostate) const {}
  void operator()(const std::string& value) const { append_bytes(out, 1, value); }
  void operator()(bool value) const { append_number(out, 2, value ? 1 : 0); }
  void operator()(std::int64_t value) const { append_number(out, 3, static_cast<std::uint64_t>(value)); }
  void operator()(double value) const { append_fixed64(out, 4, std::bit_cast<std::uint64_t>(value)); }
  void operator()(const std::vector<Value>& values) const {
    append_message(out, 5, [&] {
      for (const Value& value : values) append_message(out, 1, [&] { append_value(out, value); });
    });
  }
  void operator()(const std::vector<KeyValue>& pairs) const {
    append_message(out, 6, [&] { append_key_values(out, 1, pairs); });
  }
  void operator()(const Bytes& value) const { append_bytes(out, 7, value.bytes); }
};

void append_value(std::string& out, const Value& value) { std::visit(ValueWriter{out}, value.v); }

void append_event(std::string& out, const Event& event) {
  time(out, 1, event.at);
  text(out, 2, event.name);
  append_key_values(out, 3, event.attributes);
  number(out, 4, event.dropped_attributes);
}

void append_link(std::string& out, const Link& link) {
  id(out, 1, link.trace_id);
  id(out, 2, link.span_id);
  text(out, 3, link.trace_state);
  append_key_values(out, 4, link.attributes);
  number(out, 5, link.dropped_attributes);
  fixed32(out, 6, link.flags);
}

void append_span(std::string& out, const Span& span) {
  id(out, 1, span.trace_id);
  id(out, 2, span.span_id);
  text(out, 3, span.trace_state);
  id(out, 4, span.parent_id);
  text(out, 5, span.name);
  number(out, 6, span.kind);
  time(out, 7, span.start);
  time(out, 8, span.end);
  append_key_values(out, 9, span.attributes);
  number(out, 10, span.dropped_attributes);
  for (const Event& event : span.events) append_message(out, 11, [&] { append_event(out, event); });
  number(out, 12, span.dropped_events);
  for (const Link& link : span.links) append_message(out, 13, [&] { append_link(out, link); });
  number(out, 14, span.dropped_links);
  if (span.status != 0 || !span.status_message.empty()) {
    append_message(out, 15, [&] {
      text(out, 2, span.status_message);
      number(out, 3, span.status);
    });
  }
  fixed32(out, 16, span.flags);
}

void append_scope_spans(std::string& out, const ScopeSpans& scope_spans) {
  append_message(out, 1, [&] {
    text(out, 1, scope_spans.scope.name);
    text(out, 2, scope_spans.scope.version);
    append_key_values(out, 3, scope_spans.scope.attributes);
  });
  for (const Span& span : scope_spans.spans) append_message(out, 2, [&] { append_span(out, span); });
  text(out, 3, scope_spans.schema_url);
}

}  // namespace

void append_protobuf(const TracesData& traces, std::string& out) {
  for (const ResourceSpans& resource_spans : traces.resources) {
    append_message(out, 1, [&] {
      append_message(out, 1, [&] { append_key_values(out, 1, resource_spans.resource.attributes); });
      for (const ScopeSpans& scope : resource_spans.scopes)
        append_message(out, 2, [&] { append_scope_spans(out, scope); });
      text(out, 3, resource_spans.schema_url);
    });
  }
}

}  // namespace mcptrace::otlp
