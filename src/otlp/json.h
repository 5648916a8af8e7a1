// OTLP/JSON, as the specification's mapping wants it: hex ids, integer enums, 64-bit numbers as strings,
// lowerCamelCase.
#pragma once

#include <string>

#include "otlp/decode.h"

namespace mcptrace::otlp {

// Appends one TracesData object on one line, without a newline. Keys that occur twice in a span's attributes are
// written once, the last value.
void append_json(const TracesData& traces, std::string& out);

}  // namespace mcptrace::otlp
