#include "proxy_rig.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "program_rig.h"

namespace mcptrace::faults {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// The body of the next message on the connection, freed of its head; `rest` keeps what follows. Nothing: it ended.
std::optional<std::string> next_body(int fd, std::string& rest) {
  std::size_t head = std::string::npos, length = 0;
  std::vector<char> block(1 << 16);
  for (;;) {
    if (head == std::string::npos && (head = rest.find("\r\n\r\n")) != std::string::npos) {
      head += 4;
      const std::size_t field = rest.find("Content-Length: ");
      length = field < head ? std::strtoul(rest.c_str() + field + 16, nullptr, 10) : 0;
    }
    if (head != std::string::npos && rest.size() >= head + length) {
      std::string body = rest.substr(head, length);
      rest.erase(0, head + length);
      return body;
    }
    const ssize_t got = recv(fd, block.data(), block.size(), 0);
    if (got <= 0) return std::nullopt;
    rest.append(block.data(), static_cast<std::size_t>(got));
  }
}

bool send_message(int fd, std::string_view first_lines, std::string_view body) {
  const std::string message = std::string(first_lines) +
                              "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
                              "\r\n\r\n" + std::string(body);
  return write_all(fd, message).has_value();
}

}  // namespace

EchoServer::EchoServer() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  EXPECT_EQ(bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::listen(listener_.get(), 64), 0);
  EXPECT_EQ(getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  port_ = ntohs(address.sin_port);
  threads_.emplace_back([this] { accept_all(); });
}

EchoServer::~EchoServer() {
  over_ = true;
  shutdown(listener_.get(), SHUT_RDWR);
  threads_.front().join();
  for (const UniqueFd& connection : connections_) shutdown(connection.get(), SHUT_RDWR);
  for (std::size_t i = 1; i < threads_.size(); ++i) threads_[i].join();
}

void EchoServer::accept_all() {
  while (!over_) {
    UniqueFd accepted(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!accepted.valid()) continue;
    const int fd = connections_.emplace_back(std::move(accepted)).get();
    threads_.emplace_back([fd] { serve(fd); });
  }
}

void EchoServer::serve(int fd) {
  std::string rest;
  while (const auto body = next_body(fd, rest)) {
    if (!send_message(fd, "HTTP/1.1 200 OK\r\n", *body)) return;
  }
}

ProxyUnderTest::ProxyUnderTest(std::vector<std::string> words, const EchoServer& server,
                               const std::function<void()>& prepare)
    : session_(Way::kDirect,
               [&] {
                 for (const char* word : {"--listen", "127.0.0.1:0", "--upstream"}) words.emplace_back(word);
                 words.push_back("http://localhost:" + std::to_string(server.port()));
                 return std::move(words);
               }(),
               {.prepare = prepare}) {
  constexpr std::string_view kListening = "mcptrace: listening on http://127.0.0.1:";
  for (std::string line = session_.take_stderr_line(); !line.empty(); line = session_.take_stderr_line()) {
    if (!line.starts_with(kListening)) {
      said_.push_back(line);
      continue;
    }
    port_ = static_cast<std::uint16_t>(std::strtoul(line.c_str() + kListening.size(), nullptr, 10));
    connection_.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval limit{kSoon.count() / 1000, 0};
    setsockopt(connection_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    const sockaddr_in address = loopback(port_);
    EXPECT_EQ(connect(connection_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return;
  }
}

std::string ProxyUnderTest::post(std::string_view body) {
  std::string rest;
  const std::string lines = "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port_) + "\r\n";
  if (!send_message(connection_.get(), lines, body)) return "not sent";
  return next_body(connection_.get(), rest).value_or("no answer");
}

std::optional<int> ProxyUnderTest::stop() {
  connection_.reset();
  kill(session_.pid(), SIGTERM);
  return session_.wait();
}

std::vector<std::string> ProxyUnderTest::own_lines() {
  for (const std::string& line : faults::own_lines(session_.take_stderr().value_or("late"))) said_.push_back(line);
  return std::exchange(said_, {});
}

}  // namespace mcptrace::faults
