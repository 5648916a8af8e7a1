#include "proxy/target.h"

#include <algorithm>
#include <utility>

#include "base/shown.h"
#include "base/text.h"
#include "http/authority.h"
#include "http/field_table.h"

namespace mcptrace::proxy {
namespace {

constexpr std::string_view kWellKnown = "/.well-known";
constexpr std::string_view kResourceMetadata = "/.well-known/oauth-protected-resource";

std::unexpected<Error> invalid(std::string message) {
  return std::unexpected(Error{Errc::kInvalidArgument, std::move(message)});
}

bool is_path_text(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

struct PathAndQuery {
  std::string_view path, query;  // the query with its `?`
};

PathAndQuery split_target(std::string_view target) {
  if (!target.starts_with('/')) {
    if (const auto url = split_url(target)) target = url->rest;
  }
  const std::size_t path_end = std::min(target.find('?'), target.size());
  return {target.substr(0, path_end), target.substr(path_end)};
}

// Does `path` lead above where it begins, for a reader that decodes it? `lenient`: for one that takes an encoded or a
// backward slash for a slash.
bool climbs(std::string_view path, bool lenient) {
  std::size_t depth = 0;
  std::string segment;
  for (bool more = true; more;) {
    segment.clear();
    more = false;
    while (!path.empty()) {
      const auto [byte, encoded] = take_decoded(path);
      if ((byte == '/' && (lenient || !encoded)) || (byte == '\\' && lenient)) {
        more = true;
        break;
      }
      if (segment.size() < 4) segment += byte;
    }
    if (segment == ".." || segment.starts_with("..;")) {
      if (depth == 0) return true;
      --depth;
    } else if (!segment.empty() && segment != ".") {
      ++depth;
    }
  }
  return false;
}

// The upstream's path, then `rest`, which is empty or begins with `/`.
std::string join(std::string_view base, std::string_view rest, std::string_view query) {
  if (base.ends_with('/') && !rest.empty()) rest.remove_prefix(1);
  std::string joined;
  joined.reserve(base.size() + rest.size() + query.size() + 1);
  joined.append(base).append(rest);
  if (joined.empty()) joined = "/";
  return joined.append(query);
}

// With a slash at its end, or without.
std::string other_spelling(std::string_view path) {
  if (path.ends_with('/')) return std::string(path.substr(0, path.size() - 1));
  return std::string(path).append("/");
}

bool has_dot_segment(std::string_view path) {
  const std::string closed = std::string(path) + "/";
  return closed.find("/./") != closed.npos || closed.find("/../") != closed.npos;
}

// It is our own, but who knows what was taken for one.
std::string shown_prefix(std::string_view prefix) {
  return prefix.find_first_of("?#@:") == prefix.npos ? std::string(prefix) : shown(prefix);
}

Result<std::string> check_prefix(std::string_view prefix) {
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  if (prefix.empty()) return std::string();
  if (!prefix.starts_with('/') || prefix.find_first_of("?#%\\;") != prefix.npos || !is_path_text(prefix) ||
      prefix.find("//") != prefix.npos || has_dot_segment(prefix)) {
    return invalid("a route's prefix is a plain path like /docs, got '" + shown_prefix(prefix) + "'");
  }
  if (is_below(prefix, kWellKnown)) return invalid("a route cannot be below /.well-known, which is every server's own");
  return std::string(prefix);
}

// RFC 3986 5.2.4, for a path.
std::string without_dots(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/', 1), path.size());
    const std::string_view segment = path.substr(0, end);
    path.remove_prefix(end);
    if (segment == "/..") {
      out.resize(std::min(out.rfind('/'), out.size()));
      if (path.empty()) out += '/';
    } else if (segment == "/.") {
      if (path.empty()) out += '/';
    } else {
      out += segment;
    }
  }
  return out;
}

}  // namespace

bool is_below(std::string_view path, std::string_view prefix) {
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

Result<std::optional<ForwardProxy>> forward_proxy_of(const http::Variables& variables, const ProxiedServer& server) {
  const auto named = http::named_proxy(variables, server);
  if (!named) return std::nullopt;
  auto proxy = parse_forward_proxy(named->url);
  if (proxy) return *std::move(proxy);
  Error error = std::move(proxy).error().with_context(named->variable);
  error.message += " (--upstream-proxy URL names another, --upstream-proxy none goes without)";
  return std::unexpected(std::move(error));
}

Result<UpstreamUrl> parse_upstream(std::string_view text) {
  const auto say = [&](std::string_view what) {
    return invalid("an upstream is http://host[:port][/path], or https; " + std::string(what) + ", got '" +
                   shown(text) + "'");
  };
  const auto url = split_url(text);
  if (!url) return say("this has neither scheme");
  if (url->authority.find('@') != url->authority.npos)
    return say("this has a user in it; credentials are the client's to send");
  const auto authority = http::parse_authority(url->authority);
  if (!authority) return say("its host or port cannot be read");
  if (url->rest.find('?') != url->rest.npos) return say("without a query");
  if (url->rest.find('#') != url->rest.npos) return say("without a fragment");
  if (!is_path_text(url->rest) || has_dot_segment(url->rest)) return say("its path cannot be used");

  UpstreamUrl upstream{.tls = url->tls, .host = {}, .port = {}, .path = {}, .authority = {}};
  std::string host(authority->host);
  std::ranges::transform(host, host.begin(), lower);
  const std::uint16_t default_port = url->tls ? 443 : 80;
  upstream.port = authority->port == 0 ? default_port : authority->port;
  upstream.authority = upstream.port == default_port ? host : host + ":" + std::to_string(upstream.port);
  upstream.host = authority->is_ipv6() ? host.substr(1, host.size() - 2) : host;
  if (url->rest != "/") upstream.path = std::string(url->rest);
  return upstream;
}

Result<Route> parse_route(std::string_view text) {
  const std::size_t end = text.find('=');
  if (end == text.npos || !text.starts_with('/')) {
    return invalid("a route is /prefix=URL, got '" + shown(text) + "'");
  }
  MCPTRACE_TRY(std::string prefix, check_prefix(text.substr(0, end)));
  auto upstream = parse_upstream(text.substr(end + 1));
  if (!upstream) return std::unexpected(std::move(upstream).error().with_context("route " + shown_prefix(prefix)));
  std::string name = prefix.empty() ? "/" : prefix.substr(1);
  return Route{std::move(name), std::move(prefix), *std::move(upstream)};
}

Result<RouteTable> RouteTable::make(std::vector<Route> routes) {
  if (routes.empty()) return invalid("no upstream: give --upstream URL, or --route /prefix=URL");
  RouteTable table;
  for (Route& route : routes) {
    MCPTRACE_TRY(route.prefix, check_prefix(route.prefix));
    const auto same = [&](const Route& other) { return other.prefix == route.prefix; };
    if (std::ranges::any_of(table.routes_, same)) {
      return invalid("two routes for " + (route.prefix.empty() ? "/" : route.prefix));
    }
    if (route.prefix.empty()) table.default_ = table.routes_.size();
    table.routes_.push_back(std::move(route));
  }
  return table;
}

const Route* RouteTable::longest(std::string_view path) const {
  const Route* best = nullptr;
  for (const Route& route : routes_) {
    if (is_below(path, route.prefix) && (best == nullptr || route.prefix.size() > best->prefix.size())) best = &route;
  }
  return best;
}

std::optional<RouteTable::Found> RouteTable::find_well_known(std::string_view path, std::string_view query) const {
  if (is_below(path, kResourceMetadata)) {
    const std::string_view resource = path.substr(kResourceMetadata.size());
    const Route* const route = longest(resource);
    if (route != nullptr && !route->prefix.empty()) {
      const std::string_view rest = resource.substr(route->prefix.size());
      std::string joined =
          rest.empty() && route->upstream.path.empty() ? std::string() : join(route->upstream.path, rest, {});
      return Found{index(*route), std::string(kResourceMetadata).append(joined).append(query)};
    }
  }
  return Found{default_, std::string(path).append(query)};
}

std::optional<RouteTable::Found> RouteTable::find(std::string_view target) const {
  const auto [path, query] = split_target(target);
  if (is_below(path, kWellKnown)) {
    const std::string_view rest = path.substr(kWellKnown.size());
    if (climbs(rest, false) || climbs(rest, true)) return std::nullopt;
    return find_well_known(path, query);
  }
  const Route* const route = longest(path);
  if (route == nullptr) return std::nullopt;
  const std::string_view base = route->upstream.path;
  std::string_view rest = path.substr(route->prefix.size());
  // The root of a route without a prefix is its upstream's path itself: a URL cannot have an empty path.
  if (!base.empty() && route->prefix.empty() && rest == "/") rest = {};
  if (!base.empty() && (climbs(rest, false) || climbs(rest, true))) return std::nullopt;
  if (rest == "//" && (base.ends_with('/') || (route->prefix.empty() && !base.empty()))) {
    return Found{index(*route), other_spelling(base).append(query)};
  }
  return Found{index(*route), join(base, rest, query)};
}

std::optional<std::string> RouteTable::client_target(std::size_t index, std::string_view target) const {
  const Route& route = routes_[index];
  const auto [path, query] = split_target(target);
  std::string_view base = route.upstream.path;
  while (base.ends_with('/')) base.remove_suffix(1);
  if (!is_below(path, base)) return std::nullopt;
  const std::string wanted = join({}, path, query);
  for (std::string result :
       {join(route.prefix, path.substr(base.size()), query), route.prefix + "//" + std::string(query)}) {
    if (const auto back = find(result); back && back->route == index && back->target == wanted) return result;
  }
  return std::nullopt;
}

std::optional<std::string> RouteTable::foreign_origin(std::string_view challenge, std::string_view scheme,
                                                      std::string_view own_host) {
  constexpr std::string_view kParameter = "resource_metadata=";
  const auto found = std::ranges::search(challenge, kParameter, {}, lower);
  if (found.empty()) return std::nullopt;
  std::string_view value(found.end(), challenge.end());
  if (value.starts_with('"')) value.remove_prefix(1);
  value = value.substr(0, std::min(value.find_first_of("\", \t"), value.size()));
  const auto url = split_url(value);
  const auto named = url ? http::parse_authority(url->authority) : std::nullopt;
  if (!named) return std::nullopt;
  const auto own = http::parse_authority(own_host);
  const bool same =
      own && same_text(url->tls ? "https" : "http", scheme) && http::same_authority(*named, *own, url->tls ? 443 : 80);
  if (same) return std::nullopt;
  return (url->tls ? "https://" : "http://") + std::string(url->authority);
}

std::string resolve_reference(std::string_view target, std::string_view reference) {
  const std::string_view path = target.substr(0, std::min(target.find('?'), target.size()));
  if (reference.empty()) return std::string(target);
  if (reference.starts_with('?') || reference.starts_with('#')) return std::string(path).append(reference);
  const std::size_t tail = std::min(reference.find_first_of("?#"), reference.size());
  const bool absolute = reference.starts_with('/');
  std::string merged(absolute ? "" : path.substr(0, path.rfind('/') + 1));
  merged.append(reference.substr(0, tail));
  return without_dots(merged).append(reference.substr(tail));
}

}  // namespace mcptrace::proxy
