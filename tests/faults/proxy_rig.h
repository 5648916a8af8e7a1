// `mcptrace proxy` itself under test: a server behind it that sends every body back, and a client in front.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "rig.h"

namespace mcptrace::faults {

// An HTTP server on a free port of the loopback, in threads of the test: answers each request with its own body.
class EchoServer {
 public:
  EchoServer();
  ~EchoServer();
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  void accept_all();
  static void serve(int fd);

  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> over_{false};
  std::list<UniqueFd> connections_;
  std::vector<std::thread> threads_;  // the first accepts
};

class ProxyUnderTest {
 public:
  // `words`: the program's, up to and with its options; it is told where to listen, and the server by its name.
  ProxyUnderTest(std::vector<std::string> words, const EchoServer& server, const std::function<void()>& prepare);

  // False: it ended before it listened.
  [[nodiscard]] bool listens() const { return port_ != 0; }
  [[nodiscard]] pid_t pid() const { return session_.pid(); }
  // A POST on the one connection; what came back.
  std::string post(std::string_view body);
  // SIGTERM, with nothing under way; the wait status.
  std::optional<int> stop();
  // What it wrote on stderr beside the line that says where it listens; after its end.
  std::vector<std::string> own_lines();

 private:
  Session session_;
  std::uint16_t port_ = 0;
  UniqueFd connection_;
  std::vector<std::string> said_;
};

}  // namespace mcptrace::faults
