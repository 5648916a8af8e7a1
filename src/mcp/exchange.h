// The table of requests that wait for their answers: pairing, without I/O.
//
// One table serves both directions of one connection; ids of the two directions never meet, nor do 7 and "7". Bounded
// in count and in bytes of text: when it is full the caller ends the oldest to make room. Slots are reused, so that a
// running connection allocates nothing; but what was uncommonly long is given back. One thread.
//
//   while (table.full()) …end *table.oldest()…
//   OpenCall& call = table.open(fact);
//   if (OpenCall* call = table.find(direction_of_request, id)) { …; table.close(*call); }
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "mcp/fact.h"
#include "mcp/message.h"

namespace mcptrace::mcp {

inline constexpr std::uint32_t kNoCall = 0xffffffff;

enum class CallKind : std::uint8_t {
  kRequest,
  kNotification,  // over HTTP: open until its POST is over
  kHttp,          // an HTTP exchange that has neither
};

// What an open exchange has to remember for its span. Strings are as the wire had them, cut by the scanner: they pass
// the gate when the span is made.
struct OpenCall {
  // The request.
  Direction direction = Direction::kClientToServer;
  Method method = Method::kNone;
  std::uint32_t flags = 0;  // MessageFlag
  RequestId id;
  RequestId progress_token;  // kHasProgressToken
  CallContext context;
  Instant start;
  std::uint64_t request_bytes = 0;
  std::uint64_t name_hash = 0, name_print = 0, method_print = 0, id_print = 0;
  std::string name, id_text, method_text, version;
  std::string trace_state;  // changed by ExchangeTable::set_trace_state()
  TraceId link_trace;       // retry of, or poll of, that span; zero = none
  SpanId link_span;
  bool link_is_task = false;
  bool undeclared = false;

  // Over HTTP.
  CallKind kind = CallKind::kRequest;
  std::uint8_t caller_link_count = 0;
  std::array<CallerLink, 2> caller_links{};  // contexts that were not chosen for parent
  std::uint32_t exchange = kNoCall;          // index of its HTTP exchange; kNoCall: not over HTTP
  std::uint64_t exchange_serial = 0;
  std::uint32_t exchange_next = kNoCall, exchange_previous = kNoCall;  // the open calls of that exchange
  Nanos cut_at{};     // when its stream was cut, which may be resumed; zero: it was not
  bool kept = false;  // the tracer looks at this slot again, whichever call has it then
  // Of an initialize: its session is known; only the answer will tell it, and `client` is who asks, through the gate;
  // it was written so, and is known by now.
  enum class Start : std::uint8_t { kKnown, kWaits, kTold } start_state = Start::kKnown;
  std::string client;

  // Until the answer.
  Nanos last_seen{};  // boot clock: its last byte so far
  std::uint32_t progress = 0;
  struct Note {
    Nanos at{};  // wall
    Method method = Method::kNone;
    Finding finding = Finding::kCount;  // in place of a notification
  };
  std::vector<Note> notes;  // server notifications that belong to it, and findings; at most kMaxNotes
  std::uint32_t dropped_notes = 0;
  bool reported_open = false;
  std::uint32_t parent_call = kNoCall;  // the open call that this server request nests in
  std::uint32_t children = 0;           // open server requests nested in this call
  std::uint32_t nest_position = 0;      // where its session's list of calls that may nest has it

  // The table's own.
  std::uint32_t index = kNoCall;
  std::uint32_t chain = kNoCall;                   // next in the hash bucket
  std::uint32_t older = kNoCall, newer = kNoCall;  // order of age
  std::uint32_t token_chain = kNoCall;
  bool open = false;
  std::uint32_t text_bytes = 0;  // of its strings

  [[nodiscard]] bool is_listen() const { return method == Method::kSubscriptionsListen; }
  // Its session does not wait for it: a subscription, a stream, what nobody answers.
  [[nodiscard]] bool is_standing() const { return kind != CallKind::kRequest || is_listen(); }
  // May a server's request or notification be nested under it? (docs/spans.md)
  [[nodiscard]] bool may_nest() const {
    return direction == Direction::kClientToServer && kind == CallKind::kRequest &&
           (method == Method::kToolsCall || method == Method::kPromptsGet || method == Method::kResourcesRead);
  }
};

inline constexpr std::size_t kMaxNotes = 32;

class ExchangeTable {
 public:
  explicit ExchangeTable(std::size_t max_open = 16384, std::size_t max_text_bytes = 8u << 20);

  // Room for one more? If not, the caller ends oldest() first, until there is.
  [[nodiscard]] bool full() const { return count_ >= max_open_ || text_bytes_ >= max_text_bytes_; }
  // Enters a request. `fact.message` is one.
  OpenCall& open(const Fact& fact);
  // What the request itself says.
  static void describe(const Fact& fact, OpenCall& call);
  void set_trace_state(OpenCall& call, std::string_view text);
  // Takes it out; the reference is dead after the next open().
  void close(OpenCall& call);

  // The oldest open request of `direction` with this id. Null: none.
  OpenCall* find(Direction direction, const RequestId& id);
  // The same, but one of this HTTP exchange (serial) before all others.
  OpenCall* find(Direction direction, const RequestId& id, std::uint64_t exchange);
  // The only one whose id differs in form alone (7 for "7").
  OpenCall* find_loose(Direction direction, const RequestId& id);
  // The open request of `direction` that gave this progress token.
  OpenCall* find_token(Direction direction, const RequestId& token);

  OpenCall* oldest();
  OpenCall* newer(const OpenCall& call) { return at(call.newer); }
  OpenCall* at(std::uint32_t index) { return index == kNoCall ? nullptr : slots_[index].get(); }
  [[nodiscard]] const OpenCall* at(std::uint32_t index) const {
    return index == kNoCall ? nullptr : slots_[index].get();
  }
  [[nodiscard]] std::size_t size() const { return count_; }

 private:
  std::size_t bucket(Direction direction, std::uint64_t hash) const;
  void grow();

  std::size_t max_open_, max_text_bytes_;
  std::size_t count_ = 0, text_bytes_ = 0;
  std::vector<std::unique_ptr<OpenCall>> slots_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> by_id_;
  std::vector<std::uint32_t> by_token_;
  std::uint32_t oldest_ = kNoCall, newest_ = kNoCall;
};

}  // namespace mcptrace::mcp
