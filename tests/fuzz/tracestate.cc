// Any bytes as a tracestate: what is valid holds nothing that could not stand in a header, stays valid with a member of
// ours in front, and every key in it is found.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "trace/w3c.h"

namespace trace = mcptrace::trace;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const bool valid = trace::is_valid_tracestate(input);
  static_cast<void>(trace::tracestate_get(input, "ot"));  // also where it is not valid: no byte beyond the end is read
  if (!valid) return 0;
  std::size_t members = 0;
  for (std::size_t at = 0; at < size;) {
    const unsigned char c = data[at];
    if (c != '\t' && (c < 0x20 || c > 0x7e)) std::abort();
    const std::size_t key = input.find_first_not_of(" \t,", at);
    if (key == std::string_view::npos) break;
    const std::size_t equals = input.find('=', key);
    if (equals == std::string_view::npos || !trace::tracestate_get(input, input.substr(key, equals - key)))
      std::abort();
    ++members;
    at = input.find(',', equals);
    if (at == std::string_view::npos) break;
  }
  if (members > 32) std::abort();
  if (trace::is_valid_tracestate("mcptrace=p0123456789abcdef," + std::string(input)) != (members < 32)) std::abort();
  return 0;
}
