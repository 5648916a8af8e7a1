// Outgoing HTTP for all but the relay: requests in, answers out, any number at a time, on one thread. libcurl's only
// includer. HTTP/1.1 and 2, TLS, proxies; names are looked up by c-ares, so that nothing blocks. It follows no
// redirection, keeps no cookies and retries nothing (but libcurl sends a request again, on a new connection, that found
// its old one closed before a byte of an answer came: so what is sent twice must do no harm).
//
//   Client client(world.environment);
//   client.start(request, [](Answer answer) { … });
//   client.run(timeout);      // again and again: waits for something to happen, at most so long; calls back
//
// One thread; callbacks come from run() alone, and may start further requests, but not end the client.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace mcptrace::client {

using Headers = std::vector<std::pair<std::string, std::string>>;

// Files are read when a request starts: changed ones count from then on, on new connections.
struct Tls {
  std::string ca = {};  // PEM file; empty: the system's store, or SSL_CERT_FILE, SSL_CERT_DIR
  std::string certificate = {},
              certificate_key = {};  // PEM files; empty: none; no key: it is in the certificate's file
  bool operator==(const Tls&) const = default;
};

struct Request {
  std::string method = "POST";
  std::string url;  // http or https; user and password in it are sent as Basic credentials
  Headers headers = {};
  std::string body = {};
  Tls tls = {};
  std::string proxy = {};  // URL, http or https; "none"; empty: as the environment says (https_proxy, http_proxy, …)
  Nanos timeout{};         // from start to end; zero: none
  bool http2 = false;      // HTTP/2 from the first byte (prior knowledge; over TLS by ALPN), for gRPC
  std::size_t most_response = 4u << 20;  // bytes, after what encodes them is undone; beyond it the answer is an error
};

struct Response {
  int status = 0;
  Headers headers;   // names in lower case
  Headers trailers;  // the same, of HTTP/2 and chunked bodies
  std::string body;  // decoded, where it came by gzip, though `headers` still say so
};

// Which step failed.
enum class Step : std::uint8_t { kNone, kUrl, kResolve, kConnect, kTls, kSend, kReceive, kTimeout, kTooLarge, kProxy };
// Its message says it to people, with the host's name and never with the target's path, query or user.
struct Failure {
  Step step = Step::kNone;
  std::string message;  // "cannot connect to 127.0.0.1:4318: Connection refused"
};
using Answer = std::expected<Response, Failure>;

// The value of a variable of this process; nothing if it is not set. Proxies, SSL_CERT_FILE and SSL_CERT_DIR are asked
// for, whenever a request starts.
using Environment = std::function<std::optional<std::string>(std::string_view name)>;

struct ClientOptions {
  std::size_t most_connections = 8;  // at once, for all hosts together; further requests wait for their turn
};

class Client {
 public:
  explicit Client(Environment environment, ClientOptions options = {});
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
