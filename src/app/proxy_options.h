// What `mcptrace proxy` was asked to do, parsed into values that need no further check.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "app/trace_options.h"
#include "app/world.h"
#include "base/log.h"
#include "base/result.h"
#include "http/forwarded.h"
#include "observe/http_placement.h"
#include "proxy/proxy.h"

namespace mcptrace::app {

struct ProxyCommandOptions : TraceOptions {
  proxy::ProxyOptions proxy;
  std::string secret_file;  // empty: the installation's
  std::vector<std::string> conversation_headers;
  bool trust_proxy = false;
  http::TrustedProxies trusted_proxies;
  bool client_address = false;
  std::size_t hold_bytes = 64 << 20;
  observe::ParentOrder parent = observe::ParentOrder::kMetaFirst;
};

std::string proxy_help();

struct ParsedProxy {
  bool help = false;
  ProxyCommandOptions options;
};
// Error: kInvalidArgument, for the user. Variables that cannot be used are said in the log and ignored.
Result<ParsedProxy> parse_proxy(const World& world, std::span<const std::string> args, Log& log);

}  // namespace mcptrace::app
