// Connections to the servers behind the proxy: resolved, connected, verified, and kept for the next exchange.
//
// A connection is used again only if it has been quiet, and for less time than servers commonly wait before they close
// it: a request that goes out on a connection that is just being closed is lost, and no request is ever sent twice.
// Relay thread only.
#pragma once

#include <boost/asio/ip/basic_resolver.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "http/stream.h"
#include "proxy/target.h"

namespace mcptrace::proxy {

namespace asio = http::asio;

// OpenSSL's settings for servers that we connect to: the system's trust store, or one CA file alone.
class TlsClient {
 public:
  // Error: the file cannot be read or holds no certificate.
  static Result<TlsClient> make(const std::string& ca_file);
  asio::ssl::context& context() { return *context_; }

 private:
  std::unique_ptr<asio::ssl::context> context_;
};

// Why there is no connection; status, error.type and what the client is told.
enum class ConnectFailure : std::uint8_t {
  kNone,
  kRefused,
  kDns,
  kTls,
  kTimeout,
  kUnreachable,
  // By the proxy that stands between us and the server:
  kProxyUnreachable,
  kProxyWantsCredentials,
  kProxyForbids,
  kProxyFailed,
  kProxyNonsense,
  kProxyTimeout,
};
int status_of(ConnectFailure failure);                // 502 or 504
std::string_view error_type(ConnectFailure failure);  // refused, dns, tls, timeout, proxy
std::string_view describe(ConnectFailure failure);    // one clause for a person, without names or addresses

// One attempt: to each address in turn, all within one time-out. Gives up when it is destroyed.
class Connecting {
 public:
  virtual ~Connecting() = default;
  [[nodiscard]] virtual bool done() const = 0;
  [[nodiscard]] virtual ConnectFailure failure() const = 0;
  virtual std::shared_ptr<http::Stream> take() = 0;  // after done(), without failure
};

class UpstreamPool {
 public:
  // `proxy`: what every connection goes to instead, and through; the requests of plain ones name their server, one on
  // each.
  UpstreamPool(asio::io_context& io, const Clock& clock, UpstreamUrl url, std::optional<ForwardProxy> proxy,
               TlsClient* tls, Log& log);
  ~UpstreamPool();

  // An idle connection that can be used, or null.
  std::shared_ptr<http::Stream> take();
  // After an exchange that left it clean. `idle_limit`: from the server's Keep-Alive field; zero: it did not say.
  void put(std::shared_ptr<http::Stream> stream, std::chrono::seconds idle_limit);
  // A new connection; `signal` is fired when it is done.
  std::unique_ptr<Connecting> connect(http::Signal& signal, std::chrono::nanoseconds time_out);
  void close_idle();

 private:
  struct Idle {
    std::shared_ptr<http::Stream> stream;
    Nanos since, until;  // boot
  };
  void sweep();

  asio::io_context& io_;
  const Clock& clock_;
  UpstreamUrl url_;
  std::optional<ForwardProxy> proxy_;
  TlsClient* tls_;
  Log& log_;
  std::vector<Idle> idle_;  // the newest last
  http::Timer sweeper_;
  bool sweeping_ = false;
  std::shared_ptr<UpstreamPool*> alive_;
};

}  // namespace mcptrace::proxy
