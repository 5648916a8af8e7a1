// Texts of the configuration as values. Pure; nothing: it is none.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "config/options.h"

namespace mcptrace::config {

// "512KiB", "64MiB", "1GiB", "1TiB", or a number of bytes; below 1 PiB.
std::optional<std::size_t> parse_size(std::string_view text);
// "1h30m", "250ms", "30d", "2w", "0": numbers and their units, at most a hundred years.
std::optional<Nanos> parse_duration(std::string_view text);
// From 0 to 1.
std::optional<double> parse_ratio(std::string_view text);
// "true", "false".
std::optional<bool> parse_boolean(std::string_view text);

// "env:NAME" and "file:/path".
bool is_reference(std::string_view text);
// The variable that a reference names; empty: it names none.
std::string_view variable_of(std::string_view reference);
// A header whose value is a secret, as its name says: Authorization, X-Api-Key, x-honeycomb-team …
bool is_credential(std::string_view header);
bool is_header_name(std::string_view text);

// Is `text` what the row wants? Error: one clause, "wants a size, like 64MiB, got '64 MB'"; without what was got where
// that may be a secret. `name`: of kHeader, the header's.
Result<> check_value(const Option& option, std::string_view name, std::string_view text);

}  // namespace mcptrace::config
