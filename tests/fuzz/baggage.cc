// Any bytes as a baggage header: what is found is valid UTF-8 and no longer than was asked for.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/utf8.h"
#include "trace/w3c.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  for (const std::string_view key : {"session.id", "k", ""}) {
    const auto whole = mcptrace::trace::baggage_get(input, key, 8192);
    for (const std::size_t limit : {std::size_t{0}, std::size_t{5}, std::size_t{64}}) {
      const auto value = mcptrace::trace::baggage_get(input, key, limit);
      if (value.has_value() != whole.has_value()) std::abort();
      if (!value) continue;
      if (value->size() > limit || !mcptrace::is_utf8(*value) || !whole->starts_with(*value)) std::abort();
    }
  }
  return 0;
}
