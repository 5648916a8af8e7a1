// UTF-8, and what people see of its characters. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mcptrace {

// How many bytes of ASCII a text begins with.
std::size_t ascii_prefix(std::string_view text);

// What a text begins with.
struct Character {
  std::size_t size;  // in bytes
  bool good;         // false: these bytes are none
  char32_t code;     // if it is one
};
// `text` is not empty. Of what is no character, the longest beginning of one, at least a byte (Unicode 15, 3.9,
// "substitution of maximal subparts"); overlong forms and surrogates are none.
Character first_character(std::string_view text);
// UTF-8 of a code point that is no surrogate; returns its length.
std::size_t encode_utf8(char32_t code, char out[4]);

inline constexpr std::string_view kReplacementCharacter = "\xef\xbf\xbd";  // U+FFFD
bool is_utf8(std::string_view text);
// `text` with all that is no character replaced by U+FFFD, cut to at most `limit` bytes between characters.
std::string clean_utf8(std::string_view text, std::size_t limit);

// Shown to a person, on its own place in a line: a letter, mark, number, punctuation, symbol or space. Not so controls,
// line separators, format characters (direction marks, joiners, the tags that spell ASCII for a model and nothing for a
// person), private and unassigned ones, and what fonts leave out (default-ignorable: fillers, variation selectors).
bool is_visible(char32_t code);
// A space, but none that breaks the line; the plain one, too.
bool is_space(char32_t code);
// Drawn onto the character before it.
bool is_mark(char32_t code);
// On a terminal, of a visible character: 0 of a mark, 2 of a wide one.
std::size_t columns_of(char32_t code);

}  // namespace mcptrace
