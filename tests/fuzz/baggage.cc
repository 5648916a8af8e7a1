// Any bytes as a baggage header: what is found is valid UTF-8 and no longer than was asked for.
#include <array>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/utf8.h"
#include "trace/w3c.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  for (const std::string_view key : {"session.id", "k", ""}) {
    std::array<char, 8192> all, some;
    const auto whole = mcptrace::trace::baggage_get(input, key, all);
    for (const std::size_t limit : {std::size_t{0}, std::size_t{5}, std::size_t{64}}) {
      const auto value = mcptrace::trace::baggage_get(input, key, std::span(some).first(limit));
      if (value.has_value() != whole.has_value()) std::abort();
      if (!value) continue;
      if (value->size() > limit || !mcptrace::is_utf8(*value) || !whole->starts_with(*value)) std::abort();
    }
  }
  return 0;
}
