// The OpenTelemetry variables that concern a producer: read, checked, and what was ignored said.
// Source: OpenTelemetry specification, environment variables.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace mcptrace::app {

// Only a case-insensitive "true" is true.
bool is_true(const std::optional<std::string>& value);

// "k=v,k2=v2", percent-encoded. On any error the whole value is of no use: kInvalidArgument with the place.
Result<std::vector<std::pair<std::string, std::string>>> parse_resource_attributes(std::string_view value);

}  // namespace mcptrace::app
