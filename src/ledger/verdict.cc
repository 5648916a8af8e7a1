#include "ledger/verdict.h"

#include <algorithm>
#include <chrono>

#include "ledger/root_attributes.h"

namespace mcptrace::ledger {
namespace {

using trace::Attr;
using trace::Operation;
using trace::Outcome;

constexpr Nanos kOpenFor = std::chrono::minutes(1);       // after the last message
constexpr Nanos kAnswerWithin = std::chrono::minutes(1);  // a handshake

bool is_handshake(const trace::SpanHeader& span) {
  return span.operation == Operation::kInitialize || span.operation == Operation::kDiscover;
}

// By a challenge, or in whatever other words.
bool is_denied(Outcome outcome, const otlp::Span& span) {
  if (outcome == Outcome::kAuthRequired) return true;
  auto status = integer_attribute(span, Attr::kHttpStatusCode);
  if (!status) status = integer_attribute(span, Attr::kHttpResponseStatus);
  return status == 401 || status == 403;
}

std::string scheme_of(const otlp::Span& span) {
  for (const otlp::Event& event : span.events) {
    if (auto scheme = text_attribute(event.attributes, trace::attr_key(Attr::kAuthScheme)); !scheme.empty()) {
      return scheme;
    }
  }
  return {};
}

// True if it was; only asked as long as all were.
bool note_denied(const Entry& entry, Course& course) {
  using enum Outcome;
  const Outcome outcome = entry.header.outcome;
  if (outcome != kAuthRequired && outcome != kRpcError && outcome != kTransportError) return false;
  const auto span = otlp::decode_span(entry.bytes);
  if (!span || !is_denied(outcome, *span)) return false;
  ++course.denied;
  if (course.auth_scheme.empty()) course.auth_scheme = scheme_of(*span);
  return true;
}

}  // namespace

void note_ended(const Entry& entry, Course& course) {
  const trace::SpanHeader& span = entry.header;
  const bool discover = span.operation == Operation::kDiscover;
  ++(discover ? course.discovers : course.others);
  if (span.has(trace::kStanding | trace::kFromServer)) return;
  const bool all_denied = course.denied == course.asked++;
  if (all_denied && note_denied(entry, course)) return;
  switch (span.outcome) {
    case Outcome::kOk:
    case Outcome::kInputRequired:
    case Outcome::kToolError:
      course.answered = course.used = true;
      break;
    case Outcome::kRpcError:
      course.answered = true;
      course.refused |= span.operation == Operation::kInitialize;
      break;
    case Outcome::kTransportError:
      // What a client takes for a hint to another era or transport is no error.
      course.answered |= discover && span.status != trace::StatusCode::kError;
      course.refused |= is_handshake(span) && span.status == trace::StatusCode::kError;
      break;
    case Outcome::kCancelled:
    case Outcome::kAbandoned:
      course.silent |= is_handshake(span);
      break;
    case Outcome::kUnobserved:
      course.answered = true;  // for all that is known
      break;
    default:
      break;
  }
}

void note_open(const trace::SpanHeader& span, Course& course) {
  ++(span.operation == Operation::kDiscover ? course.discovers : course.others);
  if (span.has(trace::kStanding)) return;
  course.waits = true;
  if (is_handshake(span)) course.handshake = std::min(course.handshake.value_or(span.start), span.start);
}

bool shows_answer(const Session& session) {
  using enum Outcome;
  const Counts& counts = session.counts;
  return !session.server_name.empty() || counts.of(kOk) + counts.of(kInputRequired) + counts.of(kToolError) != 0;
}

bool only_discovers(const Session& session) {
  const Course& course = session.course;
  return session.tallied && course.discovers > 0 && course.others == 0 &&
         session.counts.requests <= static_cast<std::int64_t>(course.discovers);
}

Failure failure_of(const Session& session, Nanos now) {
  const Course& course = session.course;
  const std::string_view error = session.error_type();
  if (error == "server_not_started") return Failure::kNotStarted;
  if (!session.tallied || course.used || shows_answer(session)) return Failure::kNone;
  if (course.asked != 0 && course.denied == course.asked) return Failure::kNeedsSignIn;
  const bool ended_first = error == "server_exit" || error == "server_closed";
  if (ended_first && !course.answered) return Failure::kEndedFirst;
  if (course.refused) return Failure::kRefused;
  const bool too_long = course.handshake && session.live && subtract(now, *course.handshake) > kAnswerWithin;
  return too_long || (course.silent && !course.handshake) ? Failure::kNoAnswer : Failure::kNone;
}

State state_of(const Session& session, Nanos now) {
  const bool known = !session.stretches.empty();
  if (!session.live && !session.over() && !(known && session.stretches.back().derived)) return State::kKilled;
  if (session.over() && (!known || session.stretches.back().end_was_seen())) return State::kClosed;
  const bool waits = session.live && session.course.waits;
  return waits || subtract(now, session.activity) <= kOpenFor ? State::kOpen : State::kIdle;
}

}  // namespace mcptrace::ledger
