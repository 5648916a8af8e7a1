// The proxy that a network wants between us and servers outside: which one, from an option or from the variables that
// all programs share, and how it is asked. Pure.
//
// The variables are curl's: `https_proxy`, HTTPS_PROXY, `http_proxy`, HTTP_PROXY by the upstream's scheme, else
// `all_proxy`, ALL_PROXY; the small ones win, empty ones count as not set. HTTP_PROXY is passed over where
// REQUEST_METHOD is set, for in a CGI program a client's field named Proxy becomes it. `no_proxy`, NO_PROXY: a list of
// `*`, names (they and all below them; a dot or `*.` before them changes nothing), addresses and CIDR blocks, each with
// or without a port. What runs on this machine is never asked through a proxy that a variable names.
//
// User and password are secrets: nothing here says them, nor any other part of an address but its origin.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mcptrace::http {

struct ForwardProxy {
  std::string host;  // lower case; IPv6 without its brackets
  std::uint16_t port = 80;
  std::string authority;      // "host:port"
  std::string authorization;  // value of Proxy-Authorization; empty: none

  [[nodiscard]] std::string origin() const { return "http://" + authority; }
};

// [http://][user[:password]@]host[:port][/]. User and password may be percent-encoded.
Result<ForwardProxy> parse_forward_proxy(std::string_view url, std::uint16_t default_port = 80);

// The server that is to be reached.
struct ProxiedServer {
  bool tls = false;
  std::string_view host;  // IPv6 without its brackets
  std::uint16_t port = 0;
};

// The value of a variable; nothing if it is not set.
using Variables = std::function<std::optional<std::string>(std::string_view name)>;
struct NamedProxy {
  std::string_view variable;
  std::string url;  // as the variable has it
};
std::optional<NamedProxy> named_proxy(const Variables& variables, const ProxiedServer& server);

// Does `list`, a NO_PROXY, name this server?
bool is_excepted(std::string_view list, const ProxiedServer& server);

// "CONNECT host:port HTTP/1.1 …": the head that asks for a way through to a server.
std::string tunnel_request(const ForwardProxy& proxy, const ProxiedServer& server);

}  // namespace mcptrace::http
