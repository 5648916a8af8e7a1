// SpanRecord -> OTLP. From here on a span is its bytes.
// Source: opentelemetry-proto trace/v1/trace.proto, common/v1/common.proto, resource/v1/resource.proto.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "trace/span_record.h"

namespace mcptrace::otlp {

// Appends the bytes of one opentelemetry.proto.trace.v1.Span message (without field tag and length of its own) to
// `out`. Attributes that are not in `naming` are left out.
void encode_span(const trace::SpanRecord& span, trace::Naming naming, std::string& out);

// Appends what turns the bytes of an *_open span into an ended one: end time, outcome, status and attributes. Protobuf
// merges appended fields, so the open bytes are never touched.
struct SpanEnd {
  Nanos end{};  // wall
  trace::Outcome outcome = trace::Outcome::kNone;
  std::string_view error_type;  // empty: none
  std::string_view status_message;
  bool end_unknown = false;     // mcptrace.end=unknown
  std::string_view unobserved;  // mcptrace.unobserved; empty: none
};
void append_end(const SpanEnd& end, std::string& out);

// Appends one opentelemetry.proto.resource.v1.Resource message with string attributes.
void encode_resource(std::span<const std::pair<std::string_view, std::string_view>> attributes, std::string& out);

// A kSpan, kSessionOpen, kCallOpen or kSessionClose record's payload: SpanHeader (fixed layout, described in
// record.cc), then OTLP Span bytes (may be empty for kSessionClose). A kLog record's: the SpanHeader of the span of
// which it is logged, with `start` as the log's time and its places in the log's bytes, then OTLP LogRecord bytes. A
// kResource record's payload: u32 number, then Resource bytes.
inline constexpr std::size_t kHeaderBytes = 112;
void write_header(const trace::SpanHeader& header, char* to);           // exactly kHeaderBytes
void append_header(const trace::SpanHeader& header, std::string& out);  // the same
// Splits a payload of this layout or an earlier one. False if it is too short or of a newer one.
bool split_record(std::string_view payload, trace::SpanHeader& header, std::string_view& span_bytes);
void append_resource_record(std::uint32_t number, std::string_view resource_bytes, std::string& out);
bool split_resource_record(std::string_view payload, std::uint32_t& number, std::string_view& resource_bytes);

// Writes such payloads, each wherever its caller has room: header and span. What spans have in common is encoded once;
// all spans with such attributes are of one maker. At most 300 ns for a tool call (P7).
struct EncodedCommon {
  std::uint32_t serial = 0;
  std::string bytes;  // fields of Span
  trace::SpanHeader::Place tool;
  std::uint32_t longest_text = 0;
};
class RecordEncoder {
 public:
  explicit RecordEncoder(trace::Naming naming) : naming_(naming) {}

  // Bytes that write() may write to; it may use fewer.
  std::size_t room(const trace::SpanRecord& span);
  // `header` but for what it says of the span's bytes. Returns the end.
  char* write(const trace::SpanHeader& header, const trace::SpanRecord& span, char* to);

 private:
  const EncodedCommon& common_of(const trace::SpanRecord& span);

  trace::Naming naming_;
  std::array<EncodedCommon, trace::kMostCommon> known_;
  const EncodedCommon none_;
};
// Appends one, by an encoder of its own.
void encode_record(const trace::SpanHeader& header, const trace::SpanRecord& span, trace::Naming naming,
                   std::string& out);

}  // namespace mcptrace::otlp
