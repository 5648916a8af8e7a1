// What all exchanges of one proxy share. Relay thread only.
#pragma once

#include <memory>
#include <vector>

#include "base/log.h"
#include "http/access.h"
#include "http/context.h"
#include "http/forwarded.h"
#include "proxy/exchange_tap.h"
#include "proxy/target.h"
#include "proxy/upstream.h"

namespace mcptrace::proxy {

struct Context {
  http::Context http;
  Log& log;
  RouteTable routes;
  std::vector<std::unique_ptr<UpstreamPool>> pools;  // one a route, in the table's order
  http::Access access;
  TapSource* tracing = nullptr;  // null: nothing is traced
  bool keep_host = false;        // the server sees the client's Host
  bool trust_proxy = false;      // whatever connects says how it was called
  http::TrustedProxies trusted_proxies = {};
  bool tls = false;  // the listener's
};

}  // namespace mcptrace::proxy
