#include "proxy/answer_relay.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/text.h"
#include "http/content_decoder.h"
#include "http/field_table.h"
#include "http/head_writer.h"

namespace mcptrace::proxy {
namespace {

constexpr std::size_t kMaxPieces = 64;
constexpr std::size_t kMostIdle = 4 << 10;  // of a head's memory that is kept for the next one

// "timeout=5, max=100" -> 5.
std::chrono::seconds keep_alive_time(std::string_view value) {
  constexpr std::string_view kTimeout = "timeout=";
  const auto at = value.find(kTimeout);
  if (at == std::string_view::npos) return {};
  unsigned seconds = 0;
  const char* const begin = value.data() + at + kTimeout.size();
  std::from_chars(begin, value.data() + value.size(), seconds);
  return std::chrono::seconds(std::min(seconds, 3600u));
}

}  // namespace

void AnswerRelay::begin(const Asked& asked) {
  asked_ = asked;
  parser_.reset(asked.with_head);
  state_ = State::kHead;
  framing_ = http::BodyFraming::kNone;
  keeps_client_ = keeps_server_ = event_stream_ = false;
  rewriting_ = Rewriting::kNo;
  server_waits_ = {};
  challenge_.clear();
}

void AnswerRelay::take_head(bool closing) {
  http::ResponseHead head = parser_.head();
  if (asked_.fields->rewrite(head)) head.fields = asked_.fields->fields();
  if (head.status < 200) {  // interim: on it goes; HTTP/1.0 knows none
    if (asked_.http_10 || head.status == 101) return;
    http::write_response_head(head, {.framing = http::BodyFraming::kNone, .length = 0, .close = false, .interim = true},
                              out_);
    return;
  }
  state_ = State::kBody;
  keeps_server_ = head.keep_alive && head.framing != http::BodyFraming::kUntilClose;
  if (const http::Field* field = head.find(http::FieldName::kKeepAlive)) server_waits_ = keep_alive_time(field->value);
  event_stream_ = http::is_type(head.value(http::FieldName::kContentType), "text/event-stream");
  if (asked_.endpoint != nullptr && event_stream_ && head.status == 200) {
    const bool encoded = http::is_encoded(head.list(http::FieldName::kContentEncoding));
    rewriting_ = encoded ? Rewriting::kUnclear : Rewriting::kYes;
  }
  looked_at_.clear();
  if (head.status == 401) {
    for (const http::Field& field : head.fields) {
      if (field.id != http::FieldName::kWwwAuthenticate) continue;
      challenge_.append(challenge_.empty() ? "" : ", ").append(field.value);
    }
  }
  framing_ = head.framing;
  if (rewriting_ != Rewriting::kNo && framing_ == http::BodyFraming::kLength) framing_ = http::BodyFraming::kChunked;
  if (framing_ == http::BodyFraming::kChunked && asked_.http_10) framing_ = http::BodyFraming::kUntilClose;
  keeps_client_ = asked_.keep_alive && !closing && framing_ != http::BodyFraming::kUntilClose;
  http::write_response_head(
      head, {.framing = framing_, .length = head.length, .close = !keeps_client_, .http_10 = asked_.http_10}, out_);
}

// In a stream that is really encoded there are no lines to look for.
void AnswerRelay::look_at_coding() {
  for (const std::string_view piece : pieces_) looked_at_.append(piece.substr(0, http::kLookBytes - looked_at_.size()));
  const http::Look look = http::look_at(looked_at_);
  if (look != http::Look::kUnclear) rewriting_ = Rewriting::kYes;
  if (look == http::Look::kCoded) asked_.endpoint->finish(rewritten_);
}

// The pieces of one read: with chunked framing they become one chunk.
void AnswerRelay::add_body(bool end) {
  // Nothing changes after a stream's first event, and what is not changed is not copied.
  if (rewriting_ != Rewriting::kNo && asked_.endpoint->done()) {
    rewriting_ = Rewriting::kNo;
    std::string().swap(rewritten_);
  }
  if (rewriting_ != Rewriting::kNo) {
    rewritten_.clear();
    if (rewriting_ == Rewriting::kUnclear) look_at_coding();
    for (const std::string_view piece : pieces_) asked_.endpoint->feed(piece, rewritten_);
    if (end) asked_.endpoint->finish(rewritten_);
    outgoing_.begin_body(rewritten_.size());
    outgoing_.add(rewritten_);
  } else {
    std::uint64_t size = 0;
    for (const std::string_view piece : pieces_) size += piece.size();
    outgoing_.begin_body(size);
    for (const std::string_view piece : pieces_) outgoing_.add(piece);
  }
  outgoing_.end_body(end);
}

void AnswerRelay::pump(http::Stream& server, ExchangeTap* tap, bool closing, const Clock& clock) {
  while ((state_ == State::kHead || state_ == State::kBody) && !client_.blocked() && !client_.write_failed()) {
    const std::string_view input = server.unread();
    if (input.empty()) return;
    std::size_t position = 0;
    pieces_.clear();
    out_.clear();
    const State broken = state_ == State::kHead ? State::kNonsense : State::kBroken;
    bool head = false, end = false;
    http::ParseEvent event = http::ParseEvent::kBody;
    while (pieces_.size() < kMaxPieces) {
      std::size_t used = 0;
      event = parser_.next(input.substr(position), used);
      position += used;
      if (event == http::ParseEvent::kBody) {
        pieces_.push_back(parser_.body());
      } else if (event == http::ParseEvent::kHead) {
        if (asked_.from_proxy && parser_.head().status == 407) {
          state_ = State::kRefusedByProxy;
          return;
        }
        head = true;
        take_head(closing);
        asked_.fields->forget();
      } else {
        end = event == http::ParseEvent::kEnd;
        break;
      }
    }
    // What came before the fault was in order, and goes on.
    if (event == http::ParseEvent::kBad && pieces_.empty()) {
      state_ = broken;
      return;
    }
    outgoing_.start(framing_ == http::BodyFraming::kChunked);
    outgoing_.add(out_);
    const bool interim = head && state_ == State::kHead;
    if (!interim) add_body(end);
    const Instant at = clock.now();
    if (!outgoing_.pieces().empty()) client_.write(outgoing_.pieces());
    if (tap != nullptr && !interim) {
      if (head && asked_.fields->leads_away()) tap->leads_away();
      if (head) tap->response(parser_.head(), at);
      if (rewriting_ != Rewriting::kNo && asked_.endpoint->leads_away()) tap->endpoint_leads_away();
      for (const std::string_view piece : pieces_) tap->response_piece(piece, at);
    }
    server.consume(position);
    if (out_.capacity() > kMostIdle) std::string().swap(out_);
    if (interim) {
      if (!end) continue;
      if (parser_.head().status == 101) state_ = State::kNonsense;  // never asked for
      parser_.reset(asked_.with_head);
    } else if (end) {
      state_ = State::kDone;
    }
    if (event == http::ParseEvent::kBad) state_ = State::kBroken;
    if (event == http::ParseEvent::kNeedMore) return;
  }
}

AnswerRelay::State AnswerRelay::end_of_stream() {
  if (state_ != State::kBody) return state_;
  const bool whole = parser_.end_of_stream() == http::ParseEvent::kEnd;
  if (std::exchange(rewriting_, Rewriting::kNo) != Rewriting::kNo) pass_held(whole);
  if (whole) state_ = State::kDone;
  return state_;
}

// Nothing more comes that could change it.
void AnswerRelay::pass_held(bool end) {
  rewritten_.clear();
  asked_.endpoint->finish(rewritten_);
  outgoing_.start(framing_ == http::BodyFraming::kChunked);
  outgoing_.begin_body(rewritten_.size());
  outgoing_.add(rewritten_);
  outgoing_.end_body(end);
  if (!outgoing_.pieces().empty()) client_.write(outgoing_.pieces());
}

}  // namespace mcptrace::proxy
