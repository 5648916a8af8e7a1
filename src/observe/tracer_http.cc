// The tracer's HTTP exchanges: when they begin, and what ends with them.
#include <algorithm>
#include <iterator>
#include <utility>

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
using trace::Outcome;

namespace {

bool refuses(const HttpFact& http) { return http.status == 401 || http.status == 403; }

}  // namespace

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
    if (HttpExchange* const origin = exchanges_.find(exchange->resumes)) {
      calls_.resume(*origin);
      origin->resumed = exchange->serial;
    }
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

// What a server says to a client that has left is an answer only if that took it: the exchange's end tells.
bool Tracer::hold_back(HttpExchange& exchange, const Fact& fact) {
  if (fact.http == nullptr || fact.http->left == Nanos{} || !exchange.is_kept()) return false;
  const bool answers = fact.kind == FactKind::kDeclaredTools ||
                       (fact.message.is_answer() && fact.message.direction == Direction::kServerToClient);
  if (answers && !exchanges_.hold(exchange, fact)) add_dropped(1, fact.at.boot);
  return answers;
}

void Tracer::feed_held(HttpExchange& exchange) {
  for (const PackedFact& record : exchanges_.take_held(exchange)) {
    const Fact fact = mcp::unpack(record);
    if (fact.kind == FactKind::kDeclaredTools) {
      DeclaredTools::collect(fact.declared, exchange.declared);
    } else {
      on_message(exchange, fact);
    }
  }
}

// Its client was gone before: what is held is late, unless the stream is resumed, and it comes again.
void Tracer::settle_held(HttpExchange& exchange) {
  HttpExchange* const origin = exchanges_.find(exchange.resumes);
  HttpExchange& stream = origin != nullptr ? *origin : exchange;
  if (exchanges_.is_resumed(stream) || std::ranges::any_of(stream.calls, &OpenCall::is_cut)) {
    if (origin != nullptr) std::ranges::move(std::exchange(exchange.held, {}), std::back_inserter(origin->held));
  } else {
    feed_held(exchange);
  }
}

void Tracer::on_exchange_end(HttpExchange& exchange, const Fact& fact) {
  const HttpFact& http = *fact.http;
  const bool was_gone = http.end == HttpEnd::kClientClosed;
  const Nanos at = was_gone ? http.left : fact.at.boot;
  if (!was_gone) feed_held(exchange);
  // No answer of which its calls could tell.
  if (was_gone && http.answered > http.left) {
    exchange.status = 0;
    exchange.answered = {};
    exchange.flags &= static_cast<std::uint16_t>(~mcp::kStreamed);
  }
  if (fact.kind == FactKind::kHttpEnd) note_findings(exchange, fact);
  judge_calls(exchange, http, at);
  if (exchange.has(mcp::kSseSession)) end_sse_session(exchange, fact, at);
  if (was_gone) settle_held(exchange);
  if (exchange.has(mcp::kSseSession)) {
    end_session(fact);
  } else if (exchange.has(mcp::kKnownSession)) {
    const bool deleted = exchange.method == mcp::HttpMethod::kDelete && http.status >= 200 && http.status < 300;
    if (deleted || http.status == 404) end_session(fact);
  }
  exchange.ended = true;
  if (exchange.calls.empty() && exchange.is_kept()) exchanges_.remove(exchange);
}

// What was found about the exchange rather than in an answer concerns what was asked in it.
void Tracer::note_findings(HttpExchange& exchange, const Fact& fact) {
  if (fact.findings == 0) return;
  OpenCall* const call = exchange.calls.empty() ? nullptr : &exchange.calls.back();
  (call != nullptr ? calls_.session_of(*call) : session_of(fact, false)).note_findings(fact.findings, fact.at, call);
}

void Tracer::judge_calls(HttpExchange& exchange, const HttpFact& http, Nanos at) {
  const bool by_client = client_left(http);
  calls_.for_each(exchange.calls, [&](OpenCall& call) {
    if (call.direction != Direction::kClientToServer) return;  // it is answered elsewhere
    if (const auto end = judge_exchange(call, exchange, http, exchanges_, calls_.may_have_lost(call))) {
      // A root lasts as long as its calls do, and one without its initialize has failed.
      if (call.kind == CallKind::kRequest) calls_.session_of(call).touch({.wall = {}, .boot = at});
      if (call.kind == CallKind::kRequest && refuses(http)) calls_.session_of(call).count_unauthorized(http.auth);
      const bool by_leaving = end->outcome == Outcome::kAbandoned || end->outcome == Outcome::kCancelled;
      calls_.end(call, *end, by_leaving ? http.left : at);
    } else if (!exchanges_.is_sse(exchange.scope) && !exchanges_.is_resumed(exchange)) {
      calls_.cut(call, by_client ? http.left : at, by_client);
    }
  });
  if (HttpExchange* const origin = exchanges_.find(exchange.resumes); origin != nullptr && origin->ended) {
    for (OpenCall& call : origin->calls) {
      if (call.kind == CallKind::kRequest && call.direction == Direction::kClientToServer) {
        calls_.cut(call, at, by_client);
      }
    }
  }
}

// Nobody has taken its stream up again. Where its client had left that, it ended then.
void Tracer::give_up(OpenCall& call) {
  HttpExchange* const exchange = exchanges_.find(call.exchange_serial);
  if (exchange != nullptr) exchange->ended = false;  // else it went with its last call, and what it holds
  calls_.end(call, call.cut_by_client ? abandoned("client_closed") : unobserved("stream_cut"), call.cut_at);
  if (exchange == nullptr) return;
  if (std::ranges::none_of(exchange->calls, &OpenCall::is_cut)) feed_held(*exchange);
  exchange->ended = true;
  if (exchange->calls.empty()) exchanges_.remove(*exchange);
}

// The stream was the session: no answer can come any more.
void Tracer::end_sse_session(const HttpExchange& exchange, const Fact& fact, Nanos at) {
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
    calls_.end(call, call.is_listen() ? CallEnd{} : lost ? unobserved("dropped") : end, at);
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
        give_up(call);
      } else if (call.direction == Direction::kServerToClient) {
        calls_.end(call, abandoned("client_closed"), fact.at.boot);
      }
    });
  }
  session->ending = true;
  sessions_.rest(*session);
}

}  // namespace mcptrace::observe
