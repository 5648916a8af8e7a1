// One span, as the core makes it and the encoder takes it. Plain data that borrows its strings; reused, so that nothing
// is allocated once its vectors have grown.
#pragma once

#include <concepts>
#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "trace/conventions.h"

namespace mcptrace::trace {

// OTLP's numbers.
enum class SpanKind : std::uint8_t { kInternal = 1, kServer = 2, kClient = 3 };
enum class StatusCode : std::uint8_t { kUnset = 0, kError = 2 };

// docs/spans.md. The order is on disk (SpanHeader): append only.
enum class Outcome : std::uint8_t {
  kNone,  // a span that is no exchange: the root
  kOk,
  kInputRequired,
  kAuthRequired,
  kToolError,
  kRpcError,
  kTransportError,
  kCancelled,
  kAbandoned,
  kUnobserved,
  kRedirected,
  kCount
};
std::string_view outcome_text(Outcome outcome);  // "tool_error"
bool outcome_is_error(Outcome outcome);
// The attribute of a root that counts the tool calls that ended so. What was redirected was not carried out, and is no
// call: the client asks again.
struct OutcomeCount {
  Outcome outcome;
  Attr attr;
};
inline constexpr OutcomeCount kOutcomeCounts[] = {
    {Outcome::kOk, Attr::kCallsOk},
    {Outcome::kToolError, Attr::kCallsToolError},
    {Outcome::kRpcError, Attr::kCallsRpcError},
    {Outcome::kTransportError, Attr::kCallsTransportError},
    {Outcome::kCancelled, Attr::kCallsCancelled},
    {Outcome::kAbandoned, Attr::kCallsAbandoned},
    {Outcome::kUnobserved, Attr::kCallsUnobserved},
    {Outcome::kAuthRequired, Attr::kCallsAuthRequired},
    {Outcome::kInputRequired, Attr::kCallsInputRequired},
};

using AttributeValue = std::variant<std::int64_t, bool, double, std::string_view>;

struct Attribute {
  Attr key;
  AttributeValue value;
};

struct SpanEvent {
  Nanos at{};  // wall
  std::string_view name;
  std::vector<Attribute> attributes;
};

struct SpanLink {
  TraceId trace_id;
  SpanId span_id;
  std::uint8_t flags = 0;
  std::string_view trace_state;
  std::string_view relation;  // attribute mcptrace.link: "session", "caller", "previous", "retry", "task", "late"
};

struct SpanFields {
  TraceId trace_id;
  SpanId span_id;
  SpanId parent_id;            // zero: none
  std::uint8_t flags = 0;      // W3C flags of this span's context
  bool parent_remote = false;  // OTLP flags bits 8 and 9
  std::string_view trace_state;
  std::string_view name;
  SpanKind kind = SpanKind::kInternal;
  Nanos start{};  // wall
  Nanos duration{};
  bool ended = true;  // false: an *_open record, no end time is written
  Outcome outcome = Outcome::kNone;
  StatusCode status = StatusCode::kUnset;
  std::string_view status_message;
  std::uint32_t dropped_events = 0;
};

// No span that ended is shorter, whatever it stands for and whatever a clock says: backends take one without length for
// one with a negative one.
inline constexpr Nanos kShortest{1};

struct SpanRecord : SpanFields {
  std::vector<Attribute> attributes;
  std::vector<SpanEvent> events;
  std::vector<SpanLink> links;

  void add(Attr key, std::string_view value) { attributes.emplace_back(key, value); }
  // A literal would rather become a bool than a string_view: hence this one, and the constraint on the other.
  void add(Attr key, const char* value) { add(key, std::string_view(value)); }
  void add(Attr key, std::int64_t value) { attributes.emplace_back(key, value); }
  void add(Attr key, std::same_as<bool> auto value) { attributes.emplace_back(key, value); }
  // Empty again, capacity kept.
  void clear();
};

// What sampling, store and search need of a span without decoding it; stands before its OTLP bytes in the spool.
struct SpanHeader {
  TraceId trace_id;
  SpanId span_id;
  SpanId parent_id;
  Nanos start{};
  Nanos duration{};
  std::uint64_t session_print = 0;
  Outcome outcome = Outcome::kNone;
  Operation operation = Operation::kNone;
  StatusCode status = StatusCode::kUnset;
  std::uint8_t flags = 0;      // HeaderFlag bits
  std::uint32_t resource = 0;  // number of the kResource record in the same file that it belongs to
};
enum HeaderFlag : std::uint8_t {
  kRootSpan = 1u << 0,
  kGuessedSession = 1u << 1,
  kDerivedIds = 1u << 2,
  kLateAnswer = 1u << 3,
  // A subscription, a stream, a notification: nothing waits for it. Left open it is ok, not abandoned.
  kStanding = 1u << 4,
  // A session_close: there is no such session, and what was opened in it is told in another.
  kWithdrawn = 1u << 5,
  kFromServer = 1u << 6,  // the server asked it
};

// What the header has of the span itself; the rest is left as it is made.
SpanHeader header_of(const SpanRecord& span);

}  // namespace mcptrace::trace
