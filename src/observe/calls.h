// The open calls, from request to span: while one is open it is in its session's counts and in its exchange, among
// those that may nest, and among those that are to be written as open; when it ends it is in none of these, and what is
// nested in it has ended. Observer thread.
#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "mcp/call_table.h"
#include "mcp/fact.h"
#include "observe/declared_tools.h"
#include "observe/http_exchanges.h"
#include "observe/placement.h"
#include "observe/recollection.h"
#include "observe/record_writer.h"
#include "observe/sessions.h"
#include "observe/tracer_options.h"

namespace mcptrace::observe {

class Calls {
 public:
  // References must outlive this. `activity` is written: what the relay has to know of open requests.
  Calls(const TracerOptions& options, Sessions& sessions, HttpExchanges& exchanges, DeclaredTools& declared,
        Recollection& recollection, RecordWriter& writer, Activity& activity);

  mcp::CallTable& table() { return table_; }
  Session& session_of(const mcp::OpenCall& call);
  // Of the session, or over stdio (null) of the connection: the call that a server's message without a mark may belong
  // to. Null: none, or several.
  mcp::OpenCall* only_nestable(Session* session);

  // Before anything is looked up for what will be opened.
  void make_room();
  // A request; over stdio, `exchange` is in no table.
  mcp::OpenCall& open(Session& session, HttpExchange& exchange, const mcp::Fact& fact);
  // What ends with its HTTP exchange: a notification, or the exchange itself.
  mcp::OpenCall& open_standing(Session& session, HttpExchange& exchange, const mcp::Fact& fact, mcp::CallKind kind);
  // An initialize over HTTP whose session only the answer tells. Until then it is of no session, written as such if
  // that takes a second; what becomes of it has the same span id.
  void open_waiting(HttpExchange& exchange, const mcp::Fact& fact);
  // It is told. True: it was written without one.
  bool end_waiting(HttpExchange& exchange);
  void tell_session(const Session& session, mcp::OpenCall& call, Nanos now);

  // Duration and what is declared are filled in.
  void end(mcp::OpenCall& call, trace::CallEnd how, Nanos at_boot);
  // By its answer; `session` is the call's.
  void answered(Session& session, mcp::OpenCall& call, trace::CallEnd& how, Nanos at_boot);
  // Its stream was cut, or its client left it: it waits for the stream to be resumed, until it has waited too long.
  void cut(mcp::OpenCall& call, Nanos at_boot, bool by_client);
  // Of those that have, the first; null: none.
  mcp::OpenCall* overdue(Nanos now) {
    return !cut_.empty() && cut_.front().cut_at + kKeepFor <= now ? &cut_.front() : nullptr;
  }
  void resume(HttpExchange& exchange);
  // `visit` sees each of `list` that is still open when it is its turn: one may end with another.
  template <class List, class Visit>
  void for_each(List& list, Visit visit);
  void end_all(const TrafficEnd& traffic, Nanos now);

  // Facts were lost, none of a later moment. What was open then and ends without an answer, or has none for long, is
  // unobserved: its answer may have been among them.
  void add_dropped(Nanos last);
  [[nodiscard]] Nanos last_dropped() const { return last_dropped_; }
  // So lately that what was asked then may be answered only now.
  [[nodiscard]] bool lost_lately(Nanos now) const;
  [[nodiscard]] bool may_have_lost(const mcp::OpenCall& call) const { return call.start.boot <= last_dropped_; }

  void on_time(Nanos now);
  [[nodiscard]] Nanos next_deadline() const;
  void write_open(Nanos now);

 private:
  static constexpr Nanos kKeepFor = std::chrono::minutes(5);

  mcp::OpenCall& enter(HttpExchange& exchange, const mcp::Fact& fact);
  mcp::OpenCall* same_id(const HttpExchange& exchange, const mcp::Message& message);
  void end_in(Session& session, mcp::OpenCall& call, trace::CallEnd& how, Nanos at_boot, bool answered);
  void take_out(mcp::OpenCall& call);
  void count(Session& session, const mcp::OpenCall& call, int more);
  Session& waiting_session(const mcp::OpenCall& call);
  void give_own_session(mcp::OpenCall& call);
  void report(const Session& session, mcp::OpenCall& call, Nanos now);
  void give_up_dropped(Nanos now);

  const TracerOptions& options_;
  Sessions& sessions_;
  HttpExchanges& exchanges_;
  DeclaredTools& declared_;
  Recollection& recollection_;
  RecordWriter& writer_;
  Activity& activity_;
  mcp::CallTable table_;
  mcp::NestedCalls nestable_;                                // over stdio
  mcp::CallList<&mcp::OpenCall::in_unreported> unreported_;  // the oldest first
  mcp::CallList<&mcp::OpenCall::in_cut> cut_;                // by when
  std::int32_t waiting_ = 0;                                 // requests that wait, listens not counted
  Nanos last_dropped_ = Nanos::min();
  Nanos next_give_up_ = Nanos::max();
  std::vector<mcp::OpenCall*> visited_;  // scratch
};

template <class List, class Visit>
void Calls::for_each(List& list, Visit visit) {
  visited_.clear();
  for (mcp::OpenCall& call : list) visited_.push_back(&call);
  for (mcp::OpenCall* const call : visited_) {
    if (call->open) visit(*call);
  }
}

}  // namespace mcptrace::observe
