// The OpenTelemetry variables that concern a producer: read, checked, and what was ignored said.
// Source: OpenTelemetry specification, environment variables.
#pragma once

#include <functional>
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

// The variables that name a destination, those that are set, as lines "NAME=value"; empty: none is. Error:
// kInvalidArgument, one cannot be used, so none is.
using Variables = std::function<std::optional<std::string>(std::string_view name)>;
Result<std::string> destination_of(const Variables& environment);

}  // namespace mcptrace::app
