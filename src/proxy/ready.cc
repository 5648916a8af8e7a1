#include "proxy/ready.h"

#include "http/head_writer.h"

namespace mcptrace::proxy {
namespace {

constexpr std::string_view kReady =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\nConnection: close\r\n\r\nready\n";
constexpr std::string_view kDraining =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 9\r\nConnection: "
    "close\r\n\r\ndraining\n";

}  // namespace

http::Async<http::After> Ready::run(http::RequestParser& parser, std::size_t, Instant) {
  const http::RequestHead& head = parser.head();
  if (head.target != "/-/ready" || (head.method != "GET" && head.method != "HEAD")) {
    client_.write(http::error_response(404, {}, "only GET /-/ready is here"));
  } else {
    client_.write(draining_ ? kDraining : kReady);
  }
  co_return http::After::kFinish;
}

}  // namespace mcptrace::proxy
