// Spans made to fit what a backend takes: texts cut between characters, attributes beyond a number left out and
// counted, as OpenTelemetry's limits want it. Pure. Only what is over a limit is taken apart at all.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "ship/settings.h"
#include "trace/span_record.h"

namespace mcptrace::ship {

bool fits(const trace::SpanHeader& header, std::string_view span, const Limits& limits);
// Appends the span as it fits; whether anything had to go. Error: it is no span.
Result<bool> append_cut(std::string_view span, const Limits& limits, std::string& out);

}  // namespace mcptrace::ship
