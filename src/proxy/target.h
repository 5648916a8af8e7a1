// Where a request goes: the servers behind the proxy, the routes to them, and how paths are mapped there and back.
// Pure; the table does not change after make().
//
// Paths are compared byte for byte and pass byte for byte: no decoding, no merging of slashes, no removal of dot
// segments, for whoever normalises where the next one does not has opened a way around (nginx's own history). So
// `/a%2fb` and `//a` are not below `/a`. Only what would climb out of the path that an upstream was given is refused,
// in any spelling.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/authority.h"
#include "http/forward_proxy.h"

namespace mcptrace::proxy {

using http::ForwardProxy, http::parse_forward_proxy, http::ProxiedServer, http::split_url, http::UrlOrigin;

// http://host[:port][/path] or https://…
struct UpstreamUrl {
  bool tls = false;
  std::string host;  // lower case; IPv6 without its brackets
  std::uint16_t port = 80;
  std::string path;       // begins with `/`, as it was written; empty for none and for `/`
  std::string authority;  // for the Host field: the port only if it is not the scheme's own

  [[nodiscard]] std::string origin() const { return (tls ? "https://" : "http://") + authority; }
};

// User, password, query and fragment are refused, as is every scheme but http and https.
Result<UpstreamUrl> parse_upstream(std::string_view url);

// What the variables name for this server. Error: the one that counts holds what we cannot use; the message names it.
Result<std::optional<ForwardProxy>> forward_proxy_of(const http::Variables& variables, const ProxiedServer& server);

struct Route {
  std::string name;    // for error bodies and attributes
  std::string prefix;  // begins with `/`, does not end with it; empty: everything
  UpstreamUrl upstream;
  std::optional<ForwardProxy> forward_proxy = {};  // that stands between us and the upstream
};

// "/prefix=URL". The name is the prefix without its slash.
Result<Route> parse_route(std::string_view text);

class RouteTable {
 public:
  // Error: no route, two with one prefix, a prefix that cannot be matched.
  static Result<RouteTable> make(std::vector<Route> routes);

  struct Found {
    std::size_t route;
    std::string target;  // path and query, as that upstream is to get them
  };
  // By the longest prefix that ends at a segment's end; the prefix is replaced by the upstream's path, as by nginx's
  // proxy_pass with a URI. Where nothing else would lead to that path with a slash at its end (or without the one that
  // it has), two slashes behind the prefix do: servers redirect from the one to the other. `/.well-known/…` goes to the
  // origin of the route without a prefix, else of the first, as it came; but
  // `/.well-known/oauth-protected-resource/prefix…` (RFC 9728 3.1) goes to the route of that prefix, which is replaced
  // there. `target` was accepted by RequestParser. Nothing: no route has it, or it climbs out of the upstream's path.
  [[nodiscard]] std::optional<Found> find(std::string_view target) const;

  // The way back: what a client of ours has to ask for so that `path` (and query) of this upstream is asked. Nothing if
  // no target leads there.
  [[nodiscard]] std::optional<std::string> client_target(std::size_t route, std::string_view path) const;

  // The origin that a challenge's resource_metadata names, if it is another than scheme://own_host.
  static std::optional<std::string> foreign_origin(std::string_view challenge, std::string_view scheme,
                                                   std::string_view own_host);

  [[nodiscard]] std::size_t size() const { return routes_.size(); }
  [[nodiscard]] const Route& operator[](std::size_t route) const { return routes_[route]; }
  [[nodiscard]] const std::string& name(std::size_t route) const { return routes_[route].name; }
  [[nodiscard]] const std::string& authority(std::size_t route) const { return routes_[route].upstream.authority; }

 private:
  RouteTable() = default;
  [[nodiscard]] const Route* longest(std::string_view path) const;
  [[nodiscard]] std::optional<Found> find_well_known(std::string_view path, std::string_view query) const;
  [[nodiscard]] std::size_t index(const Route& route) const {
    return static_cast<std::size_t>(&route - routes_.data());
  }

  std::vector<Route> routes_;
  std::size_t default_ = 0;
};

// Does `path` begin with `prefix`, up to a segment's end?
bool is_below(std::string_view path, std::string_view prefix);

// The path and query that a reference without scheme and authority leads to from `target` (RFC 3986 5.2).
std::string resolve_reference(std::string_view target, std::string_view reference);

}  // namespace mcptrace::proxy
