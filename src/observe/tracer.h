// Facts in, spans out: the pure core of the observer. Pairs answers with requests, keeps sessions, decides parents and
// outcomes (docs/spans.md), and gives every finished span, and what is open for long, to a sink. Owns no thread,
// clock or file.
//
//   Tracer tracer(options, random, activity, sink);
//   tracer.feed(fact);                                  // in the order the relay saw them, a request before its answer
//   if (auto at = tracer.next_deadline()) …on_time(now) at that time or later
//   tracer.finish(end, now);                            // the server is gone: everything is written
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "mcp/exchange.h"
#include "mcp/fact.h"
#include "observe/declared_names.h"
#include "observe/http_exchanges.h"
#include "observe/placement.h"
#include "observe/recollection.h"
#include "observe/session.h"
#include "spool/record.h"
#include "trace/span_builder.h"

namespace mcptrace::observe {

// Takes what is to be written. Called on the observer's thread; the arguments are valid during the call.
class RecordSink {
 public:
  virtual ~RecordSink() = default;
  // The resource that the following records belong to.
  virtual void resource(std::span<const std::pair<std::string, std::string>> attributes) = 0;
  virtual void record(spool::RecordType type, const trace::SpanHeader& header, const trace::SpanRecord& span) = 0;
};

// One server: what its spans say of it, and what tells it from the others of the installation.
struct RouteText {
  std::string service_name;
  std::string server_address;     // over HTTP
  std::uint16_t server_port = 0;  // 0: not said
  std::string server{};           // whose tools those are that it declares (DeclaredNames)
};

struct TracerOptions {
  trace::Naming naming = trace::Naming::kBoth;
  std::string transport = "pipe";
  std::string service_name, server;                                      // over stdio: as of a route
  std::string instance_id;                                               // service.instance.id
  std::vector<std::pair<std::string, std::string>> resource_attributes;  // more of them, from OTEL_RESOURCE_ATTRIBUTES
  std::string command_print;                                             // mcptrace.command
  std::string client_process;                                            // mcp.client.process
  Nanos gap = std::chrono::minutes(30);
  std::optional<trace::TraceContext> environment;
  std::string environment_state;
  mcp::CallContext first;  // Placement::first(): the session of a server that speaks before its client
  std::size_t max_open = 16384;
  std::size_t max_sessions = 8192;
  std::size_t max_exchanges = 32768;
  std::vector<RouteText> routes;      // of a proxy, by HttpFact::route; empty: over stdio
  DeclaredNames* declared = nullptr;  // what other processes saw declared; null: nothing. Must outlive the tracer.
};

// How the traffic ended.
struct TrafficEnd {
  RootEnd root = RootEnd::kNormal;
  ChildStatus child;
  std::string_view call_error_type = "client_closed";  // error.type of the calls that are still open
};

class Tracer {
 public:
  // References must outlive this. `activity` is written: what the relay has to know of open requests.
  Tracer(TracerOptions options, Random& random, Activity& activity, RecordSink& sink);
  ~Tracer();

  void feed(const mcp::Fact& fact);
  // Facts that were lost on their way here; none of them of a later moment than `last` (boot clock). What was open then
  // and ends without an answer, or has none for long, is unobserved: its answer may have been among them.
  void add_dropped(std::uint64_t count, Nanos last);
  // What was lost behind us.
  void add_lost(const Losses& more);
  void on_time(Instant now);
  [[nodiscard]] std::optional<Nanos> next_deadline() const;  // boot clock
  void finish(const TrafficEnd& end, Instant now);

  // Writes the *_open records of all that is open: what a new spool file begins with.
  void write_open();

  // For the one line that is said about it: over all sessions.
  struct Noise {
    std::uint64_t lines = 0, bytes = 0;
  };
  [[nodiscard]] Noise noise() const { return noise_; }

 private:
  Session& session_of(const mcp::Fact& fact);
  Session& add_session(const mcp::CallContext& context, Instant at, const mcp::HttpFact* http);
  Session* find_session(std::uint32_t serial);
  Session* only_open_session();
  Session* present_session();
  Session& process_session(Instant at);
  Session& session_of_client_message(const mcp::Fact& fact);
  void leave_process_session(const mcp::CallContext& next);
  Session& session_of_server_message(const mcp::Message& message, Instant at, mcp::OpenCall*& belongs_to);
  void evict_sessions();

  [[nodiscard]] bool is_foreign(const mcp::Fact& fact) const;
  void note_framing(Session& session, const mcp::Message& message);
  static void count_foreign(Session& session, const mcp::Message& message);
  void make_room();
  mcp::OpenCall& on_request(Session& session, const mcp::Fact& fact, mcp::OpenCall* nested_in);
  void place_server_call(const Session& session, const mcp::Fact& fact, const mcp::OpenCall* nested_in,
                         mcp::OpenCall& call);
  void link_call(const Session& session, const mcp::Message& message, mcp::OpenCall& call);
  static void move_to(const Session& session, mcp::CallContext& context);
  void on_notification(Session& session, const mcp::Fact& fact, mcp::OpenCall* belongs_to);
  void on_cancelled(const mcp::Fact& fact);
  mcp::OpenCall* find_in_guessed(const mcp::Fact& fact);
  void add_note(mcp::OpenCall& call, const mcp::Fact& fact);
  static void put_note(mcp::OpenCall& call, const mcp::OpenCall::Note& note);
  void note_findings(Session& session, mcp::OpenCall* call, mcp::Findings findings, Instant at);
  void on_answer(const mcp::Fact& fact);
  void answer_call(mcp::OpenCall& call, const mcp::Fact& fact, bool id_mismatch);
  bool is_known_stray(mcp::Direction asked, const mcp::Fact& fact);
  void count_unmatched(const mcp::Fact& fact);
  void write_late(const EndedCall& ended, const mcp::Fact& fact);
  void learn_page(Session& session, const mcp::OpenCall& call, bool last);
  void forget_declared(Session& session);
  void learn_from_answer(Session& session, const mcp::OpenCall& call, const mcp::Message& message);
  void declare(std::uint16_t route, std::span<const std::uint64_t> names);
  [[nodiscard]] bool is_declared(std::uint16_t route, std::uint64_t name);
  [[nodiscard]] bool may_write_name(const mcp::OpenCall& call, const Session& session);

  // tracer_http.cc
  void feed_http(const mcp::Fact& fact);
  HttpExchange& exchange_of(const mcp::Fact& fact);
  Session& loose_session(const mcp::CallContext& context, std::uint16_t route);
  Session& http_session(const mcp::Fact& fact, bool opens);
  void on_http_message(HttpExchange& exchange, const mcp::Fact& fact);
  void on_http_server_message(HttpExchange& exchange, const mcp::Fact& fact);
  void open_standing(HttpExchange& exchange, Session& session, const mcp::Fact& fact, mcp::CallKind kind);
  void attach(HttpExchange& exchange, const mcp::Fact& fact, mcp::OpenCall& call);
  mcp::OpenCall* served_by(const HttpExchange& exchange, const Session& session, const mcp::Message& message);
  void on_http_answer(HttpExchange& exchange, const mcp::Fact& fact);
  mcp::OpenCall* find_http_call(const HttpExchange& exchange, mcp::Direction asked, const mcp::RequestId& id);
  void note_exchange_findings(const HttpExchange& exchange, const mcp::Fact& fact);
  void on_http_end(HttpExchange& exchange, const mcp::Fact& fact);
  std::optional<trace::CallEnd> http_end(const mcp::OpenCall& call, const HttpExchange& exchange,
                                         const mcp::HttpFact& http);
  void end_sse_session(const HttpExchange& exchange, const mcp::HttpFact& http, std::uint32_t serial, Nanos at_boot);
  bool has_stream(std::uint64_t scope);
  void end_http_session(const mcp::Fact& fact);
  void end_by_exchange(mcp::OpenCall& call, const trace::CallEnd& end, Nanos at_boot);
  void keep(mcp::OpenCall& call, Nanos at_boot);
  void end_kept(Nanos now);
  void drop_oldest_exchange();
  const trace::HttpPart* http_part(const mcp::OpenCall& call);

  // tracer_waiting.cc
  void wait_for_session(HttpExchange& exchange, const mcp::Fact& fact);
  bool end_waiting(const HttpExchange& exchange);
  void tell_session(const Session& session, mcp::OpenCall& call);
  Session& waiting_session(const mcp::OpenCall& call);
  void give_own_session(mcp::OpenCall& call);

  Session& session_of_call(const mcp::OpenCall& call);
  void end_call(mcp::OpenCall& call, const trace::CallEnd& end, Nanos at_boot, bool answered);
  void end_call_of(Session& session, mcp::OpenCall& call, const trace::CallEnd& given, Nanos at_boot, bool answered);
  void end_children(const mcp::OpenCall& parent, Nanos at_boot);
  void take_out(mcp::OpenCall& call);
  void leave_nest(Session& session, const mcp::OpenCall& call);
  // The calls that a server's message without a mark may belong to: of the connection.
  std::vector<std::uint32_t>& nest_of(Session& session) { return over_http() ? session.nestable : nestable_; }
  void report_open_calls(Instant now);
  void give_up_dropped(Nanos now);
  void write_call_open(const mcp::OpenCall& call, const Session& session, Nanos at_boot);
  void open_session(Session& session);
  void close_session(Session& session);
  void write_root(Session& session, spool::RecordType type);
  void use_route(std::uint16_t route);
  [[nodiscard]] std::size_t place_of(std::uint16_t route) const {
    return std::min<std::size_t>(route, options_.routes.size() - 1);
  }
  void drop_missing_root(const mcp::OpenCall& call);
  static std::uint16_t header_flags_of(const mcp::OpenCall& call);
  void emit(spool::RecordType type, const Session& session, const mcp::OpenCall* call, std::uint16_t header_flags);
  void publish_open();
  void look_at_gap(const Session& session);
  [[nodiscard]] bool over_http() const { return over_http_; }

  const bool over_http_;
  TracerOptions options_;  // `routes` has one over stdio, too
  Random& random_;
  Activity& activity_;
  RecordSink& sink_;
  trace::SpanBuilder builder_;
  trace::SpanRecord span_;
  RootStyle style_;
  mcp::ExchangeTable calls_;
  mcp::OpenCall notification_;  // scratch: a notification, looked at as a call
  Recollection recollection_;
  std::unordered_map<std::uint32_t, std::unique_ptr<Session>> sessions_;
  bool known_ = false;             // stdio: MCP is spoken here
  std::array<bool, 2> counted_{};  // stdio: by Direction: its framing was found to be by Content-Length
  std::size_t open_sessions_ = 0;  // those that are not closed
  std::vector<std::uint32_t> nestable_;
  Session* last_session_ = nullptr;
  mcp::CallContext process_context_;                         // of the newest process session
  std::vector<std::uint64_t> page_;                          // declared names of the result that follows
  std::vector<std::unordered_set<std::uint64_t>> declared_;  // tool names, by hash, of each route
  std::size_t declared_count_ = 0;
  std::size_t declared_of_sessions_ = 0;      // what they remember, together
  std::vector<std::uint64_t> new_names_;      // scratch: those of a page that were not
  std::uint32_t report_next_ = mcp::kNoCall;  // oldest call that may have to be reported as open
  std::uint32_t route_ = 0xffffffff;          // whose resource was given last
  std::uint32_t open_ = 0;                    // requests that wait, listens not counted
  Noise noise_;
  Nanos last_dropped_ = Nanos::min();
  // How long a call is waited for whose answer may have been dropped: its session stays open with it.
  static constexpr Nanos kGiveUpAfter = std::chrono::minutes(5);
  Nanos next_give_up_ = Nanos::max();
  static constexpr Nanos kReportOpenAfter = std::chrono::seconds(1);
  Losses lost_;
  Losses early_lost_;              // before there was a session: the next one's
  Nanos last_seen_{};              // boot clock: the newest moment told
  Nanos next_gap_ = Nanos::max();  // no session's gap is over before

  // Over HTTP.
  HttpExchanges exchanges_;
  HttpExchange stray_;  // stands for one that is not in the table any more
  EventRing events_;
  // HTTP+SSE sessions whose stream is here, by scope: has a request come?
  std::unordered_map<std::uint64_t, bool> sse_sessions_;
  struct Kept {
    std::uint32_t call;
    Nanos cut_at;
  };
  // How long a call whose stream was cut waits for the stream to be resumed.
  static constexpr Nanos kKeepFor = std::chrono::minutes(5);
  std::deque<Kept> kept_;           // slots of calls whose stream was cut, by when, or by when an earlier one was
  std::unique_ptr<Session> loose_;  // stands for the session of what has none here
  trace::HttpPart http_part_;
  std::vector<std::uint32_t> ending_calls_;  // scratch
};

}  // namespace mcptrace::observe
