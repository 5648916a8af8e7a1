// The payload of a kSpan, kSessionOpen, kCallOpen or kSessionClose record (little endian):
//
//    0  u8      layout version, 2
//    1  u8      outcome      (trace::Outcome)
//    2  u8      operation    (trace::Operation)
//    3  u8      status       (OTLP's code)
//    4  u16     flags        (trace::HeaderFlag)
//    6  u8      kind         (OTLP's)
//    7  u8      trace flags  (W3C's)
//    8  u32     resource     number of the kResource record in the same file
//   12  u32     longest text: bytes of the longest attribute value
//   16  u8[16]  trace id
//   32  u8[8]   span id
//   40  u8[8]   parent span id, zero = none
//   48  i64     start, wall clock, ns since 1970
//   56  i64     duration, ns
//   64  u64     session print
//   72  u64     randomness
//   80  u64     definition of the tool, zero = not known
//   88  u32     where the tracestate stands in the span's bytes
//   92  u32     where the tool's name stands there
//   96  u16     size of the tracestate, zero = none
//   98  u16     size of the tool's name, zero = none
//  100  u8[12]  zero
//  112          OTLP Span bytes, to the end
//
// Version 1, which is read: flags are a u8 at 4, the OTLP bytes begin at 72, and what else stands behind the session
// print, and at 6 and 12, is not there.
//
// The payload of a kLog record is the same, with OTLP LogRecord bytes.
//
// A kResource record's payload: u32 number, then OTLP Resource bytes.
//
// A change of the layout, or a new enumerator that an old reader would misunderstand, counts the version up; readers
// refuse versions and enumerators that they do not know.
#include <cstring>

#include "otlp/encode.h"
#include "otlp/wire.h"

namespace mcptrace::otlp {
namespace {

constexpr std::uint8_t kLayoutVersion = 2;
constexpr std::size_t kFirstHeaderBytes = 72;  // of version 1
// Its flag for a session that was told elsewhere, which is no more.
constexpr std::uint16_t kFirstFlags = 0xdf;

template <class Number>
Number read_little_endian(const char* from) {
  Number value = 0;
  for (std::size_t i = sizeof(Number); i-- > 0;) {
    value = static_cast<Number>(value << 8) | static_cast<std::uint8_t>(from[i]);
  }
  return value;
}

template <class Enum>
bool read_enum(char from, Enum last, Enum& out) {
  const auto value = static_cast<std::uint8_t>(from);
  out = static_cast<Enum>(value);
  return value <= static_cast<std::uint8_t>(last);
}

Nanos read_nanos(const char* from) { return Nanos(static_cast<std::int64_t>(read_little_endian<std::uint64_t>(from))); }

}  // namespace

void write_header(const trace::SpanHeader& header, char* to) {
  to[0] = static_cast<char>(kLayoutVersion);
  to[1] = static_cast<char>(header.outcome);
  to[2] = static_cast<char>(header.operation);
  to[3] = static_cast<char>(header.status);
  write_little_endian(to + 4, header.flags);
  to[6] = static_cast<char>(header.kind);
  to[7] = static_cast<char>(header.trace_flags);
  write_little_endian(to + 8, header.resource);
  write_little_endian(to + 12, header.longest_text);
  std::memcpy(to + 16, header.trace_id.bytes.data(), 16);
  std::memcpy(to + 32, header.span_id.bytes.data(), 8);
  std::memcpy(to + 40, header.parent_id.bytes.data(), 8);
  write_little_endian(to + 48, static_cast<std::uint64_t>(header.start.count()));
  write_little_endian(to + 56, static_cast<std::uint64_t>(header.duration.count()));
  write_little_endian(to + 64, header.session_print);
  write_little_endian(to + 72, header.randomness);
  write_little_endian(to + 80, header.definition);
  write_little_endian(to + 88, header.trace_state.at);
  write_little_endian(to + 92, header.tool.at);
  write_little_endian(to + 96, header.trace_state.size);
  write_little_endian(to + 98, header.tool.size);
  std::memset(to + 100, 0, kHeaderBytes - 100);
}

void append_header(const trace::SpanHeader& header, std::string& out) {
  char bytes[kHeaderBytes];
  write_header(header, bytes);
  out.append(bytes, sizeof(bytes));
}

namespace {

bool is_within(const trace::SpanHeader::Place& place, std::size_t size) {
  return place.size == 0 || (place.at <= size && place.size <= size - place.at);
}

// What only version 2 has; false where it cannot be.
bool read_rest(const char* from, std::size_t span_size, trace::SpanHeader& header) {
  header.flags = read_little_endian<std::uint16_t>(from + 4);
  if (!read_enum(from[6], trace::SpanKind::kClient, header.kind)) return false;
  header.trace_flags = static_cast<std::uint8_t>(from[7]);
  header.longest_text = read_little_endian<std::uint32_t>(from + 12);
  header.randomness = read_little_endian<std::uint64_t>(from + 72);
  header.definition = read_little_endian<std::uint64_t>(from + 80);
  header.trace_state = {read_little_endian<std::uint32_t>(from + 88), read_little_endian<std::uint16_t>(from + 96)};
  header.tool = {read_little_endian<std::uint32_t>(from + 92), read_little_endian<std::uint16_t>(from + 98)};
  return is_within(header.trace_state, span_size) && is_within(header.tool, span_size);
}

}  // namespace

bool split_record(std::string_view payload, trace::SpanHeader& header, std::string_view& span_bytes) {
  if (payload.size() < kFirstHeaderBytes) return false;
  const char* bytes = payload.data();
  const auto version = static_cast<std::uint8_t>(bytes[0]);
  if (version == 0 || version > kLayoutVersion) return false;
  if (!read_enum(bytes[1], trace::Outcome::kRedirected, header.outcome)) return false;
  if (!read_enum(bytes[2], trace::Operation::kToolCall, header.operation)) return false;
  if (!read_enum(bytes[3], trace::StatusCode::kError, header.status)) return false;
  header.resource = read_little_endian<std::uint32_t>(bytes + 8);
  std::memcpy(header.trace_id.bytes.data(), bytes + 16, 16);
  std::memcpy(header.span_id.bytes.data(), bytes + 32, 8);
  std::memcpy(header.parent_id.bytes.data(), bytes + 40, 8);
  header.start = read_nanos(bytes + 48);
  header.duration = read_nanos(bytes + 56);
  header.session_print = read_little_endian<std::uint64_t>(bytes + 64);
  if (version == 1) {
    header.flags = static_cast<std::uint8_t>(bytes[4]) & kFirstFlags;
    header.longest_text = ~std::uint32_t{0};  // nobody has looked
    span_bytes = payload.substr(kFirstHeaderBytes);
    return true;
  }
  if (payload.size() < kHeaderBytes) return false;
  span_bytes = payload.substr(kHeaderBytes);
  return read_rest(bytes, span_bytes.size(), header);
}

void append_resource_record(std::uint32_t number, std::string_view resource_bytes, std::string& out) {
  char bytes[sizeof(number)];
  write_little_endian(bytes, number);
  out.append(bytes, sizeof(bytes)).append(resource_bytes);
}

bool split_resource_record(std::string_view payload, std::uint32_t& number, std::string_view& resource_bytes) {
  if (payload.size() < sizeof(number)) return false;
  number = read_little_endian<std::uint32_t>(payload.data());
  resource_bytes = payload.substr(sizeof(number));
  return true;
}

}  // namespace mcptrace::otlp
