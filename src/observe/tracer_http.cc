// The tracer's facts that came over HTTP. Here a message belongs to an exchange, answers may come on other
// streams than their requests, and what cannot be seen is not said to have failed (docs/spans.md).
#include <algorithm>

#include "observe/tracer.h"

namespace mcptrace::observe {
namespace {

using mcp::CallKind;
using mcp::Direction;
using mcp::Fact;
using mcp::FactKind;
using mcp::HttpEnd;
using mcp::HttpFact;
using mcp::HttpMethod;
using mcp::Message;
using mcp::MessageKind;
using mcp::Method;
using mcp::OpenCall;
using trace::CallEnd;
using trace::Outcome;

constexpr std::size_t kMostDeclared = 16384;

std::string_view error_text(mcp::HttpError error) {
  switch (error) {
    case mcp::HttpError::kRefused:
      return "refused";
    case mcp::HttpError::kDns:
      return "dns";
    case mcp::HttpError::kTls:
      return "tls";
    case mcp::HttpError::kTimeout:
      return "timeout";
    case mcp::HttpError::kReset:
      return "reset";
    case mcp::HttpError::kProxy:
      return "proxy";
    case mcp::HttpError::kOther:
      return "_OTHER";
    case mcp::HttpError::kNone:
    case mcp::HttpError::kClosed:
      break;
  }
  return "closed";
}

CallEnd failed(std::string_view error_type) {
  CallEnd end;
  end.outcome = Outcome::kTransportError;
  end.error_type = error_type;
  return end;
}

CallEnd unobserved(std::string_view why) {
  CallEnd end;
  end.outcome = Outcome::kUnobserved;
  end.unobserved = why;
  return end;
}

CallEnd abandoned(std::string_view error_type) {
  CallEnd end;
  end.outcome = Outcome::kAbandoned;
  end.error_type = error_type;
  return end;
}

std::string_view problem_text(mcp::BodyProblem problem) {
  if (problem == mcp::BodyProblem::kNoRoom) return "no_room";
  return problem == mcp::BodyProblem::kTooLarge ? "too_large" : "encoding";
}

bool is_whole(const HttpFact& http) { return http.end == HttpEnd::kComplete || http.end == HttpEnd::kClientLeft; }

// A server may end its answer in order because the client has left: that is no failure of the server's.
bool is_left(const HttpFact& http) { return http.end == HttpEnd::kClientClosed || http.end == HttpEnd::kClientLeft; }

// What the answer's head alone says, for whatever it answers; nothing where the body matters.
std::optional<CallEnd> end_by_status(const HttpFact& http) {
  if (http.end == HttpEnd::kFailed) return failed(error_text(http.error));
  if ((http.status == 401 || http.status == 403) && http.auth != mcp::AuthScheme::kNone) {
    CallEnd end;
    end.outcome = Outcome::kAuthRequired;
    end.auth = http.auth;
    return end;
  }
  if (http.has(mcp::kRedirects)) {
    CallEnd end;
    end.outcome = Outcome::kRedirected;
    return end;
  }
  if (http.status < 300) return std::nullopt;
  if (http.problem != mcp::BodyProblem::kNone) return unobserved(problem_text(http.problem));
  return failed("status");
}

// Of an exchange that had neither request nor notification in it.
CallEnd end_of_http(const HttpExchange& exchange, const HttpFact& http) {
  if (auto end = end_by_status(http)) {
    end->status_unset = http.end != HttpEnd::kFailed && http.status < 500;
    if (end->outcome == Outcome::kTransportError && http.status >= 300 && http.status < 400) return {};
    return *end;
  }
  // What it was could not be read.
  if (http.problem != mcp::BodyProblem::kNone) return unobserved(problem_text(http.problem));
  if (exchange.has(mcp::kStreamed) || is_whole(http)) return {};
  if (http.end == HttpEnd::kStopped) return unobserved("stopped");
  if (http.end == HttpEnd::kServerClosed) return failed(error_text(http.error));
  CallEnd end = abandoned("client_closed");
  end.status_unset = true;
  return end;
}

}  // namespace

HttpExchange& Tracer::exchange_of(const Fact& fact) {
  const HttpFact& http = *fact.http;
  HttpExchange* exchange = exchanges_.find(http.exchange);
  if (exchange == nullptr) {
    const bool asks = fact.kind == FactKind::kMessage && fact.message.direction == Direction::kClientToServer;
    if (!http.has(mcp::kBegins) && !asks) {  // it was dropped
      stray_ = {};
      stray_.index = HttpExchanges::kNone;
      exchange = &stray_;
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
    exchange->resumes = events_.find(http.resumes);
    if (HttpExchange* origin = exchanges_.find(exchange->resumes)) {
      for (OpenCall* call = calls_.at(origin->calls); call != nullptr; call = calls_.at(call->exchange_next)) {
        call->cut_at = {};
      }
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
  while (OpenCall* call = calls_.at(exchange.calls)) {
    end_call(*call, unobserved(call->start.boot <= last_dropped_ ? "dropped" : "table_full"), call->last_seen, false);
  }
  if (exchange.has(mcp::kSseSession)) sse_sessions_.erase(exchange.scope);
  exchanges_.remove(exchange);
}

// Spans of no session here, or of one that this process has not seen opened: what they say of it is in the context.
Session& Tracer::loose_session(const mcp::CallContext& context, std::uint16_t route) {
  if (!loose_) {
    loose_ = std::make_unique<Session>(context, Instant{});
    loose_->closed = false;  // it has no root that could be written
  }
  loose_->root = context;
  loose_->root.session = 0;
  loose_->text = {};
  loose_->take_ids();
  loose_->route = route;
  return *loose_;
}

Session& Tracer::http_session(const Fact& fact, bool opens) {
  if (fact.context.session == 0) return loose_session(fact.context, fact.http->route);
  if (opens) return session_of(fact);
  Session* session = find_session(fact.context.session);
  return session != nullptr ? *session : loose_session(fact.context, fact.http->route);
}

const trace::HttpPart* Tracer::http_part(const OpenCall& call) {
  if (call.exchange == mcp::kNoCall) return nullptr;
  const HttpExchange& exchange = exchanges_.at(call.exchange);
  const RouteText& route = options_.routes[place_of(exchange.route)];
  http_part_ = {.method = exchange.method,
                .minor_version = exchange.minor_version,
                .status = exchange.status,
                .client_address = exchange.client,
                .server_address = route.server_address,
                .client_port = exchange.client_port,
                .server_port = route.server_port,
                .streamed = exchange.has(mcp::kStreamed),
                .answered = exchange.answered};
  return &http_part_;
}

void Tracer::feed_http(const Fact& fact) {
  HttpExchange& exchange = exchange_of(fact);
  switch (fact.kind) {
    case FactKind::kDeclaredTools:
      if (exchange.declared.size() < kMostDeclared) {
        exchange.declared.insert(exchange.declared.end(), fact.declared.begin(), fact.declared.end());
      }
      return;
    case FactKind::kHttpWaits:
      return wait_for_session(exchange, fact);
    case FactKind::kHttpBegin:
      return open_standing(exchange, http_session(fact, false), fact, CallKind::kHttp);
    case FactKind::kHttpEvent:
      if (fact.http->has(mcp::kSseSession)) sse_sessions_.try_emplace(exchange.scope, false);
      if (fact.http->event != 0 && events_.find(fact.http->event) == 0) {
        events_.put(fact.http->event, exchange.resumes != 0 ? exchange.resumes : exchange.serial);
      }
      return;
    case FactKind::kMessage:
      on_http_message(exchange, fact);
      if (fact.http->end != HttpEnd::kOpen) on_http_end(exchange, fact);
      return;
    case FactKind::kHttpEnd:
      note_exchange_findings(exchange, fact);
      return on_http_end(exchange, fact);
  }
}

// What was found about the exchange rather than in an answer: it concerns what was asked in it.
void Tracer::note_exchange_findings(const HttpExchange& exchange, const Fact& fact) {
  if (fact.findings == 0) return;
  OpenCall* const call = calls_.at(exchange.calls);
  Session& session = call != nullptr ? session_of_call(*call) : http_session(fact, false);
  note_findings(session, call, fact.findings, fact.at);
}

void Tracer::on_http_message(HttpExchange& exchange, const Fact& fact) {
  const Message& message = fact.message;
  if (message.direction == Direction::kServerToClient) return on_http_server_message(exchange, fact);
  if (message.kind == MessageKind::kResult || message.kind == MessageKind::kError) {
    http_session(fact, false).touch(fact.at);
    return on_http_answer(exchange, fact);
  }
  const bool waited = message.method == Method::kInitialize && end_waiting(exchange);
  Session& session = http_session(fact, message.kind == MessageKind::kRequest);
  session.touch(fact.at);
  session.count_message(message);
  if (message.kind == MessageKind::kRequest) {
    if (const auto sse = sse_sessions_.find(exchange.scope); sse != sse_sessions_.end()) sse->second = true;
    OpenCall& call = on_request(session, fact, nullptr);
    attach(exchange, fact, call);
    if (waited) tell_session(session, call);
  } else if (message.kind == MessageKind::kNotification) {
    if (message.method == Method::kNotificationsCancelled) on_cancelled(fact);
    open_standing(exchange, session, fact, CallKind::kNotification);
  }
}

void Tracer::attach(HttpExchange& exchange, const Fact& fact, OpenCall& call) {
  exchanges_.enter(exchange, call, calls_);
  call.caller_links = fact.http->links;
  call.caller_link_count = fact.http->link_count;
}

// What ends with its exchange: a notification, or the exchange itself.
void Tracer::open_standing(HttpExchange& exchange, Session& session, const Fact& fact, CallKind kind) {
  make_room();
  Fact own = fact;
  // No id finds it; but all without one in one chain would make a long one.
  own.message.id = {mcp::IdType::kAbsent, exchange.serial, exchange.serial};
  own.context.session = session.root.session;  // none, if its session has been forgotten meanwhile
  OpenCall& call = calls_.open(own);
  call.kind = kind;
  if (kind == CallKind::kHttp) {
    call.method = Method::kNone;
    call.flags = fact.http->has(mcp::kModernPeer) ? std::uint32_t{mcp::kModern} : 0;
  } else if (session.is_modern()) {
    call.flags |= mcp::kModern;
  }
  attach(exchange, fact, call);
  if (report_next_ == mcp::kNoCall) report_next_ = call.index;
  ++session.listens;
}

// The call in whose service the server sends something: the one on whose POST's stream it comes; on a stream of the
// session the only one that may have asked for it.
OpenCall* Tracer::served_by(const HttpExchange& exchange, const Session& session, const Message& message) {
  const HttpExchange* own = exchange.resumes != 0 ? exchanges_.find(exchange.resumes) : &exchange;
  OpenCall* only = nullptr;
  for (OpenCall* call = own == nullptr ? nullptr : calls_.at(own->calls); call != nullptr;
       call = calls_.at(call->exchange_next)) {
    if (call->kind != CallKind::kRequest || call->direction != Direction::kClientToServer) continue;
    if (call->start_state == OpenCall::Start::kWaits) continue;
    if (only != nullptr) return nullptr;
    only = call;
  }
  if (only != nullptr || exchange.method != HttpMethod::kGet || session.root.session == 0) return only;
  // Progress of a call that has ended is no other call's.
  if (message.method == Method::kNotificationsProgress && message.related.usable()) return nullptr;
  return session.nestable.size() == 1 ? calls_.at(session.nestable.front()) : nullptr;
}

void Tracer::on_http_server_message(HttpExchange& exchange, const Fact& fact) {
  const Message& message = fact.message;
  if (const std::uint64_t event = fact.http->event; event != 0) {
    if (exchange.resumes != 0 && events_.find(event) != 0) return;  // it was seen when it came first
    events_.put(event, exchange.resumes != 0 ? exchange.resumes : exchange.serial);
  }
  if (message.kind == MessageKind::kResult || message.kind == MessageKind::kError) {
    return on_http_answer(exchange, fact);
  }
  OpenCall* belongs_to = nullptr;
  const bool notification = message.kind == MessageKind::kNotification;
  if (notification && message.related.usable()) {
    const bool progress = message.method == Method::kNotificationsProgress;
    belongs_to = progress ? calls_.find_token(Direction::kClientToServer, message.related)
                          : calls_.find(Direction::kClientToServer, message.related, exchange.serial);
    if (belongs_to != nullptr && !progress && !belongs_to->is_listen()) belongs_to = nullptr;
  }
  Session& session = belongs_to != nullptr ? session_of_call(*belongs_to) : http_session(fact, false);
  if (belongs_to == nullptr) belongs_to = served_by(exchange, session, message);
  session.touch(fact.at);
  session.count_message(message);
  if (message.kind == MessageKind::kRequest) {
    OpenCall& call = on_request(session, fact, belongs_to);
    if (exchange.index != HttpExchanges::kNone) exchanges_.enter(exchange, call, calls_);
  } else if (notification) {
    on_notification(session, fact, belongs_to);
  }
}

OpenCall* Tracer::find_http_call(const HttpExchange& exchange, Direction asked, const mcp::RequestId& id) {
  if (exchange.resumes == 0) return calls_.find(asked, id, exchange.serial);
  if (OpenCall* call = calls_.find(asked, id, exchange.resumes)) return call;
  // The stream is of an exchange without a session, whose ids are its own.
  mcp::RequestId other = id;
  mcp::scope_id(other, exchange.scope);
  mcp::scope_id(other, exchange.resumes);
  return calls_.find(asked, other, exchange.resumes);
}

void Tracer::on_http_answer(HttpExchange& exchange, const Fact& fact) {
  const Message& message = fact.message;
  const bool from_client = message.direction == Direction::kClientToServer;
  const Direction asked = from_client ? Direction::kServerToClient : Direction::kClientToServer;
  page_.swap(exchange.declared);
  OpenCall* call = message.id.usable() ? find_http_call(exchange, asked, message.id) : nullptr;
  bool id_mismatch = false;
  // An error of the transport has no id: it can only mean what was in the exchange. Without a code it is no JSON-RPC.
  const bool alone = exchange.messages == 1 && calls_.at(exchange.calls) != nullptr;
  const bool of_transport = !message.id.usable() &&
                            (exchange.status >= 300 || (alone && message.kind == MessageKind::kError && !from_client));
  if (of_transport && message.has(mcp::kHasErrorCode) && alone) call = calls_.at(exchange.calls);
  if (call != nullptr && call->kind == CallKind::kHttp) call = nullptr;
  if (call == nullptr && !of_transport && !is_known_stray(asked, fact)) {
    if (message.id.usable()) call = calls_.find_loose(asked, message.id);
    id_mismatch = call != nullptr;
    if (call == nullptr && message.has(mcp::kJsonrpc2)) {
      Session& session = http_session(fact, false);
      session.touch(fact.at);
      session.count_message(message);
      ++session.unmatched;
    }
  }
  if (call != nullptr) {
    answer_call(*call, fact, id_mismatch);
  } else if (fact.findings != 0) {
    http_session(fact, false).count_findings(fact.findings);
  }
  page_.clear();
  page_.swap(exchange.declared);
}

// In a session without an id every exchange has ids of its own, and a client may use one twice at a time. So which call
// a cancellation means is known only if there is one open call of its session with that id.
OpenCall* Tracer::find_in_guessed(const Fact& fact) {
  mcp::RequestId wanted = fact.message.related;
  mcp::scope_id(wanted, fact.http->scope);
  OpenCall* found = nullptr;
  for (OpenCall* call = calls_.oldest(); call != nullptr; call = calls_.newer(*call)) {
    if (call->context.session_print != fact.context.session_print) continue;  // in whatever stretch
    if (call->direction != fact.message.direction) continue;
    if (call->kind != CallKind::kRequest || call->exchange == mcp::kNoCall) continue;
    mcp::RequestId id = call->id;
    mcp::scope_id(id, exchanges_.at(call->exchange).scope);
    if (id != wanted) continue;
    if (found != nullptr) return nullptr;
    found = call;
  }
  return found;
}

// Is a GET stream of the session open here, on which an answer may come?
bool Tracer::has_stream(std::uint64_t scope) {
  for (OpenCall* call = calls_.oldest(); call != nullptr; call = calls_.newer(*call)) {
    if (call->kind != CallKind::kHttp || call->exchange == mcp::kNoCall) continue;
    const HttpExchange& exchange = exchanges_.at(call->exchange);
    if (exchange.scope == scope && exchange.method == HttpMethod::kGet && exchange.has(mcp::kStreamed)) return true;
  }
  return false;
}

std::optional<CallEnd> Tracer::http_end(const OpenCall& call, const HttpExchange& exchange, const HttpFact& http) {
  if (call.kind == CallKind::kHttp) return end_of_http(exchange, http);
  if (auto end = end_by_status(http)) {
    const bool falls_back = call.method == Method::kInitialize && (http.status == 404 || http.status == 405);
    const bool answered = http.end != HttpEnd::kFailed;
    // By closing the connection a server refuses it, too.
    const bool closed = http.error == mcp::HttpError::kClosed || http.error == mcp::HttpError::kReset;
    end->status_unset = call.method == Method::kServerDiscover ? answered || closed : answered && falls_back;
    return end;
  }
  if (call.is_listen()) return CallEnd{};
  if (http.end == HttpEnd::kStopped) return unobserved("stopped");
  const bool by_client = is_left(http);
  if (call.kind == CallKind::kNotification) {
    if (is_whole(http)) return CallEnd{};
    return by_client ? abandoned("client_closed") : failed(error_text(http.error));
  }
  if (http.problem != mcp::BodyProblem::kNone) return unobserved(problem_text(http.problem));
  if (exchange.has(mcp::kLost) || call.start.boot <= last_dropped_) return unobserved("dropped");
  if (sse_sessions_.contains(exchange.scope)) return std::nullopt;  // the answer comes on that stream
  const bool modern = (call.flags & mcp::kModern) != 0;
  // In the modern era the answer comes there or nowhere.
  if (is_whole(http) && http.status == 202 && !modern) {
    if (has_stream(exchange.scope)) return std::nullopt;  // it may come there
    return unobserved("other_replica");
  }
  if (by_client && modern) {
    CallEnd end;
    end.outcome = Outcome::kCancelled;
    return end;
  }
  if (exchange.has(mcp::kHasEvents)) return std::nullopt;  // it may be resumed
  if (by_client) return abandoned("client_closed");
  CallEnd end = failed(error_text(http.error));
  end.status_unset = call.method == Method::kServerDiscover;
  return end;
}

// A root lasts as long as its calls do, and one without its initialize has failed.
void Tracer::end_by_exchange(OpenCall& call, const CallEnd& end, Nanos at_boot) {
  if (call.kind == CallKind::kRequest) {
    Session& session = session_of_call(call);
    session.touch({.wall = {}, .boot = at_boot});
  }
  end_call(call, end, at_boot, false);
}

void Tracer::keep(OpenCall& call, Nanos at_boot) {
  call.cut_at = at_boot;
  // One that is there already comes up earlier, and is put back then: so there are never more than slots.
  if (call.kept) return;
  call.kept = true;
  kept_.push_back({call.index, at_boot});
}

void Tracer::end_kept(Nanos now) {
  while (!kept_.empty() && kept_.front().cut_at + kKeepFor <= now) {
    const Kept kept = kept_.front();
    kept_.pop_front();
    OpenCall& call = *calls_.at(kept.call);
    call.kept = false;
    if (!call.open || call.cut_at.count() == 0) continue;
    if (call.cut_at + kKeepFor <= now) {
      end_call(call, unobserved("stream_cut"), call.cut_at, false);
    } else {
      call.kept = true;
      const auto later = std::ranges::upper_bound(kept_, call.cut_at, {}, &Kept::cut_at);
      kept_.insert(later, {call.index, call.cut_at});
    }
  }
}

void Tracer::on_http_end(HttpExchange& exchange, const Fact& fact) {
  const HttpFact& http = *fact.http;
  const Nanos at = fact.at.boot;
  ending_calls_.clear();
  for (OpenCall* call = calls_.at(exchange.calls); call != nullptr; call = calls_.at(call->exchange_next)) {
    // What the server asked on it is answered elsewhere.
    if (call->direction == Direction::kClientToServer) ending_calls_.push_back(call->index);
  }
  for (std::size_t i = ending_calls_.size(); i-- > 0;) {
    OpenCall& call = *calls_.at(ending_calls_[i]);
    if (!call.open || call.exchange_serial != exchange.serial) continue;
    if (const auto end = http_end(call, exchange, http)) {
      end_by_exchange(call, *end, at);
    } else if (!sse_sessions_.contains(exchange.scope)) {
      keep(call, at);
    }
  }
  if (HttpExchange* origin = exchanges_.find(exchange.resumes); origin != nullptr && origin->ended) {
    for (OpenCall* call = calls_.at(origin->calls); call != nullptr; call = calls_.at(call->exchange_next)) {
      if (call->kind == CallKind::kRequest && call->direction == Direction::kClientToServer) keep(*call, at);
    }
  }
  if (exchange.has(mcp::kSseSession)) {
    end_sse_session(exchange, http, fact.context.session, at);
    end_http_session(fact);
  } else if (exchange.has(mcp::kKnownSession)) {
    const bool deleted = exchange.method == HttpMethod::kDelete && http.status >= 200 && http.status < 300;
    if (deleted || http.status == 404) end_http_session(fact);
  }
  exchange.ended = true;
  if (exchange.calls == mcp::kNoCall && exchange.index != HttpExchanges::kNone) exchanges_.remove(exchange);
}

// The stream was the session: no answer can come any more.
void Tracer::end_sse_session(const HttpExchange& exchange, const HttpFact& http, std::uint32_t serial, Nanos at_boot) {
  sse_sessions_.erase(exchange.scope);
  const bool lost = exchange.has(mcp::kLost);
  const CallEnd end = http.end == HttpEnd::kStopped ? unobserved("stopped")
                                                    : abandoned(is_left(http) ? "client_closed" : "server_closed");
  ending_calls_.clear();
  for (OpenCall* call = calls_.oldest(); call != nullptr; call = calls_.newer(*call)) {
    if (call->exchange == mcp::kNoCall || exchanges_.at(call->exchange).scope != exchange.scope) continue;
    if (call->kind == CallKind::kRequest) ending_calls_.push_back(call->index);
  }
  Session* const session = find_session(serial);
  if (session != nullptr && http.end != HttpEnd::kStopped && !is_left(http)) session->end = RootEnd::kServerClosed;
  for (const std::uint32_t index : ending_calls_) {
    OpenCall& call = *calls_.at(index);
    if (!call.open) continue;
    end_call(call,
             call.is_listen()                           ? CallEnd{}
             : lost || call.start.boot <= last_dropped_ ? unobserved("dropped")
                                                        : end,
             at_boot, false);
  }
}

// By the client's DELETE, or because the server does not know it any more, or with its stream. What still waits for a
// resumed stream, or for the client, waits in vain.
void Tracer::end_http_session(const Fact& fact) {
  Session* session = find_session(fact.context.session);
  if (session == nullptr || session->closed) return;
  ending_calls_.clear();
  for (OpenCall* call = session->open == 0 ? nullptr : calls_.oldest(); call != nullptr; call = calls_.newer(*call)) {
    const bool waits = call->cut_at.count() != 0 || call->direction == Direction::kServerToClient;
    if (waits && call->context.session == session->root.session) ending_calls_.push_back(call->index);
  }
  for (const std::uint32_t index : ending_calls_) {
    OpenCall& call = *calls_.at(index);
    if (!call.open) continue;
    const bool cut = call.cut_at.count() != 0;
    end_call(call, cut ? unobserved("stream_cut") : abandoned("client_closed"), cut ? call.cut_at : fact.at.boot,
             false);
  }
  session->ending = true;
  if (session->open == 0) close_session(*session);
}

}  // namespace mcptrace::observe
