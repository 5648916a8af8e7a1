#include "base/ids.h"

#include <bit>

#include "base/text.h"

namespace mcptrace {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

// Both digits of each byte, in a byte of its own: 10 and more are 39 further on.
void write_eight(const void* bytes, char* out) {
  using Bytes = std::uint8_t __attribute__((vector_size(8)));
  using Digits = std::int8_t __attribute__((vector_size(16)));
  Bytes eight;
  std::memcpy(&eight, bytes, sizeof(eight));
  const auto digits = reinterpret_cast<Digits>(
      __builtin_shufflevector(eight >> 4, eight & 15, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15));
  const Digits text = digits + '0' + ((digits > 9) & ('a' - '0' - 10));
  std::memcpy(out, &text, sizeof(text));
}

int value_of(char digit, bool any_case) { return any_case || lower(digit) == digit ? hex_value(digit) : -1; }

}  // namespace

void write_hex(std::span<const std::uint8_t> bytes, char* out) {
  const std::uint8_t* at = bytes.data();
  const std::uint8_t* const end = at + bytes.size();
  for (; end - at >= 8; at += 8, out += 16) write_eight(at, out);
  for (; at != end; ++at) *out++ = kDigits[*at >> 4], *out++ = kDigits[*at & 15];
}

void write_hex(std::uint64_t value, char* out) {
  static_assert(std::endian::native == std::endian::little);
  const std::uint64_t big_endian = std::byteswap(value);
  write_eight(&big_endian, out);
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
  std::string text(bytes.size() * 2, '0');
  write_hex(bytes, text.data());
  return text;
}

bool parse_hex(std::string_view text, std::span<std::uint8_t> out, bool any_case) {
  if (text.size() != out.size() * 2) return false;
  int bad = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = value_of(text[2 * i], any_case);
    const int low = value_of(text[2 * i + 1], any_case);
    bad |= high | low;
    out[i] = static_cast<std::uint8_t>((high << 4) | (low & 15));
  }
  return bad >= 0;
}

}  // namespace mcptrace
