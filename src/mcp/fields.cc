#include "mcp/fields.h"

#include <array>

#include "json/text.h"

namespace mcptrace::mcp {
using internal::exact_field;
using internal::kLongestVariant;
using internal::may_be_variant;

namespace {

// Is it one? At the root all matter, in params _meta and name.
bool has_variant(Place place, std::string_view key) {
  if (!may_be_variant(place, key)) return false;
  std::array<char, kLongestVariant> folded;
  std::size_t size = 0;
  for (std::size_t i = 0; i < key.size(); ++i) {
    const char c = key[i];
    if (c == '\xc5' && i + 1 < key.size() && key[i + 1] == '\xbf') {
      folded[size++] = 's', ++i;
    } else {
      folded[size++] = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    }
  }
  const Field* const field = exact_field(place, {folded.data(), size});
  return field != nullptr && (place == Place::kRoot || field->key == "_meta" || field->key == "name");
}

}  // namespace

FoundField find_odd_field(Place place, const json::Key& key) {
  if (!key.escaped) return {nullptr, !key.cut && has_variant(place, key.text)};
  const bool matters = place == Place::kRoot || place == Place::kParams || place == Place::kParamsMeta;
  if (key.cut) return {nullptr, matters};
  std::array<char, json::kMaxKey> decoded;
  const std::string_view real(decoded.data(), json::decode_string(key.text, decoded.data(), decoded.size()));
  const Field* const field = exact_field(place, real);
  return {field, matters && (field != nullptr || has_variant(place, real))};
}

}  // namespace mcptrace::mcp
