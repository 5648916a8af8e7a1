// The OpenTelemetry variables: read to the letter of the specification (environment variables, 1.60; an empty value
// counts as not set, names are compared without regard to case, what cannot be used is ignored and said). Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "config/destination.h"
#include "config/lookup.h"

namespace mcptrace::config {

// Only "true", in any case, is true.
bool is_true(const std::optional<std::string>& value);

// "k=v,k2=v2", percent-encoded. On any error the whole value is of no use: kInvalidArgument with the place.
Result<std::vector<std::pair<std::string, std::string>>> parse_resource_attributes(std::string_view value);

// The variables that destination_from_environment() reads: who leaves a destination to another process leaves these.
std::span<const std::string_view> destination_variables();

struct EnvironmentDestination {
  std::optional<Destination> destination;  // its name is empty: the caller's to give
  std::vector<std::string> warnings;       // a sentence each, without values that may be secret
};
// Nothing, where no variable of an OTLP exporter is set, or OTEL_TRACES_EXPORTER or OTEL_SDK_DISABLED want none.
EnvironmentDestination destination_from_environment(const Lookup& environment);

// What variables, ours and OpenTelemetry's, say of keys of the table, checked; of a key that several name the last
// wins. In `warnings`: what of them cannot be used.
struct EnvironmentValue {
  std::string key, text, variable;
};
std::vector<EnvironmentValue> values_from_environment(const Lookup& environment, std::vector<std::string>& warnings);

}  // namespace mcptrace::config
