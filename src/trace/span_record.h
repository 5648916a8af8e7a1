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
  kNone,  // a span that is no call: the root
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

// What many spans of a process say in the same words, before what is their own. Kept by whoever makes the spans, with
// its texts, in a table of at most kMostCommon; `serial` tells what it says from all that stood in its place before.
inline constexpr std::size_t kMostCommon = 256;
struct CommonAttributes {
  std::uint32_t place = 0;   // in that table
  std::uint32_t serial = 0;  // from 1
  std::vector<Attribute> attributes;
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
  const CommonAttributes* common = nullptr;  // null: none
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

// What sampling, metrics, store and search need of a span without decoding it; stands before its OTLP bytes in the
// spool.
struct SpanHeader {
  TraceId trace_id;
  SpanId span_id;
  SpanId parent_id;
  Nanos start{};
  Nanos duration{};
  std::uint64_t session_print = 0;
  std::uint64_t randomness = 0;  // R of consistent sampling, 56 bits: of the call's tree
  std::uint64_t definition = 0;  // mcp::Definition::low, of the tool as the session was told of it; 0: not known
  Outcome outcome = Outcome::kNone;
  Operation operation = Operation::kNone;
  StatusCode status = StatusCode::kUnset;
  SpanKind kind = SpanKind::kInternal;
  std::uint8_t trace_flags = 0;  // W3C's
  std::uint16_t flags = 0;       // HeaderFlag bits
  std::uint32_t resource = 0;    // number of the kResource record in the same file that it belongs to
  // Of the span's bytes: where its tracestate and its tool's name are, and how long its longest text is.
  struct Place {
    std::uint32_t at = 0;
    std::uint16_t size = 0;  // 0: it has none
    bool operator==(const Place&) const = default;
  };
  Place trace_state, tool;
  std::uint32_t longest_text = 0;

  [[nodiscard]] bool has(std::uint16_t flag) const { return (flags & flag) != 0; }
};
enum HeaderFlag : std::uint16_t {
  kRootSpan = 1u << 0,
  kGuessedSession = 1u << 1,
  kDerivedIds = 1u << 2,
  kLateAnswer = 1u << 3,
  // A subscription, a stream, a notification: nothing waits for it. Left open it is ok, not abandoned.
  kStanding = 1u << 4,
  // A call_open of an initialize whose session only the answer tells: it has none yet.
  kStarting = 1u << 5,
  kFromServer = 1u << 6,  // the server asked it
  kTreeRoot = 1u << 7,    // it is nested in no other span of its process but the session's root
  kJoined = 1u << 8,      // its parent is its caller's
  kStarted = 1u << 9,     // there was such a record with this span id: here is what became of it
  kEndUnseen = 1u << 10,  // of a session_close: nobody ended it; it was silent for long, or there were too many
};

// What the header has of the span itself; the rest is left as it is made.
SpanHeader header_of(const SpanRecord& span);

}  // namespace mcptrace::trace
