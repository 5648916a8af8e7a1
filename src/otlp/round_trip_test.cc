// Random spans through the encoder and back, against the record that they were made from; random data through
// decode.h's types and back.
#include <gtest/gtest.h>

#include <bit>
#include <deque>
#include <random>

#include "otlp/decode.h"
#include "otlp/encode.h"
#include "otlp/json.h"
#include "otlp/protobuf.h"

namespace mcptrace::otlp {
namespace {

using trace::Attr;
using trace::Attribute;
using trace::Naming;

class Source {
 public:
  explicit Source(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t below(std::uint64_t bound) { return engine_() % bound; }
  bool coin() { return below(2) == 0; }
  // Numbers of every length.
  std::uint64_t number() { return engine_() >> below(64); }

  // Valid UTF-8; mostly short, at times long enough for a length of two and three bytes. Lives as long as this object.
  std::string_view text() {
    static constexpr std::string_view kPieces[] = {"a", "Z9", "é", "€", "🦀", " ", "\n", "_OTHER#"};
    std::string& out = texts_.emplace_back();
    const std::uint64_t size = below(8) == 0 ? below(20'000) : below(200);
    for (std::uint64_t i = below(4) == 0 ? size : 0; i < size; i += 3) out += kPieces[below(std::size(kPieces))];
    return out;
  }

  template <class Id>
  Id id() {
    Id out;
    for (auto& byte : out.bytes) byte = static_cast<std::uint8_t>(below(256));
    out.bytes[0] |= 1;
    return out;
  }

  Attribute attribute() {
    const auto key = static_cast<Attr>(below(static_cast<std::uint64_t>(Attr::kCount)));
    switch (below(4)) {
      case 0:
        return {key, static_cast<std::int64_t>(number())};
      case 1:
        return {key, coin()};
      case 2:
        return {key, std::bit_cast<double>(number())};
      default:
        return {key, text()};
    }
  }

  std::vector<Attribute> attributes() {
    std::vector<Attribute> out;
    for (std::uint64_t n = below(12); n > 0; --n) out.push_back(attribute());
    return out;
  }

  Nanos time() { return Nanos(static_cast<std::int64_t>(number() >> 2)); }

 private:
  std::mt19937_64 engine_;
  std::deque<std::string> texts_;
};

trace::SpanRecord random_record(Source& source) {
  trace::SpanRecord span;
  span.trace_id = source.id<TraceId>();
  span.span_id = source.id<SpanId>();
  if (source.coin()) span.parent_id = source.id<SpanId>();
  span.flags = static_cast<std::uint8_t>(source.below(256));
  span.parent_remote = source.coin();
  span.trace_state = source.text();
  span.name = source.text();
  span.kind = static_cast<trace::SpanKind>(1 + source.below(3));
  span.start = source.time();
  span.duration = source.time();
  span.ended = source.coin();
  span.status = source.coin() ? trace::StatusCode::kError : trace::StatusCode::kUnset;
  if (span.status == trace::StatusCode::kError) span.status_message = source.text();
  span.attributes = source.attributes();
  for (std::uint64_t n = source.below(3); n > 0; --n)
    span.events.push_back({source.time(), source.text(), source.attributes()});
  span.dropped_events = static_cast<std::uint32_t>(source.number());
  for (std::uint64_t n = source.below(3); n > 0; --n) {
    span.links.push_back({source.id<TraceId>(), source.id<SpanId>(), static_cast<std::uint8_t>(source.below(4)),
                          source.text(), source.text()});
  }
  return span;
}

void expect_value(const Value& out, const trace::AttributeValue& in) {
  if (const auto* number = std::get_if<std::int64_t>(&in)) {
    ASSERT_NE(out.integer(), nullptr);
    EXPECT_EQ(*out.integer(), *number);
  } else if (const auto* text = std::get_if<std::string_view>(&in)) {
    ASSERT_NE(out.string(), nullptr);
    EXPECT_EQ(*out.string(), *text);
  } else if (const auto* flag = std::get_if<bool>(&in)) {
    ASSERT_TRUE(std::holds_alternative<bool>(out.v));
    EXPECT_EQ(std::get<bool>(out.v), *flag);
  } else {
    ASSERT_TRUE(std::holds_alternative<double>(out.v));
    EXPECT_EQ(std::bit_cast<std::uint64_t>(std::get<double>(out.v)),
              std::bit_cast<std::uint64_t>(std::get<double>(in)));
  }
}

void expect_attributes(const std::vector<KeyValue>& out, const std::vector<Attribute>& in, Naming naming) {
  std::size_t at = 0;
  for (const Attribute& attribute : in) {
    if (!trace::attr_in(attribute.key, naming)) continue;
    ASSERT_LT(at, out.size());
    EXPECT_EQ(out[at].first, trace::attr_key(attribute.key));
    expect_value(out[at++].second, attribute.value);
  }
  EXPECT_EQ(at, out.size());
}

void expect_span(const Span& out, const trace::SpanRecord& in, Naming naming) {
  EXPECT_EQ(out.trace_id, in.trace_id);
  EXPECT_EQ(out.span_id, in.span_id);
  EXPECT_EQ(out.parent_id, in.parent_id);
  const std::uint32_t parent = in.parent_id.is_zero() ? 0 : in.parent_remote ? 0x300 : 0x100;
  EXPECT_EQ(out.flags, in.flags | parent);
  EXPECT_EQ(out.trace_state, in.trace_state);
  EXPECT_EQ(out.name, in.name);
  EXPECT_EQ(out.kind, static_cast<std::uint32_t>(in.kind));
  EXPECT_EQ(out.start, in.start);
  EXPECT_EQ(out.end, in.ended ? in.start + std::max(in.duration, trace::kShortest) : Nanos(0));
  EXPECT_EQ(out.status, static_cast<std::uint32_t>(in.status));
  EXPECT_EQ(out.status_message, in.status_message);
  expect_attributes(out.attributes, in.attributes, naming);
  EXPECT_EQ(out.dropped_events, in.dropped_events);
  ASSERT_EQ(out.events.size(), in.events.size());
  for (std::size_t i = 0; i < out.events.size(); ++i) {
    EXPECT_EQ(out.events[i].at, in.events[i].at);
    EXPECT_EQ(out.events[i].name, in.events[i].name);
    expect_attributes(out.events[i].attributes, in.events[i].attributes, naming);
  }
  ASSERT_EQ(out.links.size(), in.links.size());
  for (std::size_t i = 0; i < out.links.size(); ++i) {
    EXPECT_EQ(out.links[i].trace_id, in.links[i].trace_id);
    EXPECT_EQ(out.links[i].span_id, in.links[i].span_id);
    EXPECT_EQ(out.links[i].flags, in.links[i].flags);
    EXPECT_EQ(out.links[i].trace_state, in.links[i].trace_state);
    EXPECT_EQ(out.links[i].attributes.size(), in.links[i].relation.empty() ? 0u : 1u);
    if (out.links[i].attributes.empty()) continue;
    EXPECT_EQ(out.links[i].attributes[0].first, "mcptrace.link");
    EXPECT_EQ(*out.links[i].attributes[0].second.string(), in.links[i].relation);
  }
}

TEST(RoundTrip, RandomRecords) {
  std::string bytes;
  for (std::uint64_t seed = 0; seed < 500 && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Source source(seed);
    const trace::SpanRecord record = random_record(source);
    for (const Naming naming : {Naming::kBoth, Naming::kGuide, Naming::kSemconv}) {
      bytes.clear();
      encode_span(record, naming, bytes);
      const auto span = decode_span(bytes);
      ASSERT_TRUE(span) << span.error().message;
      expect_span(*span, record, naming);
    }
  }
}

TEST(RoundTrip, RandomRecordsAreEndedByAppending) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    Source source(seed);
    trace::SpanRecord record = random_record(source);
    record.ended = false;
    std::string bytes;
    encode_span(record, Naming::kBoth, bytes);
    SpanEnd end;
    end.end = source.time();
    end.outcome = static_cast<trace::Outcome>(1 + source.below(static_cast<std::uint64_t>(trace::Outcome::kCount) - 1));
    end.status_message = source.text();
    append_end(end, bytes);
    const auto span = decode_span(bytes);
    ASSERT_TRUE(span) << span.error().message;
    EXPECT_EQ(span->end, end.end);
    EXPECT_EQ(span->name, record.name);
    ASSERT_NE(span->attribute("mcp.outcome"), nullptr);
    EXPECT_EQ(*span->attribute("mcp.outcome")->string(), trace::outcome_text(end.outcome));
    if (trace::outcome_is_error(end.outcome)) {
      EXPECT_EQ(span->status, 2u);
    }
  }
}

Value random_value(Source& source, int depth) {
  switch (source.below(depth > 0 ? 8 : 6)) {
    case 0:
      return {};
    case 1:
      return {std::string(source.text())};
    case 2:
      return {source.coin()};
    case 3:
      return {static_cast<std::int64_t>(source.number())};
    case 4:
      return {static_cast<double>(source.number())};
    case 5:
      return {Bytes{std::string(source.below(20), '\xff')}};
    case 6: {
      std::vector<Value> values;
      for (std::uint64_t n = source.below(4); n > 0; --n) values.push_back(random_value(source, depth - 1));
      return {std::move(values)};
    }
    default: {
      std::vector<KeyValue> pairs;
      for (std::uint64_t n = source.below(4); n > 0; --n)
        pairs.push_back({std::string(source.text()), random_value(source, depth - 1)});
      return {std::move(pairs)};
    }
  }
}

std::string protobuf_of(const TracesData& traces) {
  std::string out;
  append_protobuf(traces, out);
  return out;
}

std::string json_of(const TracesData& traces) {
  std::string out;
  append_json(traces, out);
  return out;
}

TEST(RoundTrip, RandomTracesData) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    Source source(seed);
    TracesData traces;
    ResourceSpans& resource = traces.resources.emplace_back();
    resource.schema_url = source.text();
    resource.resource.attributes.push_back({std::string(source.text()), random_value(source, 3)});
    ScopeSpans& scope = resource.scopes.emplace_back();
    scope.scope.name = source.text();
    for (int i = 0; i < 3; ++i) {
      std::string bytes;
      encode_span(random_record(source), Naming::kBoth, bytes);
      Span span = *decode_span(bytes);
      span.attributes.push_back({std::string(source.text()), random_value(source, 5)});
      span.dropped_attributes = static_cast<std::uint32_t>(source.number());
      span.dropped_links = static_cast<std::uint32_t>(source.number());
      scope.spans.push_back(std::move(span));
    }
    const std::string bytes = protobuf_of(traces);
    const auto again = decode_traces(bytes);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(protobuf_of(*again), bytes) << seed;
    EXPECT_EQ(json_of(*again), json_of(traces)) << seed;
  }
}

}  // namespace
}  // namespace mcptrace::otlp
