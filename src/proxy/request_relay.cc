#include "proxy/request_relay.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "http/head_writer.h"

namespace mcptrace::proxy {
namespace {

constexpr std::size_t kMaxPieces = 64;
// Of what is held, so much is copied where the server does not take it at once.
constexpr std::size_t kPortionBytes = 64 << 10;
constexpr std::size_t kMostIdle = 4 << 10;  // of a head's memory that is kept for the next one

std::uint64_t spliced_size(std::uint64_t size, const mcp::Edits& edits) {
  for (std::size_t i = 0; i < edits.count; ++i) size += edits.edit[i].inserted.size() - edits.edit[i].removed_size;
  return size;
}

}  // namespace

void RequestRelay::begin(http::RequestParser& parser, std::size_t head_size) {
  parser_ = &parser;
  state_ = State::kStreaming;
  head_size_ = position_ = head_size;
  received_ = 0;
  head_copy_.clear();
  held_.release();
  not_held_ = mcp::NotInjected::kNone;
  body_ = {};
  rewrite_ = {};
  outgoing_.start(false);
  next_ = gone_ = 0;
}

void RequestRelay::collect() {
  MCPTRACE_CHECK(state_ == State::kHolding);
  for (;;) {
    std::size_t used = 0;
    const http::ParseEvent event = parser_->next(client_.unread().substr(position_), used);
    position_ += used;
    switch (event) {
      case http::ParseEvent::kBody:
        collect_piece(parser_->body());
        if (state_ != State::kHolding) return;
        break;
      case http::ParseEvent::kEnd:
        if (!held_.empty()) body_ = held_.view();
        state_ = State::kWhole;
        return;
      case http::ParseEvent::kBad:
        state_ = State::kBad;
        return;
      case http::ParseEvent::kHead:
      case http::ParseEvent::kNeedMore:
        return;
    }
  }
}

// Most bodies are one piece, and are never copied.
void RequestRelay::collect_piece(std::string_view piece) {
  received_ += piece.size();
  if (received_ == piece.size()) {
    body_ = piece;
    return;
  }
  const bool fits = held_.append(body_, *budget_);
  if (fits) body_ = {};
  if (received_ <= kHoldBytes && fits && held_.append(piece, *budget_)) return;
  not_held_ = received_ > kHoldBytes ? mcp::NotInjected::kTooLarge : mcp::NotInjected::kNoRoom;
  held_.append_anyway(body_);
  held_.append_anyway(piece);
  body_ = {};
  state_ = State::kStreaming;
}

void RequestRelay::let_go() {
  if (head_copy_.empty()) {
    head_copy_.assign(client_.unread().substr(0, head_size_));
    parser_->head_moved(client_.unread().data(), head_copy_.data());
  }
  if (held_.empty() && !body_.empty()) held_.append_anyway(body_);
  body_ = state_ == State::kWhole ? held_.view() : std::string_view{};
  finish_taking();
}

void RequestRelay::forget() {
  held_.release();
  body_ = {};
  outgoing_.start(false);
  next_ = gone_ = 0;
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
    return;
  }
  tap.not_held(not_held_);
  if (!held_.empty()) tap.body_piece(held_.view());
}

void RequestRelay::write_head(const Destination& destination, std::uint64_t length) {
  outgoing_.start(head().framing == http::BodyFraming::kChunked);
  next_ = gone_ = 0;
  http::write_request_head(head(),
                           {.target = destination.target,
                            .host = destination.host,
                            .framing = head().framing,
                            .length = length,
                            .traceparent = rewrite_.traceparent,
                            .tracestate = rewrite_.tracestate,
                            .proxy_authorization = destination.proxy_authorization,
                            .close = destination.close,
                            .with_expect = state_ == State::kStreaming && head().expects_continue},
                           out_);
  outgoing_.add(out_);
}

void RequestRelay::send(http::Stream& server, const Destination& destination) {
  if (state_ == State::kWhole) {
    const std::uint64_t size = rewrite_.edits != nullptr ? spliced_size(body_.size(), *rewrite_.edits) : body_.size();
    write_head(destination, size);
    outgoing_.begin_body(size);
    if (rewrite_.edits != nullptr) {
      add_spliced(*rewrite_.edits);
    } else {
      outgoing_.add(body_);
    }
    outgoing_.end_body(true);
    state_ = State::kSending;
  } else {
    MCPTRACE_CHECK(state_ == State::kStreaming);
    write_head(destination, head().length);
    if (!held_.empty()) {
      outgoing_.begin_body(held_.view().size());
      outgoing_.add(held_.view());
      outgoing_.end_body(false);
    }
  }
  // What is in the client's buffer is small, and has to leave it now.
  if (held_.empty()) {
    server.write(outgoing_.pieces());
    next_ = outgoing_.pieces().size();
  }
  finish_taking();
  pass_held(server);
}

// The next bytes of outgoing_, at most so many, in portion_.
void RequestRelay::cut_portion(std::size_t most) {
  portion_.clear();
  const std::span<const iovec> all = outgoing_.pieces();
  std::size_t gone = gone_;
  for (std::size_t i = next_; i < all.size() && most != 0; ++i) {
    const std::size_t count = std::min(all[i].iov_len - gone, most);
    portion_.push_back({static_cast<char*>(all[i].iov_base) + gone, count});
    most -= count;
    gone = 0;
  }
}

void RequestRelay::advance(std::size_t count) {
  const std::span<const iovec> all = outgoing_.pieces();
  gone_ += count;
  for (; next_ < all.size() && gone_ >= all[next_].iov_len; ++next_) gone_ -= all[next_].iov_len;
}

// Sends on what was held as the server takes it: what it does not take at once is copied, and so kept small. True: all
// of it is gone.
bool RequestRelay::pass_held(http::Stream& server) {
  const std::span<const iovec> all = outgoing_.pieces();
  while (next_ < all.size() && !server.blocked() && !server.write_failed()) {
    cut_portion(std::numeric_limits<std::size_t>::max());
    advance(server.offer(portion_));
    cut_portion(kPortionBytes);
    if (!portion_.empty()) server.write(portion_);
    std::size_t size = 0;
    for (const iovec& piece : portion_) size += piece.iov_len;
    advance(size);
  }
  if (next_ < all.size()) return false;
  held_.release();
  body_ = {};
  if (state_ == State::kSending) finish();
  return true;
}

// All of the request has gone on: nothing that is large of it stays.
void RequestRelay::finish() {
  state_ = State::kDone;
  if (head_copy_.capacity() <= kMostIdle && out_.capacity() <= kMostIdle) return;
  std::string().swap(head_copy_);
  std::string().swap(out_);
}

void RequestRelay::pump(http::Stream& server, ExchangeTap* tap, Instant at) {
  if (pass_held(server) && state_ == State::kStreaming) pass_pieces(server, tap, at);
}

void RequestRelay::pass_pieces(http::Stream& server, ExchangeTap* tap, Instant at) {
  while (state_ == State::kStreaming && !server.blocked() && !server.write_failed()) {
    pieces_.clear();
    std::uint64_t size = 0;
    http::ParseEvent event = http::ParseEvent::kBody;
    while (event == http::ParseEvent::kBody && pieces_.size() < kMaxPieces) {
      std::size_t used = 0;
      event = parser_->next(client_.unread().substr(position_), used);
      position_ += used;
      if (event != http::ParseEvent::kBody) break;
      pieces_.push_back(parser_->body());
      size += pieces_.back().size();
    }
    outgoing_.start(head().framing == http::BodyFraming::kChunked);
    outgoing_.begin_body(size);
    for (const std::string_view piece : pieces_) {
      if (tap != nullptr) tap->body_piece(piece);
      outgoing_.add(piece);
    }
    outgoing_.end_body(event == http::ParseEvent::kEnd);
    if (event == http::ParseEvent::kEnd) {
      if (tap != nullptr) tap->body_end(at);
      finish();
    } else if (event == http::ParseEvent::kBad) {
      state_ = State::kBad;
    }
    if (!outgoing_.pieces().empty()) server.write(outgoing_.pieces());
    next_ = outgoing_.pieces().size();
    received_ += size;
    const bool nothing = position_ == 0;
    finish_taking();
    if (nothing || event == http::ParseEvent::kNeedMore) return;
  }
}

}  // namespace mcptrace::proxy
