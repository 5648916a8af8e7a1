#include "http/connection.h"

#include "http/head_writer.h"

namespace mcptrace::http {
namespace {

// A connection that is idle when the server ends: long enough for a request that is already on its way.
constexpr std::chrono::milliseconds kDrainGrace{250};
// What a client that was refused may still send, so that our answer is not lost in a reset.
constexpr std::chrono::seconds kLeaveTime{1};
constexpr std::size_t kLeaveBytes = 4 << 20;

}  // namespace

Connection::Connection(Context& context, std::shared_ptr<Stream> client, const asio::ip::tcp::endpoint& peer)
    : context_(context),
      client_(std::move(client)),
      address_(unmapped(peer.address()).to_string()),
      deadline_(context.io.get_executor(), signal_),
      handler_(context.make_handler(*client_, signal_, {address_, peer.port()})) {}

Nanos Connection::idle_since() const { return stage_ == Stage::kWaiting ? waiting_since_ : Nanos::max(); }

void Connection::drain() {
  handler_->drain();
  if (stage_ == Stage::kWaiting) deadline_.arm(kDrainGrace);
  signal_.fire();
}

void Connection::stop() {
  stopped_ = true;
  handler_->stop();
  client_->close();
  signal_.fire();
}

Async<> Connection::run() {
  client_->listen(&signal_);
  After after = After::kReuse;
  while (after == After::kReuse) {
    await_request();
    Look look = look_for_request();
    while (look == Look::kMore) {
      client_->read_more();
      if (!signal_.take()) co_await signal_.wait();
      look = look_for_request();
    }
    deadline_.clear();
    if (look != Look::kRequest) {
      after = look == Look::kRefused ? After::kFinish : After::kClose;
      break;
    }
    stage_ = Stage::kHandling;
    after = co_await handler_->run(parser_, head_size_, first_byte_);
    ++served_;
  }
  stage_ = Stage::kLeaving;
  if (after == After::kFinish) co_await leave();
  client_->listen(nullptr);
  if (after == After::kReset) {
    client_->abort();
  } else {
    client_->close();
  }
}

void Connection::await_request() {
  parser_.reset();
  stage_ = Stage::kWaiting;
  waiting_since_ = context_.clock.boot();
  if (context_.draining) {
    deadline_.arm(kDrainGrace);
  } else if (served_ == 0) {
    deadline_.arm(kHeadTime);
  }
}

// Is the next request's head here?
Connection::Look Connection::look_for_request() {
  if (stopped_) return Look::kOver;
  if (!client_->unread().empty()) {
    if (stage_ == Stage::kWaiting) {
      stage_ = Stage::kReadingHead;
      first_byte_ = context_.clock.now();
      if (served_ != 0 || context_.draining) deadline_.clear();
    }
    switch (parser_.next(client_->unread(), head_size_)) {
      case ParseEvent::kHead:
        return Look::kRequest;
      case ParseEvent::kBad:
        refuse(parser_.problem().status, parser_.problem().what);
        return Look::kRefused;
      default:
        client_->consume(head_size_);  // empty lines before a request
        break;
    }
    if (!deadline_.armed()) deadline_.arm(kHeadTime);
  }
  if (client_->read_end() != StreamEnd::kOpen) return Look::kOver;
  if (deadline_.over()) {
    if (stage_ != Stage::kReadingHead) return Look::kOver;
    refuse(408, "the request's head did not come in time");
    return Look::kRefused;
  }
  return Look::kMore;
}

void Connection::refuse(int status, std::string_view reason) { client_->write(error_response(status, {}, reason)); }

// Says that we are done, and waits for the client to be so too: a socket closed with bytes unread is reset, and takes
// the answer with it.
Async<> Connection::leave() {
  client_->finish_writing();
  deadline_.arm(kLeaveTime);
  std::size_t swallowed = 0;
  while (client_->read_end() == StreamEnd::kOpen && !deadline_.over() && !stopped_ && swallowed < kLeaveBytes) {
    swallowed += client_->unread().size();
    client_->consume(client_->unread().size());
    client_->read_more();
    if (!signal_.take()) co_await signal_.wait();
  }
}

}  // namespace mcptrace::http
