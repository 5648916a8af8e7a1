// Where a request goes, and through which proxy. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "client/client.h"
#include "http/forward_proxy.h"

namespace mcptrace::client {

struct Target {
  bool tls = false;
  std::string host;    // lower case, IPv6 without brackets; without a dot at its end
  std::string lookup;  // the same as it is looked up: with that dot, which keeps search domains out
  std::uint16_t port = 0;
  std::string place;  // "host:port", as people and libcurl write it
  std::string url;    // as it is requested, without that dot
};
// http[s]://[user[:password]@]host[:port][/path][?query]. The error says no more than what is wrong.
Result<Target> parse_target(std::string_view url);

struct Via {
  bool tls = false;  // the proxy itself is spoken to by TLS
  http::ForwardProxy proxy;
};
// `option`: Request::proxy. Nothing: no proxy. The error names the variable that holds what cannot be used.
Result<std::optional<Via>> choose_proxy(std::string_view option, const Environment& environment, const Target& target);

}  // namespace mcptrace::client
