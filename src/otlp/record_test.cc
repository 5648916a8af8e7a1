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
  header.outcome = trace::Outcome::kUnobserved;
  header.operation = trace::Operation::kToolCall;
  header.status = trace::StatusCode::kError;
  header.flags = trace::kRootSpan | trace::kStanding;
  header.resource = 0x01020304;
  return header;
}

std::string header_bytes() {
  std::string bytes;
  append_header(full_header(), bytes);
  return bytes;
}

// The layout is on disk: these bytes must never change under version 1.
TEST(SpanHeader, LayoutIsExact) {
  const std::string bytes = header_bytes();
  ASSERT_EQ(bytes.size(), kHeaderBytes);
  EXPECT_EQ(to_hex({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}),
            "0109040211000000"
            "0403020100000000"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "bbbbbbbbbbbbbbbb"
            "cccccccccccccccc"
            "0807060504030201"
            "feffffffffffffff"
            "f8f7f6f5f4f3f2f1");
}

TEST(SpanHeader, IsReadBack) {
  const std::string payload = header_bytes() + "the span";
  trace::SpanHeader header;
  std::string_view span_bytes;
  ASSERT_TRUE(split_record(payload, header, span_bytes));
  const trace::SpanHeader want = full_header();
  EXPECT_EQ(span_bytes, "the span");
  EXPECT_EQ(header.trace_id, want.trace_id);
  EXPECT_EQ(header.span_id, want.span_id);
  EXPECT_EQ(header.parent_id, want.parent_id);
  EXPECT_EQ(header.start, want.start);
  EXPECT_EQ(header.duration, want.duration);
  EXPECT_EQ(header.session_print, want.session_print);
  EXPECT_EQ(header.outcome, want.outcome);
  EXPECT_EQ(header.operation, want.operation);
  EXPECT_EQ(header.status, want.status);
  EXPECT_EQ(header.flags, want.flags);
  EXPECT_EQ(header.resource, want.resource);
}

TEST(SpanHeader, SpanBytesMayBeEmpty) {
  trace::SpanHeader header;
  std::string_view span_bytes = "left over";
  const std::string payload = header_bytes();
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
  } kRows[] = {{0, 2}, {0, 0}, {1, static_cast<char>(trace::Outcome::kCount)}, {2, 5}, {3, 3}};
  for (const auto& row : kRows) {
    std::string bytes = header_bytes();
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
