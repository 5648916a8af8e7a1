// How fields' values are read everywhere: without the white space around them, and ASCII letters without regard to
// case.
#pragma once

#include <string_view>

namespace mcptrace::http {

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

inline std::string_view trim_end(std::string_view text) {
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// Without the spaces and tabs around it (OWS of RFC 9110 5.6.3).
inline std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  return trim_end(text);
}

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Without regard to case, ASCII only.
inline bool same_text(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  if (left == right) return true;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (lower(left[i]) != lower(right[i])) return false;
  }
  return true;
}

// Is a Content-Type of this type, whatever its parameters?
inline bool is_type(std::string_view content_type, std::string_view type) {
  return same_text(trim(content_type.substr(0, content_type.find(';'))), type);
}

}  // namespace mcptrace::http
