#include "ledger/killed.h"

#include <algorithm>

#include "otlp/encode.h"

namespace mcptrace::ledger {

using trace::Outcome;

KilledEnd killed_end(const trace::SpanHeader& header) {
  if (header.has(trace::kRootSpan)) return {};
  if (header.has(trace::kStanding)) return {.outcome = Outcome::kOk};
  // Another process may have seen the answer.
  if (header.has(trace::kDerivedIds)) return {.outcome = Outcome::kUnobserved, .unobserved = "killed"};
  // Nobody waits for what the server asked; a server may refuse the other one so.
  const bool error = !header.has(trace::kFromServer) && header.operation != trace::Operation::kDiscover;
  if (!error) return {.outcome = Outcome::kAbandoned};
  return {.outcome = Outcome::kAbandoned, .error_type = "killed", .error = true};
}

void end_killed(trace::SpanHeader& header, std::string& bytes, Nanos last) {
  const KilledEnd killed = killed_end(header);
  header.duration = std::max(subtract(last, header.start), trace::kShortest);
  header.outcome = killed.outcome;
  otlp::SpanEnd end;
  end.end = add(header.start, header.duration);
  end.end_unknown = true;
  end.outcome = killed.outcome;
  end.error_type = killed.error_type;
  end.unobserved = killed.unobserved;
  if (killed.error) {
    header.status = trace::StatusCode::kError;
    end.status_message = trace::outcome_text(killed.outcome);
  }
  otlp::append_end(end, bytes);
}

std::optional<MadeSpan> missing_root(const trace::SpanHeader& initialize) {
  if (!initialize.has(trace::kStarting) || initialize.has(trace::kJoined)) return std::nullopt;
  trace::SpanRecord record;
  record.trace_id = initialize.trace_id;
  record.span_id = initialize.parent_id;
  record.flags = initialize.trace_flags;
  record.name = trace::kRootName;
  record.start = initialize.start;
  record.duration = initialize.duration;
  record.ended = false;
  MadeSpan root{.header = trace::header_of(record), .bytes = {}};
  root.header.flags = trace::kRootSpan;
  root.header.randomness = initialize.randomness;
  otlp::encode_span(record, trace::Naming::kBoth, root.bytes);
  return root;
}

}  // namespace mcptrace::ledger
