#include "base/text.h"

namespace mcptrace {

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Taken taken = take_decoded(text);
    if (taken.byte == '%' && !taken.encoded) return std::nullopt;
    out += taken.byte;
  }
  return out;
}

}  // namespace mcptrace
