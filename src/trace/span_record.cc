#include "trace/span_record.h"

#include <algorithm>

namespace mcptrace::trace {

std::string_view outcome_text(Outcome outcome) {
  switch (outcome) {
    case Outcome::kNone:
    case Outcome::kCount:
      return "";
    case Outcome::kOk:
      return "ok";
    case Outcome::kInputRequired:
      return "input_required";
    case Outcome::kAuthRequired:
      return "auth_required";
    case Outcome::kToolError:
      return "tool_error";
    case Outcome::kRpcError:
      return "rpc_error";
    case Outcome::kTransportError:
      return "transport_error";
    case Outcome::kCancelled:
      return "cancelled";
    case Outcome::kAbandoned:
      return "abandoned";
    case Outcome::kUnobserved:
      return "unobserved";
    case Outcome::kRedirected:
      return "redirected";
  }
  return "";
}

bool outcome_is_error(Outcome outcome) {
  switch (outcome) {
    case Outcome::kToolError:
    case Outcome::kRpcError:
    case Outcome::kTransportError:
    case Outcome::kCancelled:
    case Outcome::kAbandoned:
      return true;
    default:
      return false;
  }
}

void SpanRecord::clear() {
  // By one assignment, so that a field added later is not forgotten; the vectors keep what they grew.
  static_cast<SpanFields&>(*this) = {};
  attributes.clear();
  events.clear();
  links.clear();
}

SpanHeader header_of(const SpanRecord& span) {
  SpanHeader header;
  header.trace_id = span.trace_id;
  header.span_id = span.span_id;
  header.parent_id = span.parent_id;
  header.start = span.start;
  header.duration = span.ended ? std::max(span.duration, kShortest) : span.duration;
  header.outcome = span.outcome;
  header.status = span.status;
  header.kind = span.kind;
  header.trace_flags = span.flags;
  return header;
}

}  // namespace mcptrace::trace
