// OTLP protobuf -> plain data that owns its strings: for queries and for spans from other programs. Foreign bytes:
// every bound is checked, recursion is capped, unknown fields and fields of another wire type are passed over. As
// protobuf wants it, a field that occurs again replaces the first, or is merged with it (messages), or appended
// (lists). Bad UTF-8 becomes U+FFFD; times after 2262 become the last that Nanos holds. An error is Errc::kCorrupt with
// the place, or Errc::kLimit for bytes that would take more than 16 times their size in memory. Any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"

namespace mcptrace::otlp {

struct KeyValue;
struct Bytes {
  std::string bytes;
};
// AnyValue. monostate = an empty AnyValue.
struct Value {
  std::variant<std::monostate, std::string, bool, std::int64_t, double, Bytes, std::vector<Value>,
               std::vector<KeyValue>>
      v;
  [[nodiscard]] const std::string* string() const;  // null: another kind
  [[nodiscard]] const std::int64_t* integer() const;
};
// A key and its value. No std::pair, which cannot hold a type that is not complete yet.
struct KeyValue {
  std::string first;
  Value second;
};
inline const std::string* Value::string() const { return std::get_if<std::string>(&v); }
inline const std::int64_t* Value::integer() const { return std::get_if<std::int64_t>(&v); }

struct Event {
  Nanos at{};
  std::string name;
  std::vector<KeyValue> attributes;
  std::uint32_t dropped_attributes = 0;
};

struct Link {
  TraceId trace_id;
  SpanId span_id;
  std::string trace_state;
  std::vector<KeyValue> attributes;
  std::uint32_t dropped_attributes = 0;
  std::uint32_t flags = 0;
};

struct Span {
  TraceId trace_id;
  SpanId span_id;
  SpanId parent_id;
  std::string trace_state;
  std::uint32_t flags = 0;
  std::string name;
  std::uint32_t kind = 0;
  Nanos start{};
  Nanos end{};  // zero: not ended
  std::vector<KeyValue> attributes;
  std::uint32_t dropped_attributes = 0;
  std::vector<Event> events;
  std::uint32_t dropped_events = 0;
  std::vector<Link> links;
  std::uint32_t dropped_links = 0;
  std::uint32_t status = 0;
  std::string status_message;

  // The last value under `key` (appended fields win), or null.
  [[nodiscard]] const Value* attribute(std::string_view key) const;
};

struct Resource {
  std::vector<KeyValue> attributes;
  [[nodiscard]] const Value* attribute(std::string_view key) const;
};

struct Scope {
  std::string name;
  std::string version;
  std::vector<KeyValue> attributes;
};

struct ScopeSpans {
  Scope scope;
  std::string schema_url;
  std::vector<Span> spans;
};
struct ResourceSpans {
  Resource resource;
  std::string schema_url;
  std::vector<ScopeSpans> scopes;
};
// opentelemetry.proto.trace.v1.TracesData; an ExportTraceServiceRequest has the same bytes.
struct TracesData {
  std::vector<ResourceSpans> resources;
};

// One Span message. A trace or span id that is missing, zero or of the wrong length is an error here, as is a parent id
// of the wrong length.
Result<Span> decode_span(std::string_view bytes);
Result<Resource> decode_resource(std::string_view bytes);
// Ids of the wrong length are zero: it is the receiver who refuses such a span, not the request.
Result<TracesData> decode_traces(std::string_view bytes);

}  // namespace mcptrace::otlp
