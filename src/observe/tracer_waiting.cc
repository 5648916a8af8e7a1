// The tracer's initializes over HTTP whose session only the answer tells. Until then each is an open call without a
// session, written as one if that takes a second; what became of it has the same span id.
#include "observe/tracer.h"
#include "trace/gate.h"

namespace mcptrace::observe {

using mcp::Fact;
using mcp::OpenCall;
using mcp::Text;
using Start = mcp::OpenCall::Start;

void Tracer::wait_for_session(HttpExchange& exchange, const Fact& fact) {
  if (exchange.index == HttpExchanges::kNone) return;
  make_room();
  Fact own = fact;
  mcp::scope_ids(own.message, ~exchange.serial);  // no answer finds it before it has a session
  OpenCall& call = calls_.open(own);
  call.start_state = Start::kWaits;
  trace::gate_peer(fact.message[Text::kPeerName], fact.message.peer_name_print, call.client);
  attach(exchange, fact, call);
  --exchange.messages;  // it comes again when its session is known
  if (report_next_ == mcp::kNoCall) report_next_ = call.index;
}

// Its session is known, where it is a call like all others. True: it was written without one.
bool Tracer::end_waiting(const HttpExchange& exchange) {
  OpenCall* call = calls_.at(exchange.calls);
  while (call != nullptr && call->start_state != Start::kWaits) call = calls_.at(call->exchange_next);
  if (call == nullptr) return false;
  const bool written = call->reported_open;
  take_out(*call);
  return written;
}

void Tracer::tell_session(const Session& session, OpenCall& call) {
  call.start_state = Start::kTold;
  call.reported_open = true;
  write_call_open(call, session, last_seen_);
}

// What there is to be said of it meanwhile.
Session& Tracer::waiting_session(const OpenCall& call) {
  mcp::CallContext nothing = call.context;
  nothing.session_print = 0;
  nothing.root_span_id = {};
  Session& session = loose_session(nothing, exchanges_.at(call.exchange).route);
  session.text.client_name = call.client;
  return session;
}

// It ends, and nobody has told its session: it gets the one that the relay has given it for that.
void Tracer::give_own_session(OpenCall& call) {
  call.start_state = call.reported_open ? Start::kTold : Start::kKnown;
  const HttpExchange& exchange = exchanges_.at(call.exchange);
  Session& session = add_session(call.context, exchange.began, nullptr);
  session.begin(exchange.began);
  session.route = exchange.route;
  session.text.client_name = call.client;
  session.ending = true;
  ++session.open;
  ++open_;
  open_session(session);
}

}  // namespace mcptrace::observe
