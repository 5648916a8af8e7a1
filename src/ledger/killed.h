// How a span ends that was open when nobody held its file any more (docs/spans.md, killed): the one rule, for spans and
// for counts.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "trace/span_record.h"

namespace mcptrace::ledger {

struct KilledEnd {
  trace::Outcome outcome = trace::Outcome::kNone;  // kNone: a root, which has none
  std::string_view error_type{}, unobserved{};     // empty: not said
  bool error = false;                              // the span's status is ERROR
};
KilledEnd killed_end(const trace::SpanHeader& header);

// Ends the span there, at `last` (wall): header and bytes.
void end_killed(trace::SpanHeader& header, std::string& bytes, Nanos last);

// Of a session that was starting nothing is written but its initialize: the root that it names, open as it is. Nothing
// for all others, and for what is in its caller's trace.
struct MadeSpan {
  trace::SpanHeader header;
  std::string bytes;  // OTLP Span
};
std::optional<MadeSpan> missing_root(const trace::SpanHeader& initialize);

}  // namespace mcptrace::ledger
