#include <gtest/gtest.h>

#include "otlp/encode.h"

namespace mcptrace::otlp {
namespace {

trace::SpanHeader full_header() {
  trace::SpanHeader header;
  header.trace_id.bytes.fill(0xaa);
  header.span_id.bytes.fill(0xbb);
  header.parent_id.bytes.fill(0xcc);
  header.start = Nanos(0x0102030405060708);
  header.duration = Nanos(-2);
  header.session_print = 0xf1f2f3f4f5f6f7f8;
  header.randomness = 0x00e1e2e3e4e5e6e7;
  header.definition = 0xd1d2d3d4d5d6d7d8;
  header.outcome = trace::Outcome::kUnobserved;
  header.operation = trace::Operation::kToolCall;
  header.status = trace::StatusCode::kError;
  header.kind = trace::SpanKind::kClient;
  header.trace_flags = 3;
  header.flags = trace::kRootSpan | trace::kStanding | trace::kStarted;
  header.resource = 0x01020304;
  header.longest_text = 0x0a0b0c0d;
  header.trace_state = {2, 3};
  header.tool = {4, 4};
  return header;
}

std::string header_bytes() {
  std::string bytes;
  append_header(full_header(), bytes);
  return bytes;
}

// Both layouts are on disk: these bytes must never change under their versions.
TEST(SpanHeader, LayoutIsExact) {
  const std::string bytes = header_bytes();
  ASSERT_EQ(bytes.size(), kHeaderBytes);
  EXPECT_EQ(to_hex({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}),
            "0209040211020303"
            "040302010d0c0b0a"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "bbbbbbbbbbbbbbbb"
            "cccccccccccccccc"
            "0807060504030201"
            "feffffffffffffff"
            "f8f7f6f5f4f3f2f1"
            "e7e6e5e4e3e2e100"
            "d8d7d6d5d4d3d2d1"
            "0200000004000000"
            "0300040000000000"
            "0000000000000000");
}

TEST(SpanHeader, TheFirstLayoutIsRead) {
  std::string payload(72, '\0');
  ASSERT_TRUE(
      parse_hex("0109040231000000"
                "0403020100000000"
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                "bbbbbbbbbbbbbbbb"
                "cccccccccccccccc"
                "0807060504030201"
                "feffffffffffffff"
                "f8f7f6f5f4f3f2f1",
                {reinterpret_cast<std::uint8_t*>(payload.data()), payload.size()}));
  payload += "the span";
  trace::SpanHeader header;
  std::string_view span_bytes;
  ASSERT_TRUE(split_record(payload, header, span_bytes));
  EXPECT_EQ(span_bytes, "the span");
  const trace::SpanHeader want = full_header();
  EXPECT_EQ(header.trace_id, want.trace_id);
  EXPECT_EQ(header.duration, want.duration);
  EXPECT_EQ(header.session_print, want.session_print);
  EXPECT_EQ(header.outcome, want.outcome);
  EXPECT_EQ(header.resource, want.resource);
  // Bit 5 was of a record that there is no more.
  EXPECT_EQ(header.flags, trace::kRootSpan | trace::kStanding);
  EXPECT_EQ(header.longest_text, 0xffffffffu) << "nobody has looked";
  EXPECT_EQ(header.tool.size, 0);
}

TEST(SpanHeader, IsReadBack) {
  const std::string payload = header_bytes() + "the span";
  trace::SpanHeader header;
  std::string_view span_bytes;
  ASSERT_TRUE(split_record(payload, header, span_bytes));
  EXPECT_EQ(span_bytes, "the span");
  std::string again;
  append_header(header, again);
  EXPECT_EQ(again, header_bytes());
}

TEST(SpanHeader, TellsWhereThingsStandInTheSpan) {
  for (const auto naming : {trace::Naming::kBoth, trace::Naming::kGuide, trace::Naming::kSemconv}) {
    trace::SpanRecord span;
    span.trace_id.bytes.fill(1);
    span.span_id.bytes.fill(2);
    span.name = "tools/call get_weather";
    span.trace_state = "ot=rv:0123456789abcd";
    const std::string long_text(300, 'x');
    span.add(trace::Attr::kToolName, "get_weather");
    span.add(trace::Attr::kGenAiToolName, "get_weather");
    span.add(trace::Attr::kClientName, std::string_view(long_text));
    std::string payload;
    encode_record(header_of(span), span, naming, payload);
    trace::SpanHeader header;
    std::string_view bytes;
    ASSERT_TRUE(split_record(payload, header, bytes));
    EXPECT_EQ(bytes.substr(header.tool.at, header.tool.size), "get_weather");
    EXPECT_EQ(bytes.substr(header.trace_state.at, header.trace_state.size), span.trace_state);
    EXPECT_EQ(header.longest_text, 300u);
    std::string alone;
    encode_span(span, naming, alone);
    EXPECT_EQ(bytes, alone);
  }
}

TEST(SpanHeader, SpanBytesMayBeEmpty) {
  trace::SpanHeader header;
  std::string_view span_bytes = "left over";
  std::string payload;
  append_header({}, payload);
  ASSERT_TRUE(split_record(payload, header, span_bytes));
  EXPECT_EQ(span_bytes, "");
}

TEST(SpanHeader, RefusesWhatItDoesNotKnow) {
  trace::SpanHeader header;
  std::string_view span_bytes;
  EXPECT_FALSE(split_record("", header, span_bytes));
  EXPECT_FALSE(split_record(std::string_view(header_bytes()).substr(1), header, span_bytes));
  const struct {
    std::size_t place;
    char value;
  } kRows[] = {{0, 3},  {0, 0}, {1, static_cast<char>(trace::Outcome::kCount)}, {2, 5}, {3, 3}, {6, 4},
               {96, 7}, {98, 5}};
  for (const auto& row : kRows) {
    std::string bytes = header_bytes() + "the span";
    bytes[row.place] = row.value;
    EXPECT_FALSE(split_record(bytes, header, span_bytes)) << row.place;
  }
}

TEST(ResourceRecord, IsReadBack) {
  std::string payload;
  append_resource_record(0x0a0b0c0d, "resource", payload);
  EXPECT_EQ(payload, "\x0d\x0c\x0b\x0aresource");
  std::uint32_t number = 0;
  std::string_view bytes;
  ASSERT_TRUE(split_resource_record(payload, number, bytes));
  EXPECT_EQ(number, 0x0a0b0c0du);
  EXPECT_EQ(bytes, "resource");
  EXPECT_FALSE(split_resource_record("abc", number, bytes));
}

}  // namespace
}  // namespace mcptrace::otlp
