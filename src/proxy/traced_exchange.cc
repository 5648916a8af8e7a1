#include "proxy/traced_exchange.h"

#include <algorithm>

#include "base/text.h"
#include "http/field_table.h"
#include "observe/placing.h"
#include "proxy/header_rules.h"

namespace mcptrace::proxy {
namespace {

using mcp::Fact;
using mcp::FactKind;
using mcp::HttpMethod;
using mcp::Message;
using mcp::MessageKind;
using mcp::Method;
using mcp::NotInjected;
using mcp::Text;

constexpr std::size_t kMostIdle = 1 << 10;  // of what a connection keeps between its exchanges

mcp::HttpEnd end_of(ExchangeEnd how) {
  static_assert(static_cast<int>(mcp::HttpEnd::kComplete) == static_cast<int>(ExchangeEnd::kComplete) + 1);
  static_assert(static_cast<int>(mcp::HttpEnd::kClientLeft) == static_cast<int>(ExchangeEnd::kClientLeft) + 1);
  return static_cast<mcp::HttpEnd>(static_cast<std::uint8_t>(how) + 1);
}

}  // namespace

TracedExchange::~TracedExchange() { release(); }

void TracedExchange::begin(const http::RequestHead& head, std::string_view target, std::size_t route,
                           const http::PeerAddress& client, Instant first_byte) {
  caller_ = {};
  caller_.route = route;
  caller_.first_byte = now_ = first_byte;
  http_ = {};
  http_.exchange = shared_.next_serial();
  http_.scope = http_.exchange;
  http_.began = first_byte;
  http_.method = method_of(head.method);
  http_.minor_version = head.minor_version;
  http_.route = static_cast<std::uint16_t>(route);
  http_.client_port = client.port;
  context_ = {};
  stretch_ = {};
  scope_ = 0;
  messages_ = spans_ = waiting_ = 0;
  asked_ = {};
  began_ = false;
  rewrite_ = {};
  request_bytes_ = answer_bytes_ = last_event_ = 0;
  answer_ = Answer::kNothing;
  answer_session_.clear();
  message_in_event_ = ending_ = end_told_ = false;
  findings_ = 0;
  misnamed_ = mistyped_ = false;
  head_.read(head, target, client.address, shared_.options());
  read_caller();
  know();
  choose_wish(head);
}

// Who asks, and of which session.
void TracedExchange::read_caller() {
  const HeadText& text = head_.text();
  caller_.session_id = text.session_id;
  caller_.conversation = text.conversation;
  caller_.baggage = text.baggage;
  caller_.authorization = text.authorization;
  caller_.user_agent = text.user_agent;
  caller_.address = text.client;
  caller_.traceparent = text.traceparent;
  caller_.tracestate = text.tracestate;
  caller_.modern = text.modern;
  if (text.forwarded || !shared_.options().client_address) http_.client_port = 0;
  if (text.modern) http_.flags |= mcp::kModernPeer;
  if (text.modern && !text.session_id.empty()) findings_ |= mcp::finding_bit(mcp::Finding::kDeprecated);
  if (!text.modern && !text.session_id.empty()) http_.flags |= mcp::kKnownSession;
  if (http_.method != HttpMethod::kPost) return;
  endpoint_.assign(shared_.endpoint(caller_.route, text.target));
  caller_.endpoint = endpoint_;
}

// Whether MCP is spoken here: by the head, by the session, or by what was said at this path before.
void TracedExchange::know() {
  const HeadText& text = head_.text();
  known_ = shared_.speaks_mcp(caller_.route, text.target);
  if (known_ || (!text.mcp && caller_.endpoint.empty())) return;
  known_ = true;
  shared_.learn_mcp(caller_.route, text.target);
}

void TracedExchange::choose_wish(const http::RequestHead& head) {
  wish_ = BodyWish::kNothing;
  request_done_ = true;
  not_injected_ = NotInjected::kNone;
  if (http_.method != HttpMethod::kPost || head.framing == http::BodyFraming::kNone ||
      !http::is_type(head.value(http::FieldName::kContentType), "application/json")) {
    return;
  }
  request_done_ = false;
  if (const std::string coding = head.list(http::FieldName::kContentEncoding); http::is_encoded(coding)) {
    not_injected_ = NotInjected::kEncoded;
    request_decoder_ = http::ContentDecoder::make(coding, {}, &shared_.budget());
  } else if (is_signed(head)) {
    not_injected_ = NotInjected::kSigned;
  } else if (head.expects_continue) {
    not_injected_ = NotInjected::kWaits;
  } else if (head.framing == http::BodyFraming::kLength && head.length > kHoldBytes) {
    not_injected_ = NotInjected::kTooLarge;
  }
  const bool hold = shared_.options().inject && not_injected_ == NotInjected::kNone;
  wish_ = hold ? BodyWish::kWhole : BodyWish::kPieces;
}

Rewrite TracedExchange::whole_body(std::string_view body, Instant at) {
  now_ = at;
  request_done_ = true;
  mcp::MessageScanner& scanner = shared_.whole_scanner();
  if (!known_ && trim_json(body).starts_with('[')) look_for_mcp(body);
  scanner.feed(body);
  scanner.end_line(body.size());
  take(scanner);
  return rewrite_;
}

// A batch is of MCP if one of its elements is.
void TracedExchange::look_for_mcp(std::string_view body) {
  mcp::MessageScanner& scanner = shared_.whole_scanner();
  scanner.feed(body);
  scanner.end_line(body.size());
  bool known = false;
  while (const mcp::Found* found = scanner.next()) {
    if (found->message != nullptr) observe::is_mcp(*found->message, known);
  }
  if (!known) return;
  known_ = true;
  shared_.learn_mcp(caller_.route, head_.text().target);
}

void TracedExchange::not_held(NotInjected why) {
  if (not_injected_ == NotInjected::kNone) not_injected_ = why;
}

void TracedExchange::body_piece(std::string_view bytes) {
  if (request_done_ || http_.problem != mcp::BodyProblem::kNone) return;
  if (!request_decoder_) return feed_request(bytes);
  const auto fed = request_decoder_->feed(bytes, [this](std::string_view text) {
    note_plain(request_decoder_->is_plain());
    feed_request(text);
  });
  if (!fed) note_undecodable(fed.error());
  if (http_.problem != mcp::BodyProblem::kNone) request_decoder_.reset();
}

void TracedExchange::feed_request(std::string_view bytes) {
  if (http_.problem != mcp::BodyProblem::kNone) return;
  if (!request_scanner_) request_scanner_ = shared_.lend_scanner(mcp::Direction::kClientToServer);
  if (!request_scanner_) {
    http_.problem = mcp::BodyProblem::kNoRoom;
    return;
  }
  request_bytes_ += bytes.size();
  request_scanner_->feed(bytes);
  take(*request_scanner_);
}

void TracedExchange::take(mcp::MessageScanner& scanner) {
  while (const mcp::Found* found = scanner.next()) on_found(*found);
}

void TracedExchange::on_found(const mcp::Found& found) {
  if (found.message == nullptr) {
    on_declared(found.declared);
  } else if (found.message->direction == mcp::Direction::kClientToServer) {
    on_client_message(*found.message, found.map);
  } else {
    on_server_message(*found.message);
  }
}

void TracedExchange::body_end(Instant at) {
  now_ = at;
  finish_request(true);
}

void TracedExchange::finish_request(bool whole) {
  if (request_done_) return;
  request_done_ = true;
  if (request_scanner_) {
    if (whole && http_.problem == mcp::BodyProblem::kNone) request_scanner_->end_line(request_bytes_);
    take(*request_scanner_);
    shared_.give_back(mcp::Direction::kClientToServer, std::move(request_scanner_));
  }
  request_decoder_.reset();
}

NotInjected TracedExchange::judge(const Message& message, const mcp::SpliceMap* map) const {
  if (map == nullptr) return message.has(mcp::kInBatch) ? NotInjected::kBatch : NotInjected::kBadShape;
  const NotInjected may = mcp::may_inject(message, *map);
  return may != NotInjected::kNone ? may : not_injected_;
}

void TracedExchange::take_place(const observe::HttpPlacement::Placed& placed) {
  if (messages_ == 0 || context_.session == 0) {
    context_ = placed.context;
    stretch_ = placed.stretch;
    scope_ = placed.scope;
    if (scope_ != 0) http_.scope = scope_;
  }
  http_.links = placed.links;
  http_.link_count = placed.link_count;
  const auto flag = [this](mcp::HttpFlag which, bool set) {
    http_.flags = static_cast<std::uint16_t>(set ? http_.flags | which : http_.flags & ~which);
  };
  flag(mcp::kGuessed, placed.guessed);
  flag(mcp::kOwnRoot, placed.own_root);
}

void TracedExchange::on_client_message(Message& message, const mcp::SpliceMap* map) {
  if (message.kind == MessageKind::kNotJson) return;
  const bool request = message.kind == MessageKind::kRequest;
  const bool answers = message.kind == MessageKind::kResult || message.kind == MessageKind::kError;
  const bool before = known_;
  if (!(answers ? known_ : observe::is_mcp(message, known_))) return;
  if (!before) shared_.learn_mcp(caller_.route, head_.text().target);
  if (request && message.method == Method::kInitialize && !message.has(mcp::kInBatch) && caller_.endpoint.empty()) {
    return hold_initialize(message, map);
  }
  mcp::FactHead fact;
  if (request && !message.has(mcp::kInBatch)) fact.findings = header_findings(head_.text(), message, shared_.key());
  const NotInjected may = judge(message, map);
  if (caller_.modern && message.method != Method::kInitialize) message.flags |= mcp::kModern;
  if (message[Text::kProtocolVersion].empty()) message[Text::kProtocolVersion] = head_.text().version;
  const auto& placed = shared_.placement().place(caller_, message, may, now_);
  take_place(placed);
  ++messages_;
  if (request || message.kind == MessageKind::kNotification) ++spans_;
  if (request && message.method != Method::kSubscriptionsListen) {
    ++waiting_;
    shared_.placement().request_began(stretch_);
  }
  fact.at = now_;
  fact.context = placed.context;
  fact.trace_state = placed.trace_state;
  if (placed.inject && map != nullptr) inject(*map, placed.injection);
  mcp::scope_ids(message, http_.scope);
  note_sent(message, placed.context.not_injected);
  push(fact, message);
}

// The answer will say whether the server accepts what was put in.
void TracedExchange::note_sent(const Message& message, NotInjected how) {
  observe::Acceptance* const server = shared_.placement().acceptance(caller_.route);
  if (server == nullptr) return;
  const bool asks = how == NotInjected::kNone || how == NotInjected::kDoubted;
  if (!asks || !observe::puts_in_meta(message, NotInjected::kNone)) return server->forget(message.id);
  server->sent(message.id, message.method, message.name_hash, how);
  asked_ = message.id;
}

void TracedExchange::inject(const mcp::SpliceMap& map, const mcp::Injection& injection) {
  traceparent_.assign(injection.traceparent);
  tracestate_.assign(injection.tracestate);
  mcp::plan_splice(map, injection, edits_);
  rewrite_ = {&edits_, traceparent_, tracestate_};
}

// Its session is known only from the answer, and so, without a caller, its trace: the message waits here. That it waits
// is told at once.
void TracedExchange::hold_initialize(const Message& message, const mcp::SpliceMap* map) {
  Fact fact;
  fact.at = now_;
  fact.message = message;
  held_place_ = shared_.placement().place_initialize(caller_, message, judge(message, map));
  fact.trace_state = held_place_.trace_state;
  if (held_place_.inject && map != nullptr) inject(*map, held_place_.injection);
  held_ = mcp::packed(fact);
  ++messages_, ++spans_;
  // Of what is long nothing more is needed there.
  for (const Text text : {Text::kTraceparent, Text::kTracestate, Text::kBaggage, Text::kConversation}) {
    fact.message[text] = {};
  }
  fact.kind = FactKind::kHttpWaits;
  fact.context = held_place_.context;
  http_.links = held_place_.links;
  http_.link_count = held_place_.link_count;
  push(fact, fact.message);
}

void TracedExchange::release_initialize(bool failed) {
  Fact fact = mcp::unpack(held_);
  held_place_.trace_state = fact.trace_state;
  using enum observe::HttpPlacement::Initialized;
  const auto how = http_.has(mcp::kRedirects) ? kRedirected : failed ? kFailed : kDone;
  shared_.placement().finish_initialize(caller_, fact.message, answer_session_, how, held_place_);
  take_place(held_place_);
  if (!answer_session_.empty()) http_.flags |= mcp::kKnownSession;
  fact.context = held_place_.context;
  fact.trace_state = held_place_.trace_state;
  mcp::scope_ids(fact.message, http_.scope);
  push(fact, fact.message);
  held_.clear();
  held_.shrink_to_fit();
}

// It has no message that would make a span.
void TracedExchange::begin_http() {
  const auto& placed = shared_.placement().place_exchange(caller_);
  take_place(placed);
  if (const std::string_view event = head_.text().last_event_id; !event.empty()) {
    http_.resumes = event_print(mcp::sse_id_print(event));
  }
  Fact fact;
  fact.kind = FactKind::kHttpBegin;
  fact.at = caller_.first_byte;
  fact.context = placed.context;
  fact.trace_state = placed.trace_state;
  ++spans_;
  push(fact, fact.message);
}

void TracedExchange::push(mcp::FactHead& fact, const Message& message, bool ends) {
  fact.http = &http_;
  const bool answers =
      fact.kind == FactKind::kMessage && message.direction == mcp::Direction::kServerToClient && message.is_answer();
  const bool opens_sse = fact.kind == FactKind::kHttpEvent && http_.has(mcp::kSseSession);
  if (answers || opens_sse || fact.kind == FactKind::kHttpEnd) fact.findings |= std::exchange(findings_, 0);
  http_.end = ends ? end_ : mcp::HttpEnd::kOpen;
  if (!began_) {
    http_.flags |= mcp::kBegins;
    if (shared_.options().client_address) fact.client = head_.text().client;
  }
  shared_.sink().push(fact, message);
  http_.flags &= static_cast<std::uint16_t>(~mcp::kBegins);
  http_.link_count = 0;
  began_ = true;
}

// Of the exchange itself, now.
void TracedExchange::push_bare(FactKind kind, bool ends) {
  Fact fact;
  fact.kind = kind;
  fact.at = now_;
  fact.context = context_;
  push(fact, fact.message, ends);
}

void TracedExchange::note_end(ExchangeEnd how, std::string_view error_type, Instant at) {
  end_ = end_of(how);
  http_.error = error_of(error_type);
  if (how == ExchangeEnd::kClientClosed && http_.left == Nanos{}) http_.left = at.boot;
}

void TracedExchange::end(ExchangeEnd how, std::string_view error_type, Instant at) {
  finish_request(false);
  note_end(how, error_type, at);
  end_answer(how);
  now_ = at;
  observe::Acceptance* const server = shared_.placement().acceptance(caller_.route);
  if (server != nullptr && asked_.usable() && observe::Acceptance::is_refusal_status(http_.status)) {
    server->answered(asked_, observe::Acceptance::Answer::kRefusal);
  }
  if (!end_told_) {
    if (!held_.empty()) {
      // Resumed elsewhere, it may still succeed.
      const bool resumable = !answer_session_.empty() && (http_.flags & mcp::kHasEvents) != 0;
      release_initialize(!resumable);
    }
    if (spans_ == 0) begin_http();
    refresh_session();
    push_bare(FactKind::kHttpEnd, true);
  }
  release();
  shared_.sink().passed();
}

void TracedExchange::lose() {
  shared_.whole_scanner().discard();
  release();
}

void TracedExchange::end_lost(ExchangeEnd how, std::string_view error_type, Instant at) {
  if (!began_) return;
  note_end(how, error_type, at);
  http_.flags |= mcp::kLost;
  now_ = at;
  push_bare(FactKind::kHttpEnd, true);
  shared_.sink().passed();
}

// Nothing of the exchange stays, least of all its secrets.
void TracedExchange::release() {
  for (; waiting_ != 0; --waiting_) shared_.placement().request_ended(stretch_);
  if (!endpoint_target_.empty()) {
    shared_.forget_endpoint(caller_.route, endpoint_target_, http_.exchange);
    endpoint_target_.clear();
  }
  shared_.give_back(std::move(framer_));
  shared_.give_back(mcp::Direction::kServerToClient, std::move(scanner_));
  shared_.give_back(mcp::Direction::kClientToServer, std::move(request_scanner_));
  decoder_.reset();
  request_decoder_.reset();
  head_.wipe();
  held_.clear();
  if (held_.capacity() * sizeof(held_[0]) > kMostIdle) held_.shrink_to_fit();
  caller_ = {};
}

}  // namespace mcptrace::proxy
