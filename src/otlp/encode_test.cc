#include "otlp/encode.h"

#include <gtest/gtest.h>

#include "otlp/decode.h"

namespace mcptrace::otlp {
namespace {

using namespace std::string_view_literals;
using trace::Attr;
using trace::Naming;
using trace::Outcome;

// "0a 10 ff" -> bytes.
std::string bytes_of(std::string_view hex) {
  std::string digits;
  for (const char c : hex) {
    if (c != ' ' && c != '\n') digits += c;
  }
  std::string bytes(digits.size() / 2, '\0');
  EXPECT_TRUE(parse_hex(digits, {reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()}));
  return bytes;
}

std::string hex_of(std::string_view bytes) {
  return to_hex({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}

trace::SpanRecord small_span() {
  trace::SpanRecord span;
  for (std::uint8_t i = 0; i < 16; ++i) span.trace_id.bytes[i] = static_cast<std::uint8_t>(0xa0 + i);
  for (std::uint8_t i = 0; i < 8; ++i) span.span_id.bytes[i] = static_cast<std::uint8_t>(0x10 + i);
  span.name = "mcp.ping";
  span.kind = trace::SpanKind::kServer;
  span.start = Nanos(0x0102030405060708);
  span.duration = Nanos(0xff);
  return span;
}

std::string encoded(const trace::SpanRecord& span, Naming naming = Naming::kBoth) {
  std::string out;
  encode_span(span, naming, out);
  return out;
}

Span decoded(std::string_view bytes) {
  auto span = decode_span(bytes);
  EXPECT_TRUE(span) << span.error().message;
  return span ? *span : Span{};
}

std::string text(const Span& span, std::string_view key) {
  const Value* value = span.attribute(key);
  return value != nullptr && value->string() != nullptr ? *value->string() : "-";
}

// The bytes below are written by hand from trace.proto and common.proto.
constexpr std::string_view kSmallIds =
    "0a10 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
    "1208 1011121314151617";

TEST(EncodeSpan, SmallestSpanIsExact) {
  EXPECT_EQ(hex_of(encoded(small_span())), hex_of(bytes_of(std::string(kSmallIds) + "2a08 6d63702e70696e67"    // name
                                                                                    "3002"                     // kind
                                                                                    "39 0807060504030201"      // start
                                                                                    "41 0708060504030201")));  // end
}

TEST(EncodeSpan, EveryFieldIsExact) {
  trace::SpanRecord span = small_span();
  span.parent_id.bytes.fill(0x22);
  span.parent_remote = true;
  span.flags = 3;
  span.trace_state = "a=b";
  span.ended = false;
  span.status = trace::StatusCode::kError;
  span.status_message = "no";
  span.dropped_events = 300;
  span.add(Attr::kLate, true);
  span.add(Attr::kErrorCode, std::int64_t{-1});
  span.attributes.push_back({Attr::kEra, 1.5});
  trace::SpanEvent& event = span.events.emplace_back();
  event.at = Nanos(1);
  event.name = "e";
  event.attributes.push_back({Attr::kEra, "m"sv});
  trace::SpanLink& link = span.links.emplace_back();
  link.trace_id = span.trace_id;
  link.span_id = span.span_id;
  link.flags = 1;
  link.trace_state = "c=d";
  link.relation = "retry";
  const std::string want = std::string(kSmallIds) +
                           "1a03 613d62"                                                         // trace state
                           "2208 2222222222222222"                                               // parent
                           "2a08 6d63702e70696e67"                                               // name
                           "3002 39 0807060504030201"                                            // kind, start
                           "4a0e 0a08 6d63702e6c617465 1202 1001"                                // mcp.late: true
                           "4a1d 0a0e 6d63702e6572726f725f636f6465 120b 18ffffffffffffffffff01"  // mcp.error_code: -1
                           "4a14 0a07 6d63702e657261 1209 21 000000000000f83f"                   // mcp.era: 1.5
                           "5a1c 09 0100000000000000 1201 65 1a0e 0a07 6d63702e657261 1203 0a01 6d"
                           "60ac02"  // dropped events
                           "6a40 0a10 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 1208 1011121314151617 1a03 633d64"
                           "  2218 0a0d 6d637074726163652e6c696e6b"  // mcptrace.link
                           "    1207 0a05 7265747279"                // retry
                           "  35 01000000"
                           "7a06 1202 6e6f 1802"  // status
                           "8501 03030000";       // flags: 3, and the parent is known to be remote
  EXPECT_EQ(hex_of(encoded(span)), hex_of(bytes_of(want)));
}

TEST(EncodeSpan, AppendsToWhatIsThere) {
  std::string out = "before";
  encode_span(small_span(), Naming::kBoth, out);
  EXPECT_EQ(out, "before" + encoded(small_span()));
}

TEST(EncodeSpan, NamingChoosesAttributes) {
  trace::SpanRecord span = small_span();
  span.add(Attr::kToolName, "t");
  span.add(Attr::kGenAiToolName, "t");
  span.add(Attr::kEra, "modern");
  span.events.emplace_back().attributes = span.attributes;
  const auto keys = [&span](Naming naming) {
    std::string all;
    const Span out = decoded(encoded(span, naming));
    for (const auto& [key, value] : out.attributes) all += key + " ";
    all += "|";
    for (const auto& [key, value] : out.events.at(0).attributes) all += " " + key;
    return all;
  };
  EXPECT_EQ(keys(Naming::kBoth), "mcp.tool_name gen_ai.tool.name mcp.era | mcp.tool_name gen_ai.tool.name mcp.era");
  EXPECT_EQ(keys(Naming::kGuide), "mcp.tool_name mcp.era | mcp.tool_name mcp.era");
  EXPECT_EQ(keys(Naming::kSemconv), "gen_ai.tool.name mcp.era | gen_ai.tool.name mcp.era");
}

TEST(EncodeSpan, EveryAttributeKeyArrives) {
  trace::SpanRecord span = small_span();
  for (std::size_t i = 0; i < static_cast<std::size_t>(Attr::kCount); ++i) {
    span.add(static_cast<Attr>(i), static_cast<std::int64_t>(i));
  }
  const Span out = decoded(encoded(span));
  ASSERT_EQ(out.attributes.size(), span.attributes.size());
  for (std::size_t i = 0; i < out.attributes.size(); ++i) {
    EXPECT_EQ(out.attributes[i].first, trace::attr_key(static_cast<Attr>(i)));
    ASSERT_NE(out.attributes[i].second.integer(), nullptr);
    EXPECT_EQ(*out.attributes[i].second.integer(), static_cast<std::int64_t>(i));
  }
}

TEST(EncodeSpan, StatusMessageOnlyWithAnError) {
  trace::SpanRecord span = small_span();
  span.status_message = "not said";
  EXPECT_EQ(decoded(encoded(span)).status_message, "");
  span.status = trace::StatusCode::kError;
  EXPECT_EQ(decoded(encoded(span)).status_message, "not said");
}

TEST(EncodeSpan, NoTimeIsBefore1970NorAnySpanWithoutLength) {
  trace::SpanRecord span = small_span();
  for (const Nanos duration : {Nanos(-5), Nanos(0), Nanos(1), Nanos::min()}) {
    span.duration = duration;
    EXPECT_EQ(decoded(encoded(span)).end, span.start + Nanos(1));
    EXPECT_EQ(header_of(span).duration, Nanos(1));
  }
  for (const Nanos start : {Nanos(-1), Nanos(-100), Nanos::min()}) {
    span.start = start;
    span.duration = Nanos(0);
    EXPECT_EQ(decoded(encoded(span)).start, Nanos(0));
    EXPECT_EQ(decoded(encoded(span)).end, Nanos(1));
  }
  span.ended = false;  // it has none
  EXPECT_EQ(decoded(encoded(span)).end, Nanos(0));
}

TEST(EncodeSpan, FlagsSayWhetherTheParentIsRemote) {
  trace::SpanRecord span = small_span();
  span.flags = 1;
  span.parent_remote = true;
  EXPECT_EQ(decoded(encoded(span)).flags, 0x001u);
  span.parent_id.bytes[0] = 1;
  EXPECT_EQ(decoded(encoded(span)).flags, 0x301u);
  span.parent_remote = false;
  EXPECT_EQ(decoded(encoded(span)).flags, 0x101u);
}

TEST(AppendEnd, EndsAnOpenSpan) {
  trace::SpanRecord span = small_span();
  span.ended = false;
  span.add(Attr::kToolName, "t");
  std::string bytes = encoded(span);
  EXPECT_EQ(decoded(bytes).end, Nanos(0));
  append_end({.end = Nanos(0x0102030405060800),
              .outcome = Outcome::kAbandoned,
              .error_type = "killed",
              .status_message = "abandoned",
              .end_unknown = true,
              .unobserved = "tap"},
             bytes);
  const Span out = decoded(bytes);
  EXPECT_EQ(out.end, Nanos(0x0102030405060800));
  EXPECT_EQ(out.start, span.start);
  EXPECT_EQ(out.name, "mcp.ping");
  EXPECT_EQ(text(out, "mcp.tool_name"), "t");
  EXPECT_EQ(text(out, "mcp.outcome"), "abandoned");
  EXPECT_EQ(text(out, "error.type"), "killed");
  EXPECT_EQ(text(out, "mcptrace.end"), "unknown");
  EXPECT_EQ(text(out, "mcptrace.unobserved"), "tap");
  EXPECT_EQ(out.status, 2u);
  EXPECT_EQ(out.status_message, "abandoned");
}

TEST(AppendEnd, LeavesOutWhatIsNotSaid) {
  std::string bytes = encoded(small_span());
  append_end({.end = Nanos(5),
              .outcome = Outcome::kOk,
              .error_type = {},
              .status_message = "not said",
              .end_unknown = false,
              .unobserved = {}},
             bytes);
  const Span out = decoded(bytes);
  EXPECT_EQ(out.end, Nanos(5));
  ASSERT_EQ(out.attributes.size(), 1u);
  EXPECT_EQ(text(out, "mcp.outcome"), "ok");
  EXPECT_EQ(out.status, 0u);
  EXPECT_EQ(out.status_message, "");
  bytes.clear();
  append_end({}, bytes);
  EXPECT_EQ(hex_of(bytes), "410000000000000000");
}

TEST(EncodeResource, IsExact) {
  const std::pair<std::string_view, std::string_view> attributes[] = {{"a", "x"}, {"b", ""}};
  std::string out;
  encode_resource(attributes, out);
  EXPECT_EQ(hex_of(out), hex_of(bytes_of("0a08 0a01 61 1203 0a01 78"
                                         "0a07 0a01 62 1202 0a00")));
  const auto resource = decode_resource(out);
  ASSERT_TRUE(resource);
  ASSERT_NE(resource->attribute("a"), nullptr);
  EXPECT_EQ(*resource->attribute("a")->string(), "x");
  EXPECT_EQ(*resource->attribute("b")->string(), "");
  EXPECT_EQ(resource->attribute("c"), nullptr);
}

}  // namespace
}  // namespace mcptrace::otlp
