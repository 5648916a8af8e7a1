// Ids and tokens of JSON-RPC: from their raw text to the two hashes by which they are compared.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "mcp/message.h"

namespace mcptrace::mcp {

// `raw` is a number's text or what stands between a string's quotes; `decoded` the latter without escapes (of a number:
// the same). Ids whose text is not at hand whole: see make_long_id().
RequestId make_id(IdType type, std::string_view raw, std::string_view decoded);
// The same for a number of a few digits, which its value tells from all others: the usual id.
inline constexpr std::size_t kMostSmallDigits = 15;
std::optional<std::int64_t> small_integer(std::string_view text);
RequestId make_small_id(std::int64_t value);
// The value of a JSON number's text if it is an integer of at most 18 digits or so: 7, 7.0, 70e-1 are all 7.
std::optional<std::int64_t> integer_value(std::string_view text);
// `print` is a hash of the whole raw text.
RequestId make_long_id(IdType type, std::uint64_t print);

// An integer of at most 64 characters, or 1 to 64 of A-Z a-z 0-9 _ -: may be written as it is (docs/architecture.md,
// What may be written).
bool is_plain_id(IdType type, std::string_view decoded);

}  // namespace mcptrace::mcp
