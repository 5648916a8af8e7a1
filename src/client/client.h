// Outgoing HTTP for all but the relay: requests in, answers out, any number at a time, on one thread. libcurl's only
// includer. HTTP/1.1 and 2, TLS, proxies; names are resolved by c-ares, so that nothing blocks. It follows no
// redirection and retries nothing.
//
//   Client client;
//   client.start(request, [](Result<Response> response) { … });
//   client.run(timeout);      // again and again: waits for something to happen, at most so long; calls back
//
// One thread; callbacks come from run() alone, and may start further requests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace mcptrace::client {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Tls {
  std::string ca;                            // PEM file; empty: the system's store
  std::string certificate, certificate_key;  // PEM files; empty: none
  bool operator==(const Tls&) const = default;
};

struct Request {
  std::string method = "POST";
  std::string url;
  Headers headers;
  std::string body;
  Tls tls;
  std::string proxy;   // URL; "none"; empty: as the environment says (https_proxy, http_proxy, all_proxy, no_proxy)
  Nanos timeout{};     // from start to end; zero: none
  bool http2 = false;  // HTTP/2 from the first byte (prior knowledge; over TLS by ALPN), for gRPC
  std::size_t most_response = 4u << 20;  // bytes, after what encodes them is undone; beyond it the answer is an error
};

struct Response {
  int status = 0;
  Headers headers;   // names in lower case
  Headers trailers;  // the same, of HTTP/2 and chunked bodies
  std::string body;  // decoded (gzip, zstd where libcurl has it)
};

// Which step failed, of an Error that start() gives: its message says it for people, with the host's name and never
// with the target's path, query or user.
enum class Step : std::uint8_t { kNone, kUrl, kResolve, kConnect, kTls, kSend, kReceive, kTimeout, kTooLarge, kProxy };
struct Failure {
  Step step = Step::kNone;
  std::string message;  // "cannot connect to 127.0.0.1:4318: Connection refused"
};
using Answer = std::expected<Response, Failure>;

struct ClientOptions {
  std::size_t most_connections = 8;  // kept open, for all hosts together
};

class Client {
 public:
  explicit Client(ClientOptions options = {});
  ~Client();  // what is under way is dropped, without a call
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  using Done = std::function<void(Answer)>;
  void start(Request request, Done done);
  // Waits until something happened, at most `timeout`; `wake_fd` (-1: none) becoming readable ends it, too.
  void run(Nanos timeout, int wake_fd = -1);
  [[nodiscard]] std::size_t under_way() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mcptrace::client
