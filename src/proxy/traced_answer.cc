// The half of a connection's tap that looks at answers.
#include <utility>

#include "base/text.h"
#include "http/field_table.h"
#include "proxy/field_rewriter.h"
#include "proxy/traced_exchange.h"

namespace mcptrace::proxy {
namespace {

using mcp::Fact;
using mcp::FactKind;
using mcp::HttpMethod;
using mcp::Message;
using mcp::MessageKind;

constexpr std::size_t kMostSessionId = 16 << 10;
constexpr std::size_t kMostWhileStreaming = 4 << 10;  // of a request's head

mcp::BodyProblem problem_of(const Error& error) {
  if (error.code == Errc::kIo) return mcp::BodyProblem::kNoRoom;
  return error.code == Errc::kLimit ? mcp::BodyProblem::kTooLarge : mcp::BodyProblem::kEncoding;
}

}  // namespace

mcp::Findings TracedExchange::learn(const Message& message) {
  observe::Acceptance* const server = shared_.placement().acceptance(caller_.route);
  return server == nullptr ? 0 : server->learn(message, message.id.usable() ? message.id : asked_, http_.status);
}

void TracedExchange::response(const http::ResponseHead& head, Instant at) {
  now_ = at;
  http_.status = static_cast<std::uint16_t>(head.status);
  http_.answered = at.boot;
  const bool good = head.status >= 200 && head.status < 300;
  if (is_redirection(head.status) && head.find(http::FieldName::kLocation) != nullptr) http_.flags |= mcp::kRedirects;
  for (const http::Field& field : head.fields) {
    if (field.id == http::FieldName::kWwwAuthenticate &&
        (http_.auth == mcp::AuthScheme::kNone || http_.auth == mcp::AuthScheme::kOther)) {
      http_.auth = scheme_of(field.value);
    }
  }
  const std::string_view type = head.value(http::FieldName::kContentType);
  if (good && http::is_type(type, "text/event-stream")) {
    http_.flags |= mcp::kStreamed;
    if (messages_ != 0 || http_.method == HttpMethod::kGet) answer_ = Answer::kEvents;
  } else if (messages_ != 0) {
    answer_ = http::is_type(type, "application/json") ? Answer::kJson : Answer::kUntyped;
  }
  if (good && !held_.empty()) {
    const std::string_view session = head.value(http::FieldName::kMcpSessionId);
    if (session.size() <= kMostSessionId) answer_session_.assign(session);
  }
  if (answer_ != Answer::kNothing) {
    const std::string coding = head.list(http::FieldName::kContentEncoding);
    if (http::is_encoded(coding)) decoder_ = http::ContentDecoder::make(coding, {}, &shared_.budget());
  }
  // An event stream without a session may prove to be one of HTTP+SSE by its first event.
  const bool may_be_session = answer_ == Answer::kEvents && messages_ == 0 && caller_.session_id.empty();
  if (request_done_ && spans_ == 0 && !may_be_session) begin_http();
  // A stream may be idle for long from here on.
  if (began_ && held_.empty() && head_.size() > kMostWhileStreaming) keep_session_only();
}

void TracedExchange::response_piece(std::string_view bytes, Instant at) {
  now_ = at;
  if (answer_ != Answer::kNothing) {
    if (!decoder_) {
      feed_answer(bytes);
    } else {
      feed_encoded(bytes);
    }
  }
  shared_.sink().passed();
}

void TracedExchange::feed_encoded(std::string_view bytes) {
  const auto fed = decoder_->feed(bytes, [this](std::string_view text) {
    note_plain(decoder_->is_plain());
    feed_answer(text);
  });
  if (fed) return;
  note_undecodable(fed.error());
  answer_ = Answer::kNothing;
}

// Of a body that is not what its Content-Encoding says.
void TracedExchange::note_plain(bool plain) {
  if (!plain || misnamed_) return;
  misnamed_ = true;
  findings_ |= mcp::finding_bit(mcp::Finding::kBadEncoding);
}

void TracedExchange::note_undecodable(const Error& error) {
  http_.problem = problem_of(error);
  if (error.code == Errc::kCorrupt) findings_ |= mcp::finding_bit(mcp::Finding::kBadEncoding);
}

// An answer is what its body says: JSON begins with what no field of an event stream and no page does.
void TracedExchange::look_at_body(std::string_view bytes) {
  const std::string_view text = trim_json(bytes);
  if (text.empty()) return;
  const bool json = text.front() == '{' || text.front() == '[';
  http_.body = json || answer_ == Answer::kEvents ? mcp::AnswerBody::kReadable : mcp::AnswerBody::kNotJson;
  if (json && messages_ != 0) {
    mistyped_ = answer_ != Answer::kJson;
    answer_ = Answer::kJson;
  } else if (answer_ == Answer::kUntyped) {
    answer_ = Answer::kNothing;
  }
}

void TracedExchange::feed_answer(std::string_view bytes) {
  if (http_.body == mcp::AnswerBody::kEmpty) look_at_body(bytes);
  if (answer_ == Answer::kNothing || answer_ == Answer::kUntyped) return;
  if (answer_ == Answer::kJson && !scanner_) scanner_ = shared_.lend_scanner(mcp::Direction::kServerToClient);
  if (answer_ == Answer::kEvents && !framer_) framer_ = shared_.lend_framer();
  if (!scanner_ && !framer_) {
    http_.problem = mcp::BodyProblem::kNoRoom;
    answer_ = Answer::kNothing;
    return;
  }
  answer_bytes_ += bytes.size();
  if (answer_ == Answer::kJson) {
    scanner_->feed(bytes);
    return take(*scanner_);
  }
  framer_->passed(bytes);
  while (const mcp::SseFound found = framer_->next()) {
    if (found.event != nullptr) {
      on_event(*found.event);
    } else {
      on_found(*found.found);
    }
  }
  // Between two events there is nothing to remember.
  if (bytes.ends_with("\n\n") || bytes.ends_with("\r\n\r\n")) {
    shared_.give_back(std::move(framer_));
    last_event_ = 0;
  }
}

std::uint64_t TracedExchange::event_print(std::uint64_t id) const {
  if (id == 0) return 0;
  return (id ^ (scope_ * 0x9e3779b97f4a7c15u)) | 1;
}

// Where it has been told whose exchange this is, the head's other texts are not needed any more.
void TracedExchange::keep_session_only() {
  head_.keep_session_only();
  const HeadText& text = head_.text();
  const std::size_t route = caller_.route;
  const Instant first_byte = caller_.first_byte;
  caller_ = {};
  caller_.route = route;
  caller_.first_byte = first_byte;
  caller_.session_id = text.session_id;
  caller_.address = text.client;
  caller_.modern = text.modern;
  caller_.endpoint = endpoint_;
}

// The session of a stream is opened by requests elsewhere.
void TracedExchange::refresh_session() {
  if (context_.session != 0 || scope_ == 0) return;
  const auto& placed = shared_.placement().place_endpoint(caller_);
  context_ = placed.context;
  stretch_ = placed.stretch;
}

void TracedExchange::on_server_message(Message& message) {
  if (ending_ && message.kind == MessageKind::kNotMessage) http_.body = mcp::AnswerBody::kReadable;
  if (ending_ && message.kind == MessageKind::kNotJson && http_.body == mcp::AnswerBody::kReadable) {
    http_.body = mcp::AnswerBody::kBrokenJson;
  }
  if (!known_ || message.kind == MessageKind::kNotJson || message.kind == MessageKind::kNotMessage) return;
  const bool answers = message.kind == MessageKind::kResult || message.kind == MessageKind::kError;
  if (!answers && !message.has(mcp::kJsonrpc2)) return;
  // Whatever the body of a challenge or of a redirection looks like, it is no answer.
  if (http_.has(mcp::kRedirects)) return;
  if ((http_.status == 401 || http_.status == 403) && http_.auth != mcp::AuthScheme::kNone) return;
  finish_request(true);
  // An event before the result is one of a session, too.
  if (!held_.empty()) release_initialize(message.kind == MessageKind::kError || http_.status >= 300);
  if (!began_ && spans_ == 0) begin_http();
  refresh_session();
  http_.event = 0;
  if (answer_ == Answer::kEvents && framer_ && framer_->event_id() != last_event_) {
    http_.event = event_print(framer_->event_id());
    http_.flags |= mcp::kHasEvents;
  }
  message_in_event_ = true;
  const bool good = http_.status >= 200 && http_.status < 300;  // of others clients do not read the type
  if (answers && good && std::exchange(mistyped_, false)) {
    findings_ |= mcp::finding_bit(mcp::Finding::kBadContentType);
  }
  mcp::FactHead fact;
  fact.at = now_;
  fact.context = context_;
  mcp::scope_ids(message, http_.scope);
  fact.findings = learn(message);
  end_told_ = ending_ && !message.has(mcp::kInBatch);
  push(fact, message, end_told_);
  http_.event = 0;
  shared_.placement().touch(stretch_, now_.boot);
}

void TracedExchange::on_declared(std::span<const mcp::DeclaredTool> tools) {
  if (answer_ == Answer::kNothing || !began_) return;
  Fact fact;
  fact.kind = FactKind::kDeclaredTools;
  fact.at = now_;
  fact.declared = tools;
  fact.context = context_;
  push(fact, fact.message);
}

void TracedExchange::on_event(const mcp::SseEvent& event) {
  if (event.type == "endpoint" && http_.method == HttpMethod::kGet && endpoint_target_.empty() && !event.data_cut) {
    set_endpoint(event.data);
  }
  if (!began_ && spans_ == 0) begin_http();
  if (event.has_id && !message_in_event_) {
    http_.event = event_print(event.id_print);
    http_.flags |= mcp::kHasEvents;
    push_bare(FactKind::kHttpEvent);
    http_.event = 0;
  }
  last_event_ = event.id_print;
  message_in_event_ = false;
}

// This stream is an HTTP+SSE session, and what is sent to that URI belongs to it.
void TracedExchange::set_endpoint(std::string_view uri) {
  endpoint_.assign(uri);
  endpoint_target_ = resolve_endpoint(head_.text().target, uri);
  caller_.endpoint = endpoint_;
  shared_.learn_endpoint(caller_.route, endpoint_target_, endpoint_, http_.exchange);
  if (!began_) begin_http();
  http_.flags |= mcp::kSseSession;
  known_ = true;
  push_bare(FactKind::kHttpEvent);
}

void TracedExchange::end_answer(ExchangeEnd how) {
  // To a client that was gone by then it may have been said to the end, too.
  const bool whole = how == ExchangeEnd::kComplete || how == ExchangeEnd::kClientLeft;
  const bool may_be_whole = whole || how == ExchangeEnd::kClientClosed;
  if (decoder_ && whole && answer_ != Answer::kNothing) {
    if (const auto ended = decoder_->end(); !ended) note_undecodable(ended.error());
  }
  if (scanner_) {
    if (may_be_whole && answer_ == Answer::kJson) {
      ending_ = true;
      scanner_->end_line(answer_bytes_);
      take(*scanner_);
    }
    shared_.give_back(mcp::Direction::kServerToClient, std::move(scanner_));
  }
}

}  // namespace mcptrace::proxy
