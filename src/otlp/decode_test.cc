#include "otlp/decode.h"

#include <gmock/gmock.h>

#include "otlp/protobuf.h"

namespace mcptrace::otlp {
namespace {

using testing::HasSubstr;

std::string ids() {
  std::string out;
  append_bytes(out, 1, std::string(16, 't'));
  append_bytes(out, 2, std::string(8, 's'));
  return out;
}

// A message field around `content`.
std::string wrapped(std::uint32_t field, std::string_view content) {
  std::string out;
  append_bytes(out, field, content);
  return out;
}

std::string attribute(std::string_view key, std::string_view value) {
  return wrapped(9, wrapped(1, key) + wrapped(2, wrapped(1, value)));
}

Span decoded(std::string_view bytes) {
  auto span = decode_span(bytes);
  EXPECT_TRUE(span) << span.error().message;
  return span ? *span : Span{};
}

Error refused(std::string_view bytes) {
  const auto span = decode_span(bytes);
  EXPECT_FALSE(span);
  return span ? Error{Errc::kIo, "was accepted"} : span.error();
}

// A value of `depth` arrays, one in the other.
std::string nested(int depth, std::uint32_t kind) {
  std::string value;
  while (depth-- > 0) value = wrapped(kind, kind == 5 ? wrapped(1, value) : wrapped(1, wrapped(2, value)));
  return value;
}

std::string with_value(std::string_view value) { return ids() + wrapped(9, wrapped(1, "k") + wrapped(2, value)); }

TEST(DecodeSpan, LastOfARepeatedFieldWins) {
  std::string bytes = ids() + wrapped(5, "first") + wrapped(5, "second");
  append_number(bytes, 6, 1);
  append_number(bytes, 6, 2);
  append_fixed64(bytes, 7, 1);
  append_fixed64(bytes, 7, 2);
  bytes += attribute("a", "1") + attribute("b", "2") + attribute("a", "3");
  const Span span = decoded(bytes);
  EXPECT_EQ(span.name, "second");
  EXPECT_EQ(span.kind, 2u);
  EXPECT_EQ(span.start, Nanos(2));
  ASSERT_EQ(span.attributes.size(), 3u);
  ASSERT_NE(span.attribute("a"), nullptr);
  EXPECT_EQ(*span.attribute("a")->string(), "3");
  EXPECT_EQ(span.attribute("c"), nullptr);
}

TEST(DecodeSpan, RepeatedMessagesAreMerged) {
  std::string code;
  append_number(code, 3, 2);
  const Span span = decoded(ids() + wrapped(15, wrapped(2, "why")) + wrapped(15, code));
  EXPECT_EQ(span.status, 2u);
  EXPECT_EQ(span.status_message, "why");

  const std::string one = wrapped(5, wrapped(1, wrapped(1, "x")));
  const Span list = decoded(with_value(one + one));
  const auto* values = std::get_if<std::vector<Value>>(&list.attribute("k")->v);
  ASSERT_NE(values, nullptr);
  EXPECT_EQ(values->size(), 2u);
  const Span other = decoded(with_value(one + wrapped(1, "a string instead")));
  ASSERT_NE(other.attribute("k")->string(), nullptr);
}

TEST(DecodeSpan, UnknownFieldsAndOtherWireTypesArePassedOver) {
  std::string bytes = ids() + wrapped(5, "name") + wrapped(1000, "unknown");
  append_number(bytes, 5, 7);          // the name as a number
  append_fixed32(bytes, 7, 7);         // a time of 32 bits
  append_fixed64(bytes, 6, 7);         // the kind of 64 bits
  append_number(bytes, 536870911, 7);  // the last field number
  const Span span = decoded(bytes);
  EXPECT_EQ(span.name, "name");
  EXPECT_EQ(span.start, Nanos(0));
  EXPECT_EQ(span.kind, 0u);
}

TEST(DecodeSpan, BadUtf8IsReplaced) {
  std::string bytes = ids() + wrapped(5, "a\xff") + wrapped(3, "\xed\xa0\x80") + attribute("k\xc0", "\xf8v");
  bytes += wrapped(15, wrapped(2, "\xe2\x82"));
  const Span span = decoded(bytes);
  EXPECT_EQ(span.name, "a\xef\xbf\xbd");
  EXPECT_THAT(span.trace_state, HasSubstr("\xef\xbf\xbd"));
  EXPECT_EQ(span.attributes.at(0).first, "k\xef\xbf\xbd");
  EXPECT_EQ(*span.attributes.at(0).second.string(), "\xef\xbf\xbdv");
  EXPECT_THAT(span.status_message, HasSubstr("\xef\xbf\xbd"));
}

TEST(DecodeSpan, TimesAfter2262AreTheLast) {
  std::string bytes = ids();
  append_fixed64(bytes, 7, ~std::uint64_t{0});
  append_fixed64(bytes, 8, std::uint64_t{1} << 63);
  const Span span = decoded(bytes);
  EXPECT_EQ(span.start, Nanos::max());
  EXPECT_EQ(span.end, Nanos::max());
}

TEST(DecodeSpan, IdsAreChecked) {
  const std::string trace_id = wrapped(1, std::string(16, 't'));
  const std::string span_id = wrapped(2, std::string(8, 's'));
  EXPECT_TRUE(decode_span(trace_id + span_id));
  EXPECT_TRUE(decode_span(trace_id + span_id + wrapped(4, "")));
  for (const std::string& bytes : {
           std::string(),
           trace_id,
           span_id,
           wrapped(1, std::string(15, 't')) + span_id,
           wrapped(1, std::string(16, '\0')) + span_id,
           trace_id + wrapped(2, std::string(16, 's')),
           trace_id + wrapped(2, std::string(8, '\0')),
           trace_id + span_id + wrapped(4, "parent"),
       }) {
    EXPECT_EQ(refused(bytes).code, Errc::kCorrupt) << bytes.size();
  }
}

TEST(DecodeSpan, MalformedBytesAreRefusedWithTheirPlace) {
  const struct {
    const char* title;
    std::string tail;
    const char* why;
  } kRows[] = {
      {"tag cut short", "\x80", "a number is cut short"},
      {"number cut short", "\x30\x80", "a number is cut short"},
      {"number without end", "\x30" + std::string(11, '\xff'), "more than 10 bytes"},
      {"fixed64 cut short", "\x39" + std::string(7, 'x'), "a number is cut short"},
      {"fixed32 cut short", std::string("\x85\x01xxx"), "a number is cut short"},
      {"length past the end",
       "\x2a\x05"
       "four",
       "a length runs past the end"},
      {"length of 2 GB", std::string("\x2a\xff\xff\xff\xff\x07"), "a length runs past the end"},
      {"length of 2^64", "\x2a" + std::string(9, '\xff') + "\x01", "a length runs past the end"},
      {"field number 0", std::string("\x02\x00", 2), "no valid field number"},
      {"tag over 32 bits", "\xfa\xff\xff\xff\x7f", "no valid field number"},
      {"group", "\x2b\x2c", "groups"},
      {"wire type 7", "\x2f", "groups and unknown wire types"},
  };
  for (const auto& row : kRows) {
    const Error error = refused(ids() + row.tail);
    EXPECT_EQ(error.code, Errc::kCorrupt) << row.title;
    EXPECT_THAT(error.message, HasSubstr(row.why)) << row.title;
    EXPECT_THAT(error.message, HasSubstr("byte 28 of " + std::to_string(28 + row.tail.size()))) << row.title;
  }
}

TEST(DecodeSpan, PlaceIsInTheWhole) {
  // The attribute begins at 28, its content at 30, its value at 33, the value's content at 35.
  const Error error = refused(with_value("\x0a\x05x"));
  EXPECT_THAT(error.message, HasSubstr("byte 35 of 38"));
}

TEST(DecodeSpan, NestingIsCapped) {
  for (const std::uint32_t kind : {5u, 6u}) {
    EXPECT_TRUE(decode_span(with_value(nested(32, kind)))) << kind;
    const Error error = refused(with_value(nested(33, kind)));
    EXPECT_EQ(error.code, Errc::kCorrupt);
    EXPECT_THAT(error.message, HasSubstr("nested too deep"));
    EXPECT_THAT(refused(with_value(nested(2000, kind))).message, HasSubstr("nested too deep"));
  }
}

TEST(DecodeTraces, EmptyEnvelopes) {
  const auto nothing = decode_traces("");
  ASSERT_TRUE(nothing);
  EXPECT_TRUE(nothing->resources.empty());
  const auto empty = decode_traces(wrapped(1, wrapped(2, wrapped(2, ""))));
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->resources.at(0).scopes.at(0).spans.size(), 1u);
}

TEST(DecodeTraces, BadIdsAreZeroAndTheRestStays) {
  const std::string bad = wrapped(1, "short") + wrapped(2, std::string(9, 's')) + wrapped(4, "p") + wrapped(5, "bad");
  const auto traces = decode_traces(wrapped(1, wrapped(2, wrapped(2, bad) + wrapped(2, ids() + wrapped(5, "good")))));
  ASSERT_TRUE(traces);
  const std::vector<Span>& spans = traces->resources.at(0).scopes.at(0).spans;
  ASSERT_EQ(spans.size(), 2u);
  EXPECT_TRUE(spans[0].trace_id.is_zero() && spans[0].span_id.is_zero() && spans[0].parent_id.is_zero());
  EXPECT_EQ(spans[0].name, "bad");
  EXPECT_FALSE(spans[1].trace_id.is_zero());
  EXPECT_EQ(spans[1].name, "good");
}

TEST(DecodeTraces, AllFieldsOfTheEnvelope) {
  const std::string pair = wrapped(1, "service.name") + wrapped(2, wrapped(1, "weather"));
  const std::string scope = wrapped(1, "mcptrace") + wrapped(2, "1.0") + wrapped(3, pair);
  const auto traces = decode_traces(wrapped(
      1, wrapped(1, wrapped(1, pair)) + wrapped(2, wrapped(1, scope) + wrapped(3, "url-a")) + wrapped(3, "url-b")));
  ASSERT_TRUE(traces);
  const ResourceSpans& resource = traces->resources.at(0);
  EXPECT_EQ(*resource.resource.attribute("service.name")->string(), "weather");
  EXPECT_EQ(resource.schema_url, "url-b");
  const ScopeSpans& spans = resource.scopes.at(0);
  EXPECT_EQ(spans.scope.name, "mcptrace");
  EXPECT_EQ(spans.scope.version, "1.0");
  EXPECT_EQ(spans.scope.attributes.at(0).first, "service.name");
  EXPECT_EQ(spans.schema_url, "url-a");
}

TEST(DecodeTraces, MemoryIsBounded) {
  std::string spans;
  for (int i = 0; i < 100'000; ++i) spans += wrapped(2, "");  // 200 kB that would be some 25 MB
  const auto traces = decode_traces(wrapped(1, wrapped(2, spans)));
  ASSERT_FALSE(traces);
  EXPECT_EQ(traces.error().code, Errc::kLimit);
  EXPECT_THAT(traces.error().message, HasSubstr("too many empty elements"));
}

TEST(DecodeTraces, SmallHonestSpansAreWithinTheMemoryBound) {
  std::string span = ids() + wrapped(5, "x");
  append_fixed64(span, 7, 1);
  append_fixed64(span, 8, 2);
  std::string yes;
  append_number(yes, 2, 1);
  for (int i = 0; i < 8; ++i) span += wrapped(9, wrapped(1, "k") + wrapped(2, yes));
  std::string spans;
  for (int i = 0; i < 10'000; ++i) spans += wrapped(2, span);
  const auto traces = decode_traces(wrapped(1, wrapped(2, spans)));
  ASSERT_TRUE(traces) << traces.error().message;
  EXPECT_EQ(traces->resources.at(0).scopes.at(0).spans.size(), 10'000u);
}

TEST(DecodeTraces, EveryCutOfAValidRequestIsAnErrorOrShorter) {
  const std::string whole = wrapped(1, wrapped(2, wrapped(2, ids() + wrapped(5, "name") + attribute("k", "v"))));
  for (std::size_t size = 1; size < whole.size(); ++size) {
    EXPECT_FALSE(decode_traces(std::string_view(whole).substr(0, size))) << size;
  }
  EXPECT_TRUE(decode_traces(whole));
}

}  // namespace
}  // namespace mcptrace::otlp
