#include "http/request_relay.h"

#include "base/check.h"
#include "http/head_writer.h"

namespace mcptrace::http {
namespace {

constexpr std::size_t kMaxPieces = 64;

std::uint64_t spliced_size(std::uint64_t size, const mcp::Edits& edits) {
  for (std::size_t i = 0; i < edits.count; ++i) size += edits.edit[i].inserted.size() - edits.edit[i].removed_size;
  return size;
}

}  // namespace

void RequestRelay::begin(RequestParser& parser, std::size_t head_size) {
  parser_ = &parser;
  head_ = &parser.head();
  state_ = State::kStreaming;
  chunked_ = head_->framing == BodyFraming::kChunked;
  head_size_ = position_ = head_size;
  received_ = 0;
  head_copy_.clear();
  body_copy_.clear();
  body_ = {};
  rewrite_ = {};
}

void RequestRelay::collect() {
  MCPTRACE_CHECK(state_ == State::kHolding);
  for (;;) {
    std::size_t used = 0;
    const ParseEvent event = parser_->next(client_.unread().substr(position_), used);
    position_ += used;
    switch (event) {
      case ParseEvent::kBody: {
        const std::string_view piece = parser_->body();
        if (received_ == 0) {
          body_ = piece;  // most bodies are one piece, and are never copied
        } else {
          if (body_copy_.empty()) body_copy_.assign(body_);
          body_copy_.append(piece);
        }
        received_ += piece.size();
        if (received_ <= kHoldBytes) break;
        if (body_copy_.empty()) body_copy_.assign(body_);
        state_ = State::kStreaming;
        return;
      }
      case ParseEvent::kEnd:
        if (!body_copy_.empty()) body_ = body_copy_;
        state_ = State::kWhole;
        return;
      case ParseEvent::kBad:
        state_ = State::kBad;
        return;
      case ParseEvent::kHead:
      case ParseEvent::kNeedMore:
        return;
    }
  }
}

void RequestRelay::let_go() {
  if (head_copy_.empty()) {
    head_copy_.assign(client_.unread().substr(0, head_size_));
    if (!kept_parser_) kept_parser_ = std::make_unique<RequestParser>();
    kept_parser_->reset();
    std::size_t used = 0;
    const ParseEvent event = kept_parser_->next(head_copy_, used);
    MCPTRACE_CHECK(event == ParseEvent::kHead);
    head_ = &kept_parser_->head();
  }
  if (body_copy_.empty() && !body_.empty()) {
    body_copy_.assign(body_);
    body_ = body_copy_;
  } else if (state_ == State::kWhole) {
    body_ = body_copy_;
  }
  finish_taking();
}

void RequestRelay::finish_taking() {
  client_.consume(position_);
  position_ = 0;
}

void RequestRelay::add_spliced(const mcp::Edits& edits) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < edits.count; ++i) {
    const mcp::Edit& edit = edits.edit[i];
    outgoing_.add(body_.substr(at, edit.offset - at));
    outgoing_.add(edit.inserted);
    at = edit.offset + edit.removed_size;
  }
  outgoing_.add(body_.substr(at));
}

void RequestRelay::show(ExchangeTap& tap, Instant at) {
  if (state_ == State::kWhole) {
    rewrite_ = tap.whole_body(body_, at);
  } else if (!body_copy_.empty()) {  // held until it proved too large
    tap.body_piece(body_copy_);
  }
}

void RequestRelay::send(Stream& server, const Destination& destination) {
  if (state_ == State::kWhole) return send_whole(server, destination);
  MCPTRACE_CHECK(state_ == State::kStreaming);
  outgoing_.start(chunked_);
  write_request_head(*head_,
                     {.target = destination.target,
                      .host = destination.host,
                      .framing = head_->framing,
                      .length = head_->length,
                      .proxy_authorization = destination.proxy_authorization,
                      .close = destination.close,
                      .with_expect = head_->expects_continue},
                     out_);
  outgoing_.add(out_);
  if (!body_copy_.empty()) {
    outgoing_.begin_body(body_copy_.size());
    outgoing_.add(body_copy_);
    outgoing_.end_body(false);
  }
  server.write(outgoing_.pieces());
  body_copy_.clear();
  body_copy_.shrink_to_fit();
  finish_taking();
}

void RequestRelay::send_whole(Stream& server, const Destination& destination) {
  const std::uint64_t size = rewrite_.edits != nullptr ? spliced_size(body_.size(), *rewrite_.edits) : body_.size();
  outgoing_.start(chunked_);
  write_request_head(*head_,
                     {.target = destination.target,
                      .host = destination.host,
                      .framing = head_->framing,
                      .length = size,
                      .traceparent = rewrite_.traceparent,
                      .tracestate = rewrite_.tracestate,
                      .proxy_authorization = destination.proxy_authorization,
                      .close = destination.close},
                     out_);
  outgoing_.add(out_);
  outgoing_.begin_body(size);
  if (rewrite_.edits != nullptr) {
    add_spliced(*rewrite_.edits);
  } else {
    outgoing_.add(body_);
  }
  outgoing_.end_body(true);
  server.write(outgoing_.pieces());
  state_ = State::kDone;
  finish_taking();
  if (body_copy_.capacity() > 64 << 10) body_copy_.shrink_to_fit();
}

void RequestRelay::pump(Stream& server, ExchangeTap* tap, Instant at) {
  while (state_ == State::kStreaming && !server.blocked() && !server.write_failed()) {
    pieces_.clear();
    std::uint64_t size = 0;
    ParseEvent event = ParseEvent::kBody;
    while (event == ParseEvent::kBody && pieces_.size() < kMaxPieces) {
      std::size_t used = 0;
      event = parser_->next(client_.unread().substr(position_), used);
      position_ += used;
      if (event != ParseEvent::kBody) break;
      pieces_.push_back(parser_->body());
      size += pieces_.back().size();
    }
    outgoing_.start(chunked_);
    outgoing_.begin_body(size);
    for (const std::string_view piece : pieces_) {
      if (tap != nullptr) tap->body_piece(piece);
      outgoing_.add(piece);
    }
    outgoing_.end_body(event == ParseEvent::kEnd);
    if (event == ParseEvent::kEnd) {
      if (tap != nullptr) tap->body_end(at);
      state_ = State::kDone;
    } else if (event == ParseEvent::kBad) {
      state_ = State::kBad;
    }
    if (!outgoing_.pieces().empty()) server.write(outgoing_.pieces());
    received_ += size;
    const bool nothing = position_ == 0;
    finish_taking();
    if (nothing || event == ParseEvent::kNeedMore) return;
  }
}

}  // namespace mcptrace::http
