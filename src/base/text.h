// ASCII as protocols have it: letters without regard to case, blanks around a value, lists, numbers, percent-encoding.
// Pure, and without a locale; all other bytes are left alone.
#pragma once

#include <algorithm>
#include <charconv>
#include <concepts>
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

// Without the white space before a JSON value (RFC 8259 2).
inline std::string_view trim_json(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(" \t\r\n"), text.size()));
}

// Without regard to case.
inline bool same_text(std::string_view left, std::string_view right) {
  return left == right || std::ranges::equal(left, right, {}, lower, lower);
}

inline bool starts_with_text(std::string_view text, std::string_view start) {
  return text.size() >= start.size() && same_text(text.substr(0, start.size()), start);
}

// Takes what stands before the first `end` off `text`, and that too; all of it where there is none.
inline std::string_view take_until(std::string_view& text, char end) {
  const std::string_view taken = text.substr(0, text.find(end));
  text.remove_prefix(std::min(text.size(), taken.size() + 1));
  return taken;
}

// `text`, all of it, as a number that the type can hold; unsigned types take no sign.
template <std::integral Number>
std::optional<Number> parse_number(std::string_view text, int base = 10) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Takes a byte off `text`, which is not empty: the one that a percent sign and two digits stand for, else the first.
struct Taken {
  char byte;
  bool encoded;
};
inline Taken take_decoded(std::string_view& text) {
  const int high = text.size() >= 3 && text[0] == '%' ? hex_value(text[1]) : -1;
  const int low = high >= 0 ? hex_value(text[2]) : -1;
  const Taken taken{low >= 0 ? static_cast<char>(high << 4 | low) : text[0], low >= 0};
  text.remove_prefix(taken.encoded ? 3 : 1);
  return taken;
}
// Nothing: a percent sign without two digits behind it.
std::optional<std::string> percent_decode(std::string_view text);

std::string base64(std::string_view bytes);
// Nothing: it is none.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace mcptrace
