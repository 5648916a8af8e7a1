// The protobuf wire format, as little of it as OTLP needs. Private to this folder.
//
// Reader takes foreign bytes apart: every field is read whole by next(), so that an unknown one is passed over by not
// looking at it. It never throws and never reads past its end; the first malformed byte ends it. The append_ functions
// write the other way, for messages whose speed does not matter (encode.cc has a writer of its own for spans).
//
//   Reader reader(bytes);
//   while (reader.next()) {
//     if (reader.is(1, Wire::kBytes)) name = reader.bytes();
//   }
//   if (const char* why = reader.failure()) ...   // at reader.place()
//
// Source: protobuf.dev, "Encoding".
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace mcptrace::otlp {

enum class Wire : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

constexpr std::uint32_t tag_of(std::uint32_t field, Wire wire) { return field << 3 | static_cast<std::uint32_t>(wire); }

class Reader {
 public:
  explicit Reader(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  // Reads one field; false at the end, and at the first byte that cannot be.
  bool next();
  [[nodiscard]] bool is(std::uint32_t field, Wire wire) const { return tag_ == tag_of(field, wire); }
  // The field read, as number and wire type in one: for a switch over tag_of().
  [[nodiscard]] std::uint32_t tag() const { return tag_; }
  [[nodiscard]] std::uint64_t number() const { return number_; }  // varint, fixed32, fixed64
  [[nodiscard]] std::string_view bytes() const { return bytes_; }

  [[nodiscard]] const char* failure() const { return failure_; }  // null: none
  [[nodiscard]] const char* place() const { return field_; }      // where the field begins that was read last

 private:
  bool read_varint(std::uint64_t& value);
  bool read_fixed(std::size_t size);
  bool fail(const char* why) { return failure_ = why, false; }

  const char* at_;
  const char* end_;
  const char* field_ = nullptr;
  const char* failure_ = nullptr;
  std::uint32_t tag_ = 0;
  std::uint64_t number_ = 0;
  std::string_view bytes_;
};

inline bool Reader::read_varint(std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    if (at_ == end_) return fail("a number is cut short");
    const auto byte = static_cast<std::uint8_t>(*at_++);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return fail("a number has more than 10 bytes");
}

inline bool Reader::read_fixed(std::size_t size) {
  if (static_cast<std::size_t>(end_ - at_) < size) return fail("a number is cut short");
  number_ = 0;
  for (std::size_t i = size; i-- > 0;) number_ = number_ << 8 | static_cast<std::uint8_t>(at_[i]);
  at_ += size;
  return true;
}

inline bool Reader::next() {
  if (failure_ != nullptr || at_ == end_) return false;
  field_ = at_;
  std::uint64_t tag = 0;
  if (!read_varint(tag)) return false;
  if (tag > 0xffffffff || tag >> 3 == 0) return fail("no valid field number");
  tag_ = static_cast<std::uint32_t>(tag);
  switch (tag_ & 7) {
    case static_cast<std::uint32_t>(Wire::kVarint):
      return read_varint(number_);
    case static_cast<std::uint32_t>(Wire::kFixed64):
      return read_fixed(8);
    case static_cast<std::uint32_t>(Wire::kFixed32):
      return read_fixed(4);
    case static_cast<std::uint32_t>(Wire::kBytes): {
      std::uint64_t size = 0;
      if (!read_varint(size)) return false;
      if (size > static_cast<std::uint64_t>(end_ - at_)) return fail("a length runs past the end");
      bytes_ = {at_, static_cast<std::size_t>(size)};
      at_ += size;
      return true;
    }
    default:
      return fail("groups and unknown wire types are not read");
  }
}

constexpr std::size_t varint_size(std::uint64_t value) {
  return (static_cast<std::size_t>(std::bit_width(value | 1)) + 6) / 7;
}

// Writes `value` at `to`, where there is room for 10 bytes; returns the end.
inline char* write_varint(char* to, std::uint64_t value) {
  while (value >= 0x80) {
    *to++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *to++ = static_cast<char>(value);
  return to;
}

template <class Number>
char* write_little_endian(char* to, Number value) {
  // By one store: no compiler makes one of a loop over bytes that may alias.
  if constexpr (std::endian::native == std::endian::big) value = std::byteswap(value);
  std::memcpy(to, &value, sizeof(value));
  return to + sizeof(value);
}

inline void append_varint(std::string& out, std::uint64_t value) {
  char buffer[10];
  out.append(buffer, static_cast<std::size_t>(write_varint(buffer, value) - buffer));
}
inline void append_bytes(std::string& out, std::uint32_t field, std::string_view bytes) {
  append_varint(out, tag_of(field, Wire::kBytes));
  append_varint(out, bytes.size());
  out.append(bytes);
}
// A message field whose content `body()` appends to `out`. Its length is known only then, and is put before it.
template <class Body>
void append_message(std::string& out, std::uint32_t field, Body&& body) {
  append_varint(out, tag_of(field, Wire::kBytes));
  const std::size_t start = out.size();
  body();
  char length[10];
  const char* end = write_varint(length, out.size() - start);
  out.insert(start, length, static_cast<std::size_t>(end - length));
}

}  // namespace mcptrace::otlp
