// The table of requests that wait for their answers: pairing, without I/O.
//
// One table serves both directions of one connection; ids of the two directions never meet, nor do 7 and "7". Bounded
// in count and in bytes of text: when it is full the caller ends the oldest to make room. Slots are reused, so that a
// running connection allocates nothing; but what was uncommonly long is given back. One thread.
//
//   while (table.full()) …end table.all().front()…
//   OpenCall& call = table.open(fact);
//   if (OpenCall* call = table.find(direction_of_request, id)) { …; table.close(*call); }
#pragma once

#include <array>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/clock.h"
#include "mcp/fact.h"
#include "mcp/message.h"

namespace mcptrace::mcp {

// A place in a list; leaves it with the call.
using CallHook = boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;
template <class Call, CallHook Call::* kHook>
using HookedList = boost::intrusive::list<Call, boost::intrusive::member_hook<Call, CallHook, kHook>,
                                          boost::intrusive::constant_time_size<false>>;

inline constexpr std::uint32_t kNoExchange = 0xffffffff;
inline constexpr std::size_t kMaxNotes = 32;

enum class CallKind : std::uint8_t {
  kRequest,
  kNotification,  // over HTTP: open until its POST is over
  kHttp,          // an HTTP exchange that has neither
};

struct OpenCall;

// What becomes of a call beside what its request says: nothing yet where it is opened.
struct CallState {
  CallKind kind = CallKind::kRequest;
  // Of an initialize over HTTP: its session is known; only the answer will tell it, and `client` is who asks, through
  // the gate; it was written so, and is known by now.
  enum class Start : std::uint8_t { kKnown, kWaits, kTold } start_state = Start::kKnown;
  bool undeclared = false;
  bool link_is_task = false;
  bool shares_id = false;  // another request had the same id while this one was open
  std::uint8_t caller_link_count = 0;
  std::uint32_t exchange = kNoExchange;  // index of its HTTP exchange; kNoExchange: not over HTTP
  std::uint64_t exchange_serial = 0;
  std::uint32_t progress = 0;
  std::uint32_t dropped_notes = 0;
  OpenCall* parent = nullptr;  // the open call that this server request nests in
  Definition definition{};     // of the tool, as this session was told
  TraceId link_trace;          // retry of, or poll of, that span; zero = none
  SpanId link_span;
};

// What an open call has to remember for its span. Strings are as the wire had them, cut by the scanner: they pass
// the gate when the span is made.
struct OpenCall : CallState {
  // The request.
  Direction direction = Direction::kClientToServer;
  Method method = Method::kNone;
  std::uint32_t flags = 0;  // MessageFlag
  RequestId id;
  RequestId progress_token;  // kHasProgressToken
  CallContext context;
  Instant start;
  Nanos last_seen{};  // boot clock: its last byte so far
  std::uint64_t request_bytes = 0;
  std::uint64_t name_hash = 0, name_print = 0, method_print = 0, id_print = 0;
  std::string name, id_text, method_text, version;
  std::string trace_state;  // changed by CallTable::set_trace_state()

  struct Note {
    Nanos at{};  // wall
    Method method = Method::kNone;
    Finding finding = Finding::kCount;  // in place of a notification
  };
  std::vector<Note> notes;  // server notifications that belong to it, and findings; at most kMaxNotes

  // The table's own, and the lists that it is in.
  bool open = false;
  std::uint32_t text_bytes = 0;  // of its strings
  CallHook in_age, in_id_bucket, in_token_bucket;
  CallHook in_nest;        // of its session's calls that may nest
  CallHook in_unreported;  // of those that were not written as open
  CallHook in_parent;
  CallHook in_exchange;
  CallHook in_cut;                                      // of those whose stream was cut, which may be resumed
  HookedList<OpenCall, &OpenCall::in_parent> children;  // open server requests nested in this call

  // Only where the state says so.
  Nanos cut_at{};  // is_cut(): when
  bool cut_by_client = false;
  std::array<CallerLink, 2> caller_links{};  // contexts that were not chosen for parent
  std::string client;

  [[nodiscard]] bool is_listen() const { return method == Method::kSubscriptionsListen; }
  // Its session does not wait for it: a subscription, a stream, what nobody answers.
  [[nodiscard]] bool is_standing() const { return kind != CallKind::kRequest || is_listen(); }
  void add_note(const Note& note) {
    if (notes.size() < kMaxNotes) {
      notes.push_back(note);
    } else {
      ++dropped_notes;
    }
  }
  [[nodiscard]] bool is_cut() const { return in_cut.is_linked(); }
  [[nodiscard]] bool was_reported() const { return !in_unreported.is_linked(); }
  // May a server's request or notification be nested under it? (docs/spans.md)
  [[nodiscard]] bool may_nest() const {
    return direction == Direction::kClientToServer && kind == CallKind::kRequest &&
           (method == Method::kToolsCall || method == Method::kPromptsGet || method == Method::kResourcesRead);
  }
};

template <CallHook OpenCall::* kHook>
using CallList = HookedList<OpenCall, kHook>;
using CallsByAge = CallList<&OpenCall::in_age>;
using NestedCalls = CallList<&OpenCall::in_nest>;

class CallTable {
 public:
  explicit CallTable(std::size_t max_open = 16384, std::size_t max_text_bytes = 8u << 20);

  // Room for one more? If not, the caller ends the oldest first, until there is.
  [[nodiscard]] bool full() const { return count_ >= max_open_ || text_bytes_ >= max_text_bytes_; }
  // Enters a request. `fact.message` is one.
  OpenCall& open(const Fact& fact);
  // What the request itself says.
  static void describe(const Fact& fact, OpenCall& call);
  void set_trace_state(OpenCall& call, std::string_view text);
  // Takes it out; the reference is dead after the next open().
  void close(OpenCall& call);

  // The newest open request of `direction` with this id, one of this HTTP exchange (serial; 0: not over HTTP) before
  // all others; of an id of null only such a one. Null: none.
  OpenCall* find(Direction direction, const RequestId& id, std::uint64_t exchange = 0);
  // The only one whose id differs in form alone (7 for "7").
  OpenCall* find_loose(Direction direction, const RequestId& id);
  // The open request of `direction` that gave this progress token.
  OpenCall* find_token(Direction direction, const RequestId& token);

  // The oldest first.
  CallsByAge& all() { return calls_; }
  [[nodiscard]] std::size_t size() const { return count_; }

 private:
  using IdBucket = CallList<&OpenCall::in_id_bucket>;
  using TokenBucket = CallList<&OpenCall::in_token_bucket>;

  [[nodiscard]] std::size_t bucket(Direction direction, std::uint64_t hash) const;
  OpenCall* find_odd(Direction direction, const RequestId& id, std::uint64_t exchange);
  void enter(OpenCall& call);
  void grow();

  std::size_t max_open_, max_text_bytes_;
  std::size_t count_ = 0, text_bytes_ = 0;
  std::deque<OpenCall> slots_;
  CallsByAge calls_, free_;
  // Each with the oldest first.
  std::vector<IdBucket> by_id_;
  std::vector<TokenBucket> by_token_;
};

}  // namespace mcptrace::mcp
