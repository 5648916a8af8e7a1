// The tracer's HTTP exchanges: when they begin, and what ends with them.
#include "observe/judge.h"
#include "observe/tracer.h"

namespace mcptrace::observe {

using mcp::CallKind;
using mcp::Direction;
using mcp::Fact;
using mcp::FactKind;
using mcp::HttpEnd;
using mcp::HttpFact;
using mcp::OpenCall;
using trace::CallEnd;

HttpExchange& Tracer::exchange_of(const Fact& fact) {
  const HttpFact& http = *fact.http;
  HttpExchange* exchange = exchanges_.find(http.exchange);
  if (exchange == nullptr) {
    const bool asks = fact.kind == FactKind::kMessage && fact.message.direction == Direction::kClientToServer;
    if (!http.has(mcp::kBegins) && !asks) {  // it was dropped
      apart_ = {};
      exchange = &apart_;
    } else {
      if (exchanges_.full()) drop_oldest_exchange();
      exchange = &exchanges_.add(http.exchange);
    }
    exchange->serial = http.exchange;
    exchange->began = http.began;
    exchange->method = http.method;
    exchange->minor_version = http.minor_version;
    exchange->route = http.route;
    exchange->client_port = http.client_port;
    exchange->resumes = exchanges_.origin_of(http.resumes);
    if (HttpExchange* const origin = exchanges_.find(exchange->resumes)) calls_.resume(*origin);
  }
  exchange->client.append(fact.client);
  exchange->scope = http.scope;
  exchange->status = http.status;
  exchange->answered = http.answered;
  exchange->flags = http.flags;
  return *exchange;
}

// Its facts were lost, or there are too many.
void Tracer::drop_oldest_exchange() {
  HttpExchange& exchange = *exchanges_.oldest();
  exchange.ended = false;  // else it went with its last call
  calls_.for_each(exchange.calls, [&](OpenCall& call) {
    calls_.end(call, unobserved(calls_.may_have_lost(call) ? "dropped" : "table_full"), call.last_seen);
  });
  if (exchange.has(mcp::kSseSession)) exchanges_.end_sse(exchange.scope);
  exchanges_.remove(exchange);
}

void Tracer::on_exchange_end(HttpExchange& exchange, const Fact& fact) {
  const HttpFact& http = *fact.http;
  const Nanos at = fact.at.boot;
  // What was found about the exchange rather than in an answer concerns what was asked in it.
  if (fact.kind == FactKind::kHttpEnd && fact.findings != 0) {
    OpenCall* const call = exchange.calls.empty() ? nullptr : &exchange.calls.back();
    (call != nullptr ? calls_.session_of(*call) : session_of(fact, false)).note_findings(fact.findings, fact.at, call);
  }
  calls_.for_each(exchange.calls, [&](OpenCall& call) {
    if (call.direction != Direction::kClientToServer) return;  // it is answered elsewhere
    if (const auto end = judge_exchange(call, exchange, http, exchanges_, calls_.may_have_lost(call))) {
      // A root lasts as long as its calls do, and one without its initialize has failed.
      if (call.kind == CallKind::kRequest) calls_.session_of(call).touch({.wall = {}, .boot = at});
      calls_.end(call, *end, at);
    } else if (!exchanges_.is_sse(exchange.scope)) {
      calls_.cut(call, at);
    }
  });
  if (HttpExchange* const origin = exchanges_.find(exchange.resumes); origin != nullptr && origin->ended) {
    for (OpenCall& call : origin->calls) {
      if (call.kind == CallKind::kRequest && call.direction == Direction::kClientToServer) calls_.cut(call, at);
    }
  }
  if (exchange.has(mcp::kSseSession)) {
    end_sse_session(exchange, fact);
    end_session(fact);
  } else if (exchange.has(mcp::kKnownSession)) {
    const bool deleted = exchange.method == mcp::HttpMethod::kDelete && http.status >= 200 && http.status < 300;
    if (deleted || http.status == 404) end_session(fact);
  }
  exchange.ended = true;
  if (exchange.calls.empty() && exchange.is_kept()) exchanges_.remove(exchange);
}

// The stream was the session: no answer can come any more.
void Tracer::end_sse_session(const HttpExchange& exchange, const Fact& fact) {
  const HttpFact& http = *fact.http;
  exchanges_.end_sse(exchange.scope);
  const CallEnd end = http.end == HttpEnd::kStopped ? unobserved("stopped")
                                                    : abandoned(client_left(http) ? "client_closed" : "server_closed");
  Session* const session = sessions_.find(fact.context.session);
  if (session != nullptr && http.end != HttpEnd::kStopped && !client_left(http)) session->end = RootEnd::kServerClosed;
  calls_.for_each(calls_.table().all(), [&](OpenCall& call) {
    const HttpExchange* const own = exchanges_.of(call);
    if (own == nullptr || own->scope != exchange.scope || call.kind != CallKind::kRequest) return;
    const bool lost = exchange.has(mcp::kLost) || calls_.may_have_lost(call);
    calls_.end(call, call.is_listen() ? CallEnd{} : lost ? unobserved("dropped") : end, fact.at.boot);
  });
}

// By the client's DELETE, or because the server does not know it any more, or with its stream. What still waits for a
// resumed stream, or for the client, waits in vain.
void Tracer::end_session(const Fact& fact) {
  Session* const session = sessions_.find(fact.context.session);
  if (session == nullptr || session->closed) return;
  if (session->open != 0) {
    calls_.for_each(calls_.table().all(), [&](OpenCall& call) {
      if (call.context.session != session->root.session) return;
      if (call.is_cut()) {
        calls_.end(call, unobserved("stream_cut"), call.cut_at);
      } else if (call.direction == Direction::kServerToClient) {
        calls_.end(call, abandoned("client_closed"), fact.at.boot);
      }
    });
  }
  session->ending = true;
  sessions_.rest(*session);
}

}  // namespace mcptrace::observe
