#include "app/otel_environment.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/ids.h"
#include "json/text.h"

namespace mcptrace::app {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    std::array<std::uint8_t, 1> byte;
    if (i + 2 >= text.size() || !parse_hex(text.substr(i + 1, 2), byte, true)) return std::nullopt;
    out += static_cast<char>(byte[0]);
    i += 2;
  }
  if (!json::is_utf8(out)) return std::nullopt;
  return out;
}

}  // namespace

bool is_true(const std::optional<std::string>& value) {
  static constexpr std::string_view kTrue = "true";
  return value &&
         std::ranges::equal(*value, kTrue, [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
}

Result<std::vector<std::pair<std::string, std::string>>> parse_resource_attributes(std::string_view value) {
  std::vector<std::pair<std::string, std::string>> attributes;
  while (!value.empty()) {
    const std::string_view member = value.substr(0, value.find(','));
    value.remove_prefix(std::min(value.size(), member.size() + 1));
    if (trim(member).empty()) continue;
    const std::size_t equals = member.find('=');
    const std::string_view key = trim(member.substr(0, equals));
    const auto decoded =
        equals == std::string_view::npos ? std::nullopt : percent_decode(trim(member.substr(equals + 1)));
    if (key.empty() || !decoded || !json::is_utf8(key)) {
      return std::unexpected(
          Error{Errc::kInvalidArgument, "member " + std::to_string(attributes.size() + 1) + " is not key=value"});
    }
    attributes.emplace_back(key, *decoded);
  }
  return attributes;
}

}  // namespace mcptrace::app
