#include "base/ids.h"

#include <bit>

namespace mcptrace {
namespace {

// Both digits of every byte, one after the other.
constexpr auto kHexPairs = [] {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<char, 512> pairs{};
  for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i] = kDigits[i % 2 == 0 ? i >> 5 : i >> 1 & 15];
  return pairs;
}();

int hex_value(char digit, bool any_case) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (any_case && digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

}  // namespace

// Four bytes at a time, each digit in a byte of its own: 10 and more are 39 further on.
void write_hex(std::span<const std::uint8_t> bytes, char* out) {
  static_assert(std::endian::native == std::endian::little);
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  const std::uint8_t* at = bytes.data();
  const std::uint8_t* const end = at + bytes.size();
  for (; end - at >= 4; at += 4, out += 8) {
    std::uint32_t four;
    std::memcpy(&four, at, sizeof(four));
    std::uint64_t digits = four;
    digits = (digits | digits << 16) & 0x0000ffff0000ffff;
    digits = (digits | digits << 8) & 0x00ff00ff00ff00ff;
    digits = (digits >> 4 | digits << 8) & 0x0f * kOnes;
    digits += '0' * kOnes + ((digits + 6 * kOnes) >> 4 & kOnes) * ('a' - '0' - 10);
    std::memcpy(out, &digits, sizeof(digits));
  }
  for (; at != end; ++at, out += 2) std::memcpy(out, kHexPairs.data() + std::size_t{2} * *at, 2);
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
    const int high = hex_value(text[2 * i], any_case);
    const int low = hex_value(text[2 * i + 1], any_case);
    bad |= high | low;
    out[i] = static_cast<std::uint8_t>((high << 4) | (low & 15));
  }
  return bad >= 0;
}

}  // namespace mcptrace
