#include "proxy/client_uri.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "http/authority.h"
#include "http/forwarded.h"

namespace mcptrace::proxy {
namespace {

// A name before the first colon, and no slash, question or number sign before that.
bool has_scheme(std::string_view uri) {
  const std::size_t colon = uri.find(':');
  return colon != uri.npos && uri.substr(0, colon).find_first_of("/?#") == uri.npos;
}

struct Parts {
  UrlOrigin origin;
  std::string_view user;  // with its @
};

// Of "http://user@authority/…" or "//authority/…", which is of the upstream's scheme.
std::optional<Parts> split(std::string_view uri, bool tls) {
  std::optional<UrlOrigin> origin = split_url(uri);
  if (!origin && uri.starts_with("//")) {
    const std::size_t end = std::min(uri.find_first_of("/?#", 2), uri.size());
    origin = UrlOrigin{tls, uri.substr(2, end - 2), uri.substr(end)};
  }
  if (!origin) return std::nullopt;
  const std::size_t user = origin->authority.rfind('@') + 1;
  Parts parts{*origin, origin->authority.substr(0, user)};
  parts.origin.authority.remove_prefix(user);
  if (parts.origin.authority.ends_with(':')) parts.origin.authority.remove_suffix(1);  // RFC 3986 3.2.3
  return parts;
}

enum class Names : std::uint8_t { kAnother, kUpstream, kUpstreamOtherwise, kUs };

Names name_of(const UrlOrigin& url, const UpstreamUrl& upstream, const ClientView& client) {
  const auto named = http::parse_authority(url.authority);
  if (!named) return Names::kAnother;
  const auto port = [](std::uint16_t written, bool tls) { return written != 0 ? written : tls ? 443 : 80; };
  const auto upstreams = http::parse_authority(upstream.authority);
  if (upstreams && http::same_host(named->host, upstreams->host)) {
    const int theirs = port(named->port, url.tls);
    if (url.tls == upstream.tls && theirs == upstream.port) return Names::kUpstream;
    const bool both_usual = theirs == port(0, url.tls) && upstream.port == port(0, upstream.tls);
    if (url.tls != upstream.tls && (both_usual || theirs == upstream.port)) return Names::kUpstreamOtherwise;
  }
  const auto ours = http::parse_authority(client.host);
  const bool same_scheme = same_text(url.tls ? "https" : "http", client.scheme);
  return ours && same_scheme && http::same_authority(*named, *ours, url.tls ? 443 : 80) ? Names::kUs : Names::kAnother;
}

std::string as_url(std::string_view target, const ClientView& client, std::string_view user = {}) {
  return std::string(client.scheme).append("://").append(user).append(client.host).append(target);
}

// What begins with two slashes would be read as a host.
std::string as_path(std::string_view target, const ClientView& client) {
  if (!target.starts_with("//")) return std::string(target);
  return client.host.empty() ? "/." + std::string(target) : as_url(target, client);
}

// The URI less its fragment, which is the client's alone.
ClientUri map_uri(const RouteTable& routes, std::size_t route, std::string_view uri, const ClientView& client) {
  using enum ClientUri::Leads;
  const UpstreamUrl& upstream = routes[route].upstream;
  if (const auto parts = split(uri, upstream.tls)) {
    const Names names = name_of(parts->origin, upstream, client);
    if (names == Names::kAnother) return {std::string(uri), kAway};
    const std::string rest =
        parts->origin.rest.starts_with('/') ? std::string(parts->origin.rest) : "/" + std::string(parts->origin.rest);
    // Its public address, which it was configured with, is one already that leads to it.
    const bool public_name = names == Names::kUs && !client.told_host;
    const auto found = public_name ? routes.find(rest) : std::nullopt;
    if (found && found->route == route) return {std::string(uri)};
    const auto target = routes.client_target(route, rest);
    if (!target) return {std::string(uri), found ? kToUs : kNowhere};
    const bool otherwise = names == Names::kUpstreamOtherwise;
    return {client.host.empty() ? as_path(*target, client) : as_url(*target, client, parts->user), kToUs, otherwise};
  }
  if (uri.starts_with('/')) {
    const auto target = routes.client_target(route, uri);
    return target ? ClientUri{as_path(*target, client)} : ClientUri{std::string(uri), kNowhere};
  }
  if (uri.empty() || client.request_target.empty()) return {std::string(uri)};
  const auto sent = routes.find(client.request_target);
  if (!sent || sent->route != route) return {std::string(uri)};
  const auto target = routes.client_target(route, resolve_reference(sent->target, uri));
  if (!target) return {std::string(uri), kNowhere};
  const auto whole = split_url(client.request_target);
  const bool same = *target == resolve_reference(whole ? whole->rest : client.request_target, uri);
  return {same ? std::string(uri) : as_path(*target, client)};
}

}  // namespace

ClientView view_of(const http::RequestHead& head, bool tls, bool trusts_peer) {
  ClientView view{
      .scheme = tls ? "https" : "http", .host = head.value(http::FieldName::kHost), .request_target = head.target};
  if (!trusts_peer) return view;
  const auto [scheme, host] = http::forwarded_call(head);
  if (same_text(scheme, "http")) view.scheme = "http";
  if (same_text(scheme, "https")) view.scheme = "https";
  if (http::parse_authority(host)) view.host = host;
  return view;
}

ClientUri client_uri(const RouteTable& routes, std::size_t route, std::string_view uri, const ClientView& client) {
  const std::size_t end = std::min(uri.find('#'), uri.size());
  const std::string_view rest = uri.substr(0, end);
  if (rest.empty() || (has_scheme(rest) && !split_url(rest))) {
    const bool other = has_scheme(rest);  // mailto:, and the like
    return {std::string(uri), other ? ClientUri::Leads::kAway : ClientUri::Leads::kToUs};
  }
  ClientUri mapped = map_uri(routes, route, rest, client);
  mapped.uri.append(uri.substr(end));
  return mapped;
}

}  // namespace mcptrace::proxy
