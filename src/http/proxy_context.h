// What all exchanges of one proxy share. Relay thread only.
#pragma once

#include <memory>
#include <vector>

#include "base/log.h"
#include "http/access.h"
#include "http/context.h"
#include "http/exchange_tap.h"
#include "http/forwarded.h"
#include "http/target.h"
#include "http/upstream.h"

namespace mcptrace::http {

struct ProxyContext {
  Context http;
  Log& log;
  RouteTable routes;
  std::vector<std::unique_ptr<UpstreamPool>> pools;  // one a route, in the table's order
  Access access;
  TapSource* tracing = nullptr;  // null: nothing is traced
  bool keep_host = false;        // the server sees the client's Host
  bool trust_proxy = false;      // whatever connects says how it was called
  TrustedProxies trusted_proxies = {};
  bool tls = false;  // the listener's
};

}  // namespace mcptrace::http
