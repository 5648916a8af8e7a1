#include "proxy/exchange.h"

#include "http/authority.h"
#include "http/head_writer.h"

namespace mcptrace::proxy {
namespace {

constexpr std::string_view kBodyBroken = "the body's framing is broken";
constexpr std::string_view kBodyLate = "the request's body did not come in time";
// Only where nothing is in flight yet; there is none for an answer.
constexpr std::chrono::seconds kConnectTime{10};
// A body that the client still owes: this long, and a second more for each KiB that came.
constexpr std::chrono::seconds kBodyTime{10};
constexpr std::size_t kBodyBytesPerSecond = 1024;
// After an answer to a client whose side had ended: within this time nobody there says so by a reset.
constexpr std::chrono::seconds kPartingTime{1};
constexpr std::chrono::milliseconds kPartingLook{50};
constexpr std::size_t kMostIdle = 1 << 10;  // of what a connection keeps between its exchanges

// The request's own words are for a proxy: there is no tunnel through it.
bool goes_to_proxy(const Route& route) { return route.forward_proxy.has_value() && !route.upstream.tls; }

}  // namespace

Exchange::Exchange(Context& context, http::Stream& client, http::Signal& signal, http::PeerAddress peer)
    : context_(context),
      client_(client),
      signal_(signal),
      peer_(peer),
      trusts_peer_(context.trust_proxy || context.trusted_proxies.contains(http::canonical_address(peer.address))),
      deadline_(context.http.io.get_executor(), signal),
      tap_(context.tracing != nullptr ? context.tracing->tap() : nullptr),
      request_(client, context.tracing != nullptr ? &context.tracing->budget() : nullptr),
      answer_(client) {}

Exchange::~Exchange() {
  if (server_) server_->close();
  // Whatever ended the connection in the middle: the tap must not take it for open.
  if (stage_ != Stage::kIdle && tap_) tap_->end(ExchangeEnd::kStopped, {}, context_.http.clock.now());
}

void Exchange::drain() {
  if (stage_ == Stage::kParting || (stage_ == Stage::kRelaying && session_stream_ && answer_.is_event_stream())) stop();
}

void Exchange::stop() {
  if (stage_ == Stage::kIdle) return;
  if (stage_ == Stage::kParting) return end(http::After::kClose, parting_.how, parting_.error_type, parting_.since);
  if (client_left_) return end(cut(), ExchangeEnd::kClientClosed, {});
  end(cut(), ExchangeEnd::kStopped, {});
}

void Exchange::refuse(int status, std::string_view reason) {
  client_.write(http::error_response(status, {}, reason, !head_only_));
}

// Ends the exchange, once: the server's connection is let go, and the tap is told.
void Exchange::end(http::After after, ExchangeEnd how, std::string_view error_type) {
  const bool left = how == ExchangeEnd::kClientClosed && client_left_;
  end(after, how, error_type, left ? *client_left_ : context_.http.clock.now());
}

void Exchange::end(http::After after, ExchangeEnd how, std::string_view error_type, Instant at) {
  if (stage_ == Stage::kIdle) return;
  stage_ = Stage::kIdle;
  after_ = after;
  deadline_.clear();
  request_.forget();
  connecting_.reset();
  let_server_go(after, how);
  if (tap_) tap_->end(how, error_type, at);
}

void Exchange::let_server_go(http::After after, ExchangeEnd how) {
  if (!server_) return;
  server_->listen(nullptr);
  const bool clean = how == ExchangeEnd::kComplete && request_.state() == RequestRelay::State::kDone &&
                     answer_.state() == AnswerRelay::State::kDone && answer_.server_can_go_on() &&
                     !goes_to_proxy(context_.routes[route_]);
  if (clean) {
    context_.pools[route_]->put(std::move(server_), answer_.server_waits());
  } else if (how == ExchangeEnd::kClientClosed && after == http::After::kReset) {
    server_->abort();
  } else {
    server_->close();
  }
  server_.reset();
}

// To the tap, of an answer of our own.
void Exchange::tell_status(int status) {
  if (!tap_) return;
  http::ResponseHead head;
  head.status = status;
  tap_->response(head, context_.http.clock.now());
}

// No answer came from the server: ours says which server, and why.
void Exchange::fail(int status, std::string_view reason, std::string_view error_type) {
  if (answer_.anything_sent()) return end(cut(), ExchangeEnd::kServerClosed, error_type);
  client_.write(http::error_response(status, context_.routes.name(route_), reason, !head_only_));
  tell_status(status);
  if (client_left_) return part(ExchangeEnd::kFailed, error_type);
  end(http::After::kFinish, ExchangeEnd::kFailed, error_type);
}

// May this request go on, and where to?
bool Exchange::admit() {
  const http::RequestHead& head = request_.head();
  if (head.method == "CONNECT") {
    refuse(405, "this is no forward proxy");
    return false;
  }
  const std::string_view host = head.value(http::FieldName::kHost);
  const bool passed_before = !own_host_.empty() && host == own_host_ && head.find(http::FieldName::kOrigin) == nullptr;
  if (!passed_before) {
    if (const auto refused = context_.access.check(head)) {
      refuse(403, *refused);
      return false;
    }
    own_host_.assign(host);
  }
  auto found = context_.routes.find(head.target);
  if (!found) {
    refuse(404, "no route has this path");
    return false;
  }
  route_ = found->route;
  target_ = std::move(found->target);
  host_.assign(context_.keep_host ? std::string_view(own_host_) : context_.routes.authority(route_));
  return true;
}

http::Async<http::After> Exchange::run(http::RequestParser& parser, std::size_t head_size, Instant first_byte) {
  begin(parser, head_size, first_byte);
  for (;;) {
    note_leaving();
    if (stage_ == Stage::kHolding) hold_body();
    if (stage_ == Stage::kConnecting) reach_server();
    if (stage_ == Stage::kRelaying) relay();
    if (stage_ == Stage::kParting) look_at_receipt();
    if (stage_ == Stage::kIdle) co_return after_;
    before_waiting();
    if (!signal_.take()) co_await signal_.wait();
    after_waiting();
  }
}

void Exchange::begin(http::RequestParser& parser, std::size_t head_size, Instant first_byte) {
  request_.begin(parser, head_size);
  const http::RequestHead& head = request_.head();
  head_only_ = head.method == "HEAD";
  const bool get = head.method == "GET";
  const bool with_session = head.find(http::FieldName::kMcpSessionId) != nullptr;
  session_stream_ = get && with_session && head.find(http::FieldName::kLastEventId) == nullptr;
  client_left_.reset();
  end_went_on_ = false;
  body_waited_ = waiting_since_ = {};
  if (!admit()) {
    after_ = http::After::kFinish;
    return;
  }
  const bool may_open_sse = get && !with_session;
  keep_view();
  fields_.begin(context_.routes, route_, client_view_);
  if (may_open_sse) endpoint_.begin(context_.routes, route_, client_view_);
  answer_.begin({.with_head = head_only_,
                 .http_10 = head.minor_version == 0,
                 .keep_alive = head.keep_alive,
                 .from_proxy = goes_to_proxy(context_.routes[route_]),
                 .fields = &fields_,
                 .endpoint = may_open_sse ? &endpoint_ : nullptr});
  stage_ = Stage::kConnecting;
  if (!tap_) return;
  tap_->begin(head, target_, route_, peer_, first_byte);
  if (tap_->body_wish() != BodyWish::kWhole) return;
  request_.hold();
  stage_ = Stage::kHolding;
}

// The head's bytes may move before the answer comes.
void Exchange::keep_view() {
  client_view_ = view_of(request_.head(), context_.tls, trusts_peer_);
  called_host_.assign(client_view_.host);
  called_target_.assign(client_view_.request_target);
  if (called_target_.capacity() > kMostIdle) called_target_.shrink_to_fit();
  client_view_.host = called_host_;
  client_view_.request_target = called_target_;
  client_view_.told_host = context_.keep_host;
}

// Until the body is here, or too large to be held.
void Exchange::hold_body() {
  request_.collect();
  if (request_.state() == RequestRelay::State::kBad) {
    refuse(400, kBodyBroken);
    tell_status(400);
    return end(http::After::kFinish, ExchangeEnd::kComplete, {});
  }
  if (request_.state() == RequestRelay::State::kHolding) {
    if (client_.read_end() != http::StreamEnd::kOpen) return end(http::After::kClose, ExchangeEnd::kClientClosed, {});
    if (!deadline_.over()) return;
    refuse(408, kBodyLate);
    return end(http::After::kFinish, ExchangeEnd::kClientClosed, "timeout");
  }
  deadline_.clear();
  request_.show(*tap_, context_.http.clock.now());
  stage_ = Stage::kConnecting;
}

void Exchange::reach_server() {
  UpstreamPool& pool = *context_.pools[route_];
  if (!connecting_) {
    server_ = pool.take();
    if (!server_) connecting_ = pool.connect(signal_, kConnectTime);
  }
  if (connecting_) {
    if (!connecting_->done()) {
      // The end of the client's bytes goes on after them; who has gone altogether is left.
      if (client_.read_end() == http::StreamEnd::kReset) end(http::After::kReset, ExchangeEnd::kClientClosed, {});
      return;
    }
    const auto connecting = std::move(connecting_);
    if (const ConnectFailure failure = connecting->failure(); failure != ConnectFailure::kNone) {
      return fail(status_of(failure), describe(failure), error_type(failure));
    }
    server_ = connecting->take();
  }
  server_->listen(&signal_);
  stage_ = Stage::kRelaying;
  send_request();
  if (context_.tracing != nullptr) context_.tracing->wake();
}

void Exchange::send_request() {
  const Route& route = context_.routes[route_];
  if (!goes_to_proxy(route)) return request_.send(*server_, {target_, host_});
  // RFC 9112 3.2.2.
  const std::string target = route.upstream.origin() + target_;
  // Some proxies (tinyproxy) pass what comes next on a connection to the server of the first request, as it is.
  request_.send(*server_, {target, host_, route.forward_proxy->authorization, true});
}

// Both ways at once, until the answer is over or somebody leaves.
void Exchange::relay() {
  if (request_.state() != RequestRelay::State::kDone) request_.pump(*server_, tap_.get(), context_.http.clock.now());
  if (request_.state() != RequestRelay::State::kStreaming) deadline_.clear();
  // What follows an answer that came before the request's end cannot be told from the rest of that request.
  const bool last = context_.http.draining || request_.state() != RequestRelay::State::kDone;
  answer_.pump(*server_, tap_.get(), last, context_.http.clock);
  if (!answer_.challenge().empty()) hint_about_challenge();
  if (endpoint_.unreachable()) {
    context_.log.once(
        LogReason::kEndpoint,
        "an HTTP+SSE server gave an endpoint outside of its upstream's path, which no path of this proxy leads "
        "to: give --upstream or --route the server's address without that path");
  }
  if (fields_.is_unreachable()) {
    context_.log.once(
        LogReason::kRedirect,
        "a server redirects to a path outside of its upstream's, which no path of this proxy leads to, so "
        "that clients go past it: give --upstream or --route the server's address without that path");
  }
  look_at_server();
  if (stage_ == Stage::kRelaying) look_at_client();
}

// What the streams have read may move from here to the next signal, and at no other time.
void Exchange::before_waiting() {
  if (stage_ != Stage::kRelaying) request_.let_go();
  const auto room = [](const http::Stream* taker) {
    return taker != nullptr && taker->blocked() ? http::Stream::Room::kLittle : http::Stream::Room::kMuch;
  };
  client_.read_more(room(server_.get()));
  if (server_) server_->read_more(room(&client_));
  const bool owes_body = stage_ == Stage::kHolding ||
                         (request_.state() == RequestRelay::State::kStreaming && server_ && !server_->blocked());
  if (!owes_body) return;
  const auto allowed = kBodyTime + std::chrono::seconds(request_.received() / kBodyBytesPerSecond);
  deadline_.arm(std::max<Nanos>(allowed - body_waited_, std::chrono::milliseconds(1)));
  waiting_since_ = context_.http.clock.boot();
}

void Exchange::after_waiting() {
  if (waiting_since_ == Nanos{}) return;
  body_waited_ += context_.http.clock.boot() - std::exchange(waiting_since_, Nanos{});
}

void Exchange::look_at_server() {
  if (answer_.is_bad()) {
    // What was in order goes first.
    if (answer_.anything_sent() && client_.blocked() && !client_.write_failed()) return;
    if (answer_.state() == AnswerRelay::State::kRefusedByProxy) {
      constexpr auto kRefused = ConnectFailure::kProxyWantsCredentials;
      return fail(status_of(kRefused), describe(kRefused), error_type(kRefused));
    }
    const bool head = answer_.state() == AnswerRelay::State::kNonsense;
    if (head && tap_) tap_->bad_head(answer_.fault());
    return fail(
        502, "the server's answer is not HTTP, its head is too large, or it is framed in a way that can be read in two",
        head ? "bad_head" : "bad_framing");
  }
  if (answer_.state() != AnswerRelay::State::kDone && !client_.blocked() &&
      server_->read_end() != http::StreamEnd::kOpen) {
    const bool reset = server_->read_end() == http::StreamEnd::kReset;
    if (reset || answer_.end_of_stream() != AnswerRelay::State::kDone) {
      if (end_went_on_) return end(http::After::kClose, ExchangeEnd::kClientClosed, {});
      if (client_.blocked()) return;  // what was held goes first
      if (answer_.anything_sent())
        return end(reset ? http::After::kReset : cut(), ExchangeEnd::kServerClosed, reset ? "reset" : "truncated");
      if (reset) return fail(502, "the server reset the connection", "reset");
      return fail(502, "the server closed the connection without an answer", "closed");
    }
  }
  if (answer_.state() != AnswerRelay::State::kDone || client_.blocked()) return;
  const bool whole = request_.state() == RequestRelay::State::kDone;
  const bool goes_on = whole && answer_.client_can_go_on() && (!client_left_ || !client_.unread().empty());
  if (client_left_ && !goes_on) return part(ExchangeEnd::kClientLeft, {});
  end(goes_on ? http::After::kReuse : http::After::kFinish,
      client_left_ ? ExchangeEnd::kClientLeft : ExchangeEnd::kComplete, {});
}

// As soon as it is seen, for what the server says from here on may be too late.
void Exchange::note_leaving() {
  if (client_left_ || stage_ == Stage::kIdle || client_.read_end() == http::StreamEnd::kOpen) return;
  client_left_ = context_.http.clock.now();
  if (tap_) tap_->client_left(*client_left_);
}

// The client has all there is, if it is there: only the tap still waits for that.
void Exchange::part(ExchangeEnd how, std::string_view error_type) {
  let_server_go(http::After::kClose, how);
  request_.forget();
  deadline_.clear();
  client_.finish_writing();
  parting_ = {how, error_type, context_.http.clock.now()};
  stage_ = Stage::kParting;
}

void Exchange::look_at_receipt() {
  const http::Receipt receipt = client_.receipt();
  const bool reset = receipt == http::Receipt::kReset || client_.read_end() == http::StreamEnd::kReset;
  if (reset) return end(http::After::kClose, ExchangeEnd::kClientClosed, {});
  const Nanos waited = context_.http.clock.boot() - parting_.since.boot;
  if (receipt == http::Receipt::kTaken || waited >= kPartingTime) return stop();
  deadline_.arm(std::min<Nanos>(kPartingLook, kPartingTime - waited));
}

// The client's leaving goes on to the server as it came: an end of its bytes as one, a reset as one.
void Exchange::look_at_client() {
  if (client_.write_failed() || client_.read_end() == http::StreamEnd::kReset) {
    return end(http::After::kReset, ExchangeEnd::kClientClosed, {});
  }
  // Of a request that breaks off the server has had the beginning: it must not take that for the whole.
  if (request_.state() == RequestRelay::State::kBad || deadline_.over()) {
    const bool late = request_.state() != RequestRelay::State::kBad;
    if (!answer_.anything_sent()) refuse(late ? 408 : 400, late ? kBodyLate : kBodyBroken);
    return end(http::After::kFinish, ExchangeEnd::kClientClosed, late ? "timeout" : "");
  }
  if (client_.read_end() == http::StreamEnd::kOpen || end_went_on_) return;
  // The server has to take the request's rest first, which is here.
  if (request_.state() == RequestRelay::State::kSending) return;
  if (request_.state() != RequestRelay::State::kDone) return end(http::After::kClose, ExchangeEnd::kClientClosed, {});
  end_went_on_ = true;
  server_->finish_writing();
}

// A client checks that the challenge speaks of the server that it called (RFC 9728 3.3), which is us.
void Exchange::hint_about_challenge() {
  if (!RouteTable::foreign_origin(answer_.challenge(), client_view_.scheme, client_view_.host)) return;
  context_.log.once(
      LogReason::kAuthorization,
      "the server's 401 names sign-in metadata of another address than this proxy's, which clients refuse: "
      "give the server the proxy's address as its public URL");
}

}  // namespace mcptrace::proxy
