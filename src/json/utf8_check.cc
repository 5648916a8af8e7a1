#include "json/utf8_check.h"

#include <bit>
#include <cstddef>
#include <cstring>

#include "base/utf8.h"

namespace mcptrace::json {
namespace {

static_assert(std::endian::native == std::endian::little);

// The size of the character of more than one byte that these four begin with; 0: it is none.
std::size_t size_of_character(std::uint32_t bytes) {
  if ((bytes & 0xc0c0f0) == 0x8080e0) {
    const std::uint32_t first = bytes & 0x200f;  // none of these bits: overlong; 0x200d: a surrogate
    return first != 0 && first != 0x200d ? 3 : 0;
  }
  if ((bytes & 0xc0e0) == 0x80c0) return (bytes & 0x1e) != 0 ? 2 : 0;
  if ((bytes & 0xc0c0c0f8) != 0x808080f0) return 0;
  const std::uint32_t first = bytes & 0x3007;  // 0: overlong; with 4, only 4 itself is below U+110000
  return first != 0 && ((first & 4) == 0 || first == 4) ? 4 : 0;
}

}  // namespace

bool Utf8Check::feed(std::string_view piece) {
  bool valid = true;
  while (!piece.empty()) {
    if (left_ == 0) {
      piece.remove_prefix(ascii_prefix(piece));
      std::uint32_t bytes;
      while (piece.size() >= sizeof(bytes)) {
        std::memcpy(&bytes, piece.data(), sizeof(bytes));
        const std::size_t size = size_of_character(bytes);
        if (size == 0) break;
        piece.remove_prefix(size);
      }
      if (piece.empty()) break;
    }
    valid &= step(static_cast<std::uint8_t>(piece.front()));
    piece.remove_prefix(1);
  }
  return valid;
}

bool Utf8Check::step(std::uint8_t byte) {
  const bool cut_off = left_ != 0 && (byte < low_ || byte > high_);
  if (left_ != 0 && !cut_off) {
    --left_;
    low_ = 0x80, high_ = 0xbf;
    return true;
  }
  left_ = 0;
  low_ = 0x80, high_ = 0xbf;
  if (byte < 0x80) return !cut_off;
  if (byte < 0xc2 || byte > 0xf4) return false;
  left_ = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
  if (byte == 0xe0) low_ = 0xa0;
  if (byte == 0xed) high_ = 0x9f;
  if (byte == 0xf0) low_ = 0x90;
  if (byte == 0xf4) high_ = 0x8f;
  return !cut_off;
}

}  // namespace mcptrace::json
