// What crosses from a relay thread to the observer: one message, what the relay decided about it, and when.
//
// Packing writes a Fact into a queue's record, unpack() reads it there in place; the strings of an unpacked Fact point
// into the record. Some 300 bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "mcp/finding.h"
#include "mcp/http_fact.h"
#include "mcp/message.h"

namespace mcptrace::mcp {

enum class FactKind : std::uint8_t {
  kMessage,
  kDeclaredTools,  // `declared`: from one tools/list result; comes before that result's kMessage
  // Only over HTTP, with `http`:
  kHttpWaits,  // an initialize whose session only the answer tells has come. Its context is that of a session of its
               // own, which it stays in if it fails; its kMessage comes with the answer
  kHttpBegin,  // an exchange that has neither request nor notification in it
  kHttpEvent,  // an event with an id but without a message came
  kHttpEnd,    // the exchange is over. A message with http->end set stands for one more, after it
};

// Where a request's parent came from.
enum class ParentSource : std::uint8_t { kRoot, kMeta, kHeader };

// Why a request went on without our context. kNone = it has it.
enum class NotInjected : std::uint8_t {
  kNone,
  kOff,         // --no-inject
  kNotRequest,  // a response, or a notification without _meta
  kBatch,
  kAmbiguous,
  kBadShape,    // params or _meta is no object, or the line is not one whole JSON object
  kTooLarge,    // over 1 MiB
  kTooSlow,     // not complete 20 ms after its first byte
  kEncoded,     // the body has a content coding
  kSigned,      // the body has a digest or a signature
  kWaits,       // the body is held back until the server says 100
  kNoSession,   // an initialize whose session only the answer tells
  kInitialize,  // an initialize without a _meta
  kDoubted,     // the server refused the last one that was changed: does it take this one?
  kStrict,      // the server refuses what is changed
  kFraming,     // stdio that is framed by Content-Length
  kForeign,     // it is no message of MCP's, whatever it looks like
  kNoRoom,      // as much as may be is held of other bodies
  kCount
};

// A client's message, as placed by the relay before it went on (docs/spans.md). For other facts: all zero.
struct CallContext {
  std::uint32_t session = 0;  // serial of the session stretch within this process; 0 = none
  ParentSource parent_source = ParentSource::kRoot;
  NotInjected not_injected = NotInjected::kNone;
  std::uint8_t flags = 0;      // W3C trace flags of the span's own context
  bool derived = false;        // the stretch has derived ids (explicit session key)
  std::uint32_t previous = 0;  // serial of the stretch before it that its root links to; 0 = none
  TraceId trace_id;            // of the message's span
  SpanId span_id;
  SpanId parent_id;       // zero only if the message starts no span
  TraceId root_trace_id;  // of the session's root
  SpanId root_span_id;
  std::uint64_t session_print = 0;  // mcp.session_id is "s-" + hex64 of it
  std::uint64_t randomness = 0;     // 56-bit rv of the request in a trace that we started; with flags random
};

// A fact but for its message, so that none is copied on its way to the queue.
struct FactHead {
  FactKind kind = FactKind::kMessage;
  Instant at;  // when the read returned that completed the message: both clocks, always
  CallContext context;
  std::string_view trace_state;            // of the span's own context, level 2 valid
  std::span<const DeclaredTool> declared;  // kDeclaredTools
  const HttpFact* http = nullptr;          // null: not over HTTP
  std::string_view client{};               // HTTP: the client's address, with kBegins; at most 64 bytes
  Findings findings = 0;                   // of its message, or else of its exchange
};
struct Fact : FactHead {
  Message message;
};

// Strings of a fact by number: those of Text, and two of its own.
inline constexpr std::size_t kFactTexts = kTextCount + 2;

// Borrows both.
class Packing {
 public:
  Packing(const FactHead& fact, const Message& message);
  explicit Packing(const Fact& fact) : Packing(fact, fact.message) {}
  [[nodiscard]] std::size_t size() const { return size_; }
  // `out` has size() bytes and is 8-aligned.
  void write(char* out) const;

 private:
  const FactHead& fact_;
  const Message& message_;
  std::array<std::uint16_t, kFactTexts> sizes_;  // of the strings as they are packed
  std::size_t size_ = 0;
};
// `record` was written by a Packing and is 8-aligned. The result borrows from it.
Fact unpack(std::span<const char> record);
// The same, in memory of its own.
std::vector<std::uint64_t> packed(const Fact& fact);
Fact unpack(const std::vector<std::uint64_t>& record);
// Its time alone, on the boot clock.
Nanos time_of(std::span<const char> record);

}  // namespace mcptrace::mcp
