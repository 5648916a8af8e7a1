// The payload of a kSpan, kSessionOpen, kCallOpen or kSessionClose record (little endian):
//
//    0  u8      layout version, 1
//    1  u8      outcome      (trace::Outcome)
//    2  u8      operation    (trace::Operation)
//    3  u8      status       (OTLP's code)
//    4  u8      flags        (trace::HeaderFlag)
//    5  u8[3]   zero
//    8  u32     resource     number of the kResource record in the same file
//   12  u32     zero
//   16  u8[16]  trace id
//   32  u8[8]   span id
//   40  u8[8]   parent span id, zero = none
//   48  i64     start, wall clock, ns since 1970
//   56  i64     duration, ns
//   64  u64     session print
//   72          OTLP Span bytes, to the end
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

constexpr std::uint8_t kLayoutVersion = 1;

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

void append_header(const trace::SpanHeader& header, std::string& out) {
  char bytes[kHeaderBytes] = {};
  bytes[0] = static_cast<char>(kLayoutVersion);
  bytes[1] = static_cast<char>(header.outcome);
  bytes[2] = static_cast<char>(header.operation);
  bytes[3] = static_cast<char>(header.status);
  bytes[4] = static_cast<char>(header.flags);
  write_little_endian(bytes + 8, header.resource);
  std::memcpy(bytes + 16, header.trace_id.bytes.data(), 16);
  std::memcpy(bytes + 32, header.span_id.bytes.data(), 8);
  std::memcpy(bytes + 40, header.parent_id.bytes.data(), 8);
  write_little_endian(bytes + 48, static_cast<std::uint64_t>(header.start.count()));
  write_little_endian(bytes + 56, static_cast<std::uint64_t>(header.duration.count()));
  write_little_endian(bytes + 64, header.session_print);
  out.append(bytes, sizeof(bytes));
}

bool split_record(std::string_view payload, trace::SpanHeader& header, std::string_view& span_bytes) {
  if (payload.size() < kHeaderBytes) return false;
  const char* bytes = payload.data();
  if (static_cast<std::uint8_t>(bytes[0]) != kLayoutVersion) return false;
  if (!read_enum(bytes[1], trace::Outcome::kRedirected, header.outcome)) return false;
  if (!read_enum(bytes[2], trace::Operation::kToolCall, header.operation)) return false;
  if (!read_enum(bytes[3], trace::StatusCode::kError, header.status)) return false;
  header.flags = static_cast<std::uint8_t>(bytes[4]);
  header.resource = read_little_endian<std::uint32_t>(bytes + 8);
  std::memcpy(header.trace_id.bytes.data(), bytes + 16, 16);
  std::memcpy(header.span_id.bytes.data(), bytes + 32, 8);
  std::memcpy(header.parent_id.bytes.data(), bytes + 40, 8);
  header.start = read_nanos(bytes + 48);
  header.duration = read_nanos(bytes + 56);
  header.session_print = read_little_endian<std::uint64_t>(bytes + 64);
  span_bytes = payload.substr(kHeaderBytes);
  return true;
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
