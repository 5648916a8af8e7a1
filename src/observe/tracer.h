// Facts in, spans out: the pure core of the observer. Says what each message means: which session it is of, which
// request it answers or serves, and what follows (docs/spans.md). Owns no thread, clock or file.
//
//   Tracer tracer(options, random, activity, sink);
//   tracer.feed(fact);                                  // in the order the relay saw them, a request before its answer
//   if (auto at = tracer.next_deadline()) …on_time(now) at that time or later
//   tracer.finish(end, now);                            // the server is gone: everything is written
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "mcp/call_table.h"
#include "mcp/fact.h"
#include "observe/calls.h"
#include "observe/declared_tools.h"
#include "observe/http_exchanges.h"
#include "observe/pairing.h"
#include "observe/recollection.h"
#include "observe/record_writer.h"
#include "observe/sessions.h"
#include "observe/tracer_options.h"

namespace mcptrace::observe {

class Tracer {
 public:
  // References must outlive this. `activity` is written: what the relay has to know of open requests.
  Tracer(TracerOptions options, Random& random, Activity& activity, RecordSink& sink);

  void feed(mcp::Fact&& fact);  // its time is put in order
  // Facts that were lost on their way here; none of them of a later moment than `last` (boot clock).
  void add_dropped(std::uint64_t count, Nanos last);
  // What was lost behind us.
  void add_lost(const Losses& more) { sessions_.add_lost(more); }
  void on_time(Instant now);
  [[nodiscard]] std::optional<Nanos> next_deadline() const;  // boot clock
  // In one or in two steps: what is open ends, and then the sessions do. What is lost between is on their roots.
  void finish(const TrafficEnd& end, Instant now) {
    end_calls(end, now);
    end_sessions();
  }
  void end_calls(const TrafficEnd& end, Instant now);
  void end_sessions() { sessions_.close_all(); }

  // Writes the *_open records of all that is open: what a new spool file begins with.
  void write_open();

  // For the one line that is said about it: over all sessions.
  struct Noise {
    std::uint64_t lines = 0, bytes = 0;
  };
  [[nodiscard]] Noise noise() const { return noise_; }
  // Of what belongs to no session.
  [[nodiscard]] Session::FindingCounts loose_findings() const {
    return sessions_.loose() != nullptr ? sessions_.loose()->findings() : Session::FindingCounts{};
  }

 private:
  void put_in_order(Instant& at);
  void on_message(HttpExchange& exchange, const mcp::Fact& fact);
  Session& session_of(const mcp::Fact& fact, bool opens);
  Session& session_of_client_message(const mcp::Fact& fact);
  bool is_of_mcp(Session& session, const mcp::Fact& fact);
  bool is_echo(const HttpExchange& exchange, Session& session, const mcp::Fact& fact);
  void note_framing(Session& session, const mcp::Message& message);
  mcp::OpenCall& on_request(HttpExchange& exchange, Session& session, const mcp::Fact& fact, mcp::OpenCall* nested_in);
  mcp::OpenCall& open_call(HttpExchange& exchange, Session& session, const mcp::Fact& fact, mcp::OpenCall* nested_in);
  void place_server_call(const Session& session, const mcp::Message& message, mcp::OpenCall* nested_in,
                         mcp::OpenCall& call);
  void link_call(const Session& session, const mcp::Message& message, mcp::OpenCall& call);
  void on_notification(HttpExchange& exchange, Session& session, const mcp::Fact& fact, mcp::OpenCall* belongs_to);

  // tracer_answers.cc
  void on_answer(HttpExchange& exchange, const mcp::Fact& fact);
  void answer_call(mcp::OpenCall& call, const mcp::Fact& fact, const std::vector<mcp::DeclaredTool>& page,
                   bool id_mismatch);
  void learn_from_answer(Session& session, const mcp::OpenCall& call, const mcp::Message& message);
  bool is_known_stray(mcp::Direction asked, const mcp::Fact& fact, std::uint64_t stream);
  void count_unmatched(const HttpExchange& exchange, const mcp::Fact& fact);

  // tracer_http.cc
  HttpExchange& exchange_of(const mcp::Fact& fact);
  void drop_oldest_exchange();
  bool hold_back(HttpExchange& exchange, const mcp::Fact& fact);
  void feed_held(HttpExchange& exchange);
  void settle_held(HttpExchange& exchange);
  void on_exchange_end(HttpExchange& exchange, const mcp::Fact& fact);
  void note_findings(HttpExchange& exchange, const mcp::Fact& fact);
  void judge_calls(HttpExchange& exchange, const mcp::HttpFact& http, Nanos at);
  void give_up(mcp::OpenCall& call);
  void end_sse_session(const HttpExchange& exchange, const mcp::Fact& fact, Nanos at);
  void end_session(const mcp::Fact& fact);

  const TracerOptions options_;
  Random& random_;
  HttpExchanges exchanges_;
  DeclaredTools declared_;
  Recollection recollection_;
  RecordWriter writer_;
  Sessions sessions_;
  Calls calls_;
  Pairing pairing_;
  HttpExchange apart_;             // in no table: all of stdio, or an exchange whose begin was dropped
  mcp::OpenCall notification_;     // scratch: a notification, looked at as a call
  bool known_ = false;             // stdio: MCP is spoken here
  std::array<bool, 2> counted_{};  // stdio: by Direction: its framing was found to be by Content-Length
  Noise noise_;
  Nanos last_seen_{};             // boot clock: the newest moment told
  Nanos read_at_{}, told_at_{};   // boot clock: of the newest read, and of the last of its messages
  Nanos lost_at_ = Nanos::min();  // boot clock: the newest read of which messages were lost
};

}  // namespace mcptrace::observe
