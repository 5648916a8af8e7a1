// The reverse proxy as a whole: made from options that are checked already, it runs on the calling thread until it is
// told to end.
//
//   auto proxy = Proxy::make(options, clock, log);   // listens already
//   proxy->run(tracing);                             // until SIGTERM or SIGINT, and the drain that follows
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "http/access.h"
#include "http/forwarded.h"
#include "http/listener.h"
#include "proxy/exchange_tap.h"
#include "proxy/target.h"

namespace mcptrace::proxy {

struct ProxyOptions {
  http::ListenAddress listen;
  int inherited_listener = -1;               // a listening socket that we were started with (LISTEN_FDS)
  std::optional<http::ListenAddress> ready;  // GET /-/ready
  std::vector<Route> routes;                 // at least one
  std::optional<http::Access> access;        // always there; Access has no empty form
  bool keep_host = false;
  bool trust_proxy = false;              // every client is one whose word is taken of how it was called
  http::TrustedProxies trusted_proxies;  // these are
  std::optional<http::CertificateFiles> certificate;
  std::string upstream_ca;  // a file; empty: the system's store
  std::chrono::seconds drain{25};
};

class Proxy {
 public:
  // Error: an address that cannot be listened on, a certificate that cannot be read, no descriptors to begin with.
  static Result<std::unique_ptr<Proxy>> make(ProxyOptions options, const Clock& clock, Log& log);
  ~Proxy();

  [[nodiscard]] std::string authority() const;     // where it listens: "127.0.0.1:8080"
  [[nodiscard]] std::uint16_t ready_port() const;  // 0: there is none
  // `tracing`: null = nothing is traced.
  void run(TapSource* tracing);

 private:
  class Impl;
  explicit Proxy(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace mcptrace::proxy
