// Raw JSON text into values: the few conversions that facts need. No allocation but the returned string's; nothing
// throws.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mcptrace::json {

// The raw text between a string's quotes, decoded to at most `limit` bytes of UTF-8, written to `out` (limit bytes).
// Returns the number of bytes written. A lone surrogate or bad escape becomes U+FFFD; raw bytes pass as they are. A cut
// falls between characters where the input is valid.
std::size_t decode_string(std::string_view raw, char* out, std::size_t limit);
std::string decode_string(std::string_view raw);

// What a backslash and this byte mean: nothing for `u`, and for what is no escape.
std::optional<char> unescaped(char byte);

// An integer in [-2^63, 2^63) written without fraction or exponent; nothing otherwise.
std::optional<std::int64_t> parse_integer(std::string_view raw);

// Appends `text` as a JSON string with its quotes. Bad UTF-8 becomes U+FFFD.
void append_quoted(std::string& out, std::string_view text);

}  // namespace mcptrace::json
