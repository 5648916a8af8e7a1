#include "http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "measure.h"

namespace mcptrace::bench {

bool ResponseReader::feed(std::string_view bytes) {
  raw_ += bytes;
  std::string line;
  for (;;) {
    switch (state_) {
      case State::kHead: {
        const std::size_t end = raw_.find("\r\n\r\n");
        if (end == raw_.npos) return false;
        head_ = raw_.substr(0, end + 2);
        raw_.erase(0, end + 4);
        start_body();
        break;
      }
      case State::kLength:
        if (!take_left()) return false;
        state_ = State::kDone;
        break;
      case State::kChunkSize:
        if (!take_line(line)) return false;
        left_ = std::strtoul(line.c_str(), nullptr, 16);
        state_ = left_ == 0 ? State::kTrailer : State::kChunkData;
        break;
      case State::kChunkData:
        if (!take_left()) return false;
        state_ = State::kChunkEnd;
        break;
      case State::kChunkEnd:
        if (!take_line(line)) return false;
        state_ = State::kChunkSize;
        break;
      case State::kTrailer:
        if (!take_line(line)) return false;
        if (line.empty()) state_ = State::kDone;
        break;
      case State::kDone:
        if (!raw_.empty()) fail("bytes after a response");
        return true;
    }
  }
}

void ResponseReader::start_body() {
  status_ = head_.size() > 12 ? std::atoi(head_.c_str() + 9) : 0;
  const std::string length = header("Content-Length");
  if (!length.empty()) {
    left_ = std::strtoul(length.c_str(), nullptr, 10);
    state_ = State::kLength;
  } else if (header("Transfer-Encoding") == "chunked") {
    state_ = State::kChunkSize;
  } else {
    fail("a response of unknown length:\n" + head_);
  }
}

bool ResponseReader::take_line(std::string& line) {
  const std::size_t end = raw_.find("\r\n");
  if (end == raw_.npos) return false;
  line = raw_.substr(0, end);
  raw_.erase(0, end + 2);
  return true;
}

bool ResponseReader::take_left() {
  const std::size_t size = std::min(left_, raw_.size());
  body_.append(raw_, 0, size);
  raw_.erase(0, size);
  left_ -= size;
  return left_ == 0;
}

std::string ResponseReader::header(std::string_view name) const {
  for (std::size_t line = head_.find("\r\n"); line + 2 < head_.size(); line = head_.find("\r\n", line + 2)) {
    const std::string_view field = std::string_view(head_).substr(line + 2, head_.find("\r\n", line + 2) - line - 2);
    if (field.size() <= name.size() || field[name.size()] != ':') continue;
    if (strncasecmp(field.data(), name.data(), name.size()) != 0) continue;
    const std::size_t value = field.find_first_not_of(" \t", name.size() + 1);
    return value == field.npos ? "" : std::string(field.substr(value));
  }
  return "";
}

Connection::Connection(std::uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const int on = 1;
  setsockopt(fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (connect(fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return;
  pollfd writable{fd(), POLLOUT, 0};
  int error = 0;
  socklen_t size = sizeof(error);
  if (errno != EINPROGRESS || poll(&writable, 1, 10'000) != 1 ||
      getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
    fail("cannot connect to port " + std::to_string(port) + ": " + std::strerror(error != 0 ? error : errno));
  }
}

void Connection::send(std::string_view request) {
  response_.reset();
  if (::send(fd(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) {
    fail("a request could not be sent at once");
  }
}

bool Connection::receive() {
  char buffer[64 << 10];
  const ssize_t got = read(fd(), buffer, sizeof(buffer));
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (got <= 0) fail("a connection was closed before its answer was complete");
  return response_.feed({buffer, static_cast<std::size_t>(got)});
}

ResponseReader& Connection::exchange(std::string_view request) {
  send(request);
  do {
    pollfd readable{fd(), POLLIN, 0};
    if (poll(&readable, 1, 10'000) != 1) fail("no answer within 10 s");
  } while (!receive());
  return response_;
}

namespace {

std::string fields(std::uint16_t port, std::string_view session) {
  std::string text = " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) +
                     "\r\nUser-Agent: mcptrace-bench\r\nMCP-Protocol-Version: 2025-11-25\r\n";
  if (!session.empty()) text.append("Mcp-Session-Id: ").append(session).append("\r\n");
  return text;
}

}  // namespace

std::string post(std::uint16_t port, std::string_view target, std::string_view session, std::string_view body) {
  return "POST " + std::string(target) + fields(port, session) +
         "Accept: application/json, text/event-stream\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

std::string get(std::uint16_t port, std::string_view target, std::string_view session) {
  return "GET " + std::string(target) + fields(port, session) + "Accept: text/event-stream\r\n\r\n";
}

std::string tool_call(std::uint64_t id, std::size_t size) {
  std::string text = "{\"jsonrpc\":\"2.0\",\"id\":" + std::to_string(id) +
                     ",\"method\":\"tools/call\",\"params\":{\"name\":\"echo\",\"arguments\":{\"message\":\"";
  constexpr std::string_view kTail = "\"}}}";
  text.append(size > text.size() + kTail.size() ? size - text.size() - kTail.size() : 1, 'q');
  return text.append(kTail);
}

std::string initialize(Connection& connection, std::uint16_t port) {
  ResponseReader& response = connection.exchange(
      post(port, "/mcp", "",
           R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25",)"
           R"("capabilities":{},"clientInfo":{"name":"bench","version":"1.0.0"}}})"));
  std::string session = response.header("Mcp-Session-Id");
  if (response.status() != 200 || session.empty()) fail("initialize was answered " + std::to_string(response.status()));
  const std::string initialized = R"({"jsonrpc":"2.0","method":"notifications/initialized"})";
  const int status = connection.exchange(post(port, "/mcp", session, initialized)).status();
  if (status != 202) fail("notifications/initialized was answered " + std::to_string(status));
  return session;
}

}  // namespace mcptrace::bench
