#include "base/ids.h"

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

void write_hex(std::span<const std::uint8_t> bytes, char* out) {
  for (const std::uint8_t byte : bytes) {
    std::memcpy(out, kHexPairs.data() + std::size_t{2} * byte, 2);
    out += 2;
  }
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
