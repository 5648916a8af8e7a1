#include "app/otel_environment.h"

#include "base/text.h"
#include "base/utf8.h"

namespace mcptrace::app {

bool is_true(const std::optional<std::string>& value) { return value && same_text(*value, "true"); }

Result<std::vector<std::pair<std::string, std::string>>> parse_resource_attributes(std::string_view value) {
  std::vector<std::pair<std::string, std::string>> attributes;
  while (!value.empty()) {
    const std::string_view member = take_until(value, ',');
    if (trim(member).empty()) continue;
    const std::size_t equals = member.find('=');
    const std::string_view key = trim(member.substr(0, equals));
    const auto decoded =
        equals == std::string_view::npos ? std::nullopt : percent_decode(trim(member.substr(equals + 1)));
    if (key.empty() || !decoded || !is_utf8(*decoded) || !is_utf8(key)) {
      return std::unexpected(
          Error{Errc::kInvalidArgument, "member " + std::to_string(attributes.size() + 1) + " is not key=value"});
    }
    attributes.emplace_back(key, *decoded);
  }
  return attributes;
}

}  // namespace mcptrace::app
