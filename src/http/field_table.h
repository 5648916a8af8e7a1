// Field names to what they mean to us. Pure; called for every field of every head.
#pragma once

#include <array>
#include <string_view>

#include "http/head.h"

namespace mcptrace::http {

// kOther for what we do not know. Without regard to case. `name` is a token (RFC 9110 5.6.2) or holds at least no
// control character; then what is known is a token too.
FieldName field_name(std::string_view name);

// tchar of RFC 9110 5.6.2: what names and methods are made of.
inline constexpr auto kTokenBytes = [] {
  std::array<bool, 256> table{};
  for (const char c :
       std::string_view("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}();
constexpr bool is_token_byte(char c) { return kTokenBytes[static_cast<unsigned char>(c)]; }
// How many of them `text` begins with.
std::size_t token_size(std::string_view text);

// Is a Content-Type of this type, whatever its parameters?
bool is_type(std::string_view content_type, std::string_view type);

// Connection, Content-Length, ... Upgrade: of this hop, never passed on as they came (RFC 9110 7.6.1).
constexpr bool is_hop_by_hop(FieldName id) { return id >= FieldName::kConnection && id <= FieldName::kUpgrade; }

}  // namespace mcptrace::http
