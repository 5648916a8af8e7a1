#include "http/ready.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>

#include "http/head_writer.h"
#include "http/message_parser.h"

namespace mcptrace::http {
namespace {

constexpr std::string_view kPath = "/-/ready";
constexpr std::string_view kReady =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\nConnection: close\r\n\r\nready\n";
constexpr std::string_view kDraining =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 9\r\nConnection: "
    "close\r\n\r\ndraining\n";

}  // namespace

ReadyListener::ReadyListener(Context& context, Acceptor acceptor) : context_(context), acceptor_(std::move(acceptor)) {}

std::uint16_t ReadyListener::port() const {
  error_code ignored;
  return acceptor_.local_endpoint(ignored).port();
}

void ReadyListener::start() { asio::co_spawn(context_.io.get_executor(), accept(), asio::detached); }

void ReadyListener::stop() {
  error_code ignored;
  acceptor_.close(ignored);
}

Async<> ReadyListener::accept() {
  while (acceptor_.is_open()) {
    Socket socket(context_.io.get_executor());
    error_code error;
    co_await acceptor_.async_accept(socket, asio::redirect_error(kAwait, error));
    if (!acceptor_.is_open()) co_return;
    if (error) {
      Timer pause(context_.io.get_executor(), std::chrono::milliseconds(50));
      co_await pause.async_wait(asio::redirect_error(kAwait, error));
      continue;
    }
    if (answering_ >= kMaxAtOnce) continue;  // closed
    prepare(socket);
    asio::co_spawn(context_.io.get_executor(), answer(std::move(socket)), asio::detached);
  }
}

Async<> ReadyListener::answer(Socket socket) {
  ++answering_;
  const auto client = make_plain_stream(std::move(socket));
  Signal signal;
  Deadline deadline(context_.io.get_executor(), signal);
  client->listen(&signal);
  deadline.arm(std::chrono::seconds(2));
  RequestParser parser;
  std::string answer;
  while (answer.empty() && !deadline.over() && client->read_end() == StreamEnd::kOpen) {
    client->read_more();
    if (!signal.take()) co_await signal.wait();
    std::size_t used = 0;
    const ParseEvent event = parser.next(client->unread(), used);
    if (event == ParseEvent::kBad) answer = error_response(parser.problem().status, {}, parser.problem().what);
    if (event != ParseEvent::kHead) continue;
    const RequestHead& head = parser.head();
    // Whoever asks, by whatever name (an orchestrator uses the address): it tells nothing else.
    if (head.target != kPath || (head.method != "GET" && head.method != "HEAD")) {
      answer = error_response(404, {}, "only GET /-/ready is here");
    } else {
      answer = context_.draining ? kDraining : kReady;
    }
  }
  if (!answer.empty()) {
    client->write(answer);
    client->finish_writing();
    client->consume(client->unread().size());
    while (client->read_end() == StreamEnd::kOpen && !deadline.over()) {
      client->read_more();
      if (!signal.take()) co_await signal.wait();
      client->consume(client->unread().size());
    }
  }
  client->listen(nullptr);
  client->close();
  --answering_;
}

}  // namespace mcptrace::http
