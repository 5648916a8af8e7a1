#include "http/request_relay.h"

#include <array>
#include <charconv>

#include "base/check.h"
#include "http/head_writer.h"

namespace mcptrace::http {
namespace {

constexpr std::size_t kMaxPieces = 64;
constexpr std::string_view kLastChunk = "0\r\n\r\n", kLineEnd = "\r\n";

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

void RequestRelay::add(std::string_view bytes) {
  if (!bytes.empty()) iov_.push_back({const_cast<char*>(bytes.data()), bytes.size()});
}

void RequestRelay::add_spliced(const mcp::Edits& edits) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < edits.count; ++i) {
    const mcp::Edit& edit = edits.edit[i];
    add(body_.substr(at, edit.offset - at));
    add(edit.inserted);
    at = edit.offset + edit.removed_size;
  }
  add(body_.substr(at));
}

void RequestRelay::begin_chunk(std::uint64_t size) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), size, 16).ptr;
  chunk_head_.assign(digits.data(), end).append(kLineEnd);
  add(chunk_head_);
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
  iov_.clear();
  write_request_head(*head_,
                     {.target = destination.target,
                      .host = destination.host,
                      .framing = head_->framing,
                      .length = head_->length,
                      .with_expect = head_->expects_continue},
                     out_);
  add(out_);
  if (!body_copy_.empty()) {
    if (chunked_) begin_chunk(body_copy_.size());
    add(body_copy_);
    if (chunked_) add(kLineEnd);
  }
  server.write(iov_);
  body_copy_.clear();
  body_copy_.shrink_to_fit();
  finish_taking();
}

void RequestRelay::send_whole(Stream& server, const Destination& destination) {
  const std::uint64_t size = rewrite_.edits != nullptr ? spliced_size(body_.size(), *rewrite_.edits) : body_.size();
  iov_.clear();
  write_request_head(*head_,
                     {.target = destination.target,
                      .host = destination.host,
                      .framing = head_->framing,
                      .length = size,
                      .traceparent = rewrite_.traceparent,
                      .tracestate = rewrite_.tracestate},
                     out_);
  add(out_);
  if (chunked_ && size != 0) begin_chunk(size);
  if (rewrite_.edits != nullptr) {
    add_spliced(*rewrite_.edits);
  } else {
    add(body_);
  }
  if (chunked_ && size != 0) add(kLineEnd);
  if (chunked_) add(kLastChunk);
  server.write(iov_);
  state_ = State::kDone;
  finish_taking();
  if (body_copy_.capacity() > 64 << 10) body_copy_.shrink_to_fit();
}

bool RequestRelay::pump(Stream& server, ExchangeTap* tap, Instant at) {
  bool moved = false;
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
    iov_.clear();
    if (size != 0 && chunked_) begin_chunk(size);
    for (const std::string_view piece : pieces_) {
      if (tap != nullptr) tap->body_piece(piece);
      add(piece);
    }
    if (size != 0 && chunked_) add(kLineEnd);
    if (event == ParseEvent::kEnd) {
      if (tap != nullptr) tap->body_end(at);
      if (chunked_) add(kLastChunk);
      state_ = State::kDone;
    } else if (event == ParseEvent::kBad) {
      state_ = State::kBad;
    }
    if (!iov_.empty()) server.write(iov_);
    received_ += size;
    const bool any = position_ != 0;
    finish_taking();
    if (!any || event == ParseEvent::kNeedMore) return moved || any;
    moved = true;
  }
  return moved;
}

}  // namespace mcptrace::http
