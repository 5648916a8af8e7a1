// ASCII as protocols have it: letters without regard to case, blanks around a value, digits, percent-encoding. Pure,
// and without a locale; all other bytes are left alone.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

namespace mcptrace {

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }
// Of a hexadecimal digit; -1 for what is none.
constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  return lower(c) >= 'a' && lower(c) <= 'f' ? lower(c) - 'a' + 10 : -1;
}

inline std::string_view trim_end(std::string_view text) {
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}
// Without the spaces and tabs around it (OWS of RFC 9110 5.6.3).
inline std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return trim_end(text);
}

// Without regard to case.
inline bool same_text(std::string_view left, std::string_view right) {
  return left == right || std::ranges::equal(left, right, {}, lower, lower);
}

// Nothing: a percent sign without two digits behind it.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace mcptrace
