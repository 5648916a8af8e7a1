// What all connections of one proxy share. Relay thread only.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "http/access.h"
#include "http/exchange_tap.h"
#include "http/forwarded.h"
#include "http/target.h"
#include "http/upstream.h"

namespace mcptrace::http {

// Only where nothing is in flight yet; there is none for an answer.
inline constexpr std::chrono::seconds kConnectTime{10};
inline constexpr std::chrono::seconds kHeadTime{10};
// A body that the client still owes: this long, and a second more for each KiB that came.
inline constexpr std::chrono::seconds kBodyTime{10};
inline constexpr std::size_t kBodyBytesPerSecond = 1024;

struct Context {
  asio::io_context& io;
  const Clock& clock;
  Log& log;
  RouteTable routes;
  std::vector<std::unique_ptr<UpstreamPool>> pools;  // one a route, in the table's order
  Access access;
  TapSource* tracing = nullptr;  // null: nothing is traced
  bool keep_host = false;        // the server sees the client's Host
  bool trust_proxy = false;      // whatever connects says how it was called
  TrustedProxies trusted_proxies = {};
  bool tls = false;       // the listener's
  bool draining = false;  // connections end with their present exchange
};

}  // namespace mcptrace::http
