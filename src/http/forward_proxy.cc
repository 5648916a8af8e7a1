#include "http/forward_proxy.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "http/authority.h"

namespace mcptrace::http {
namespace {

constexpr std::string_view kHttp = "http://";

std::unexpected<Error> invalid(std::string_view what) {
  return std::unexpected(
      Error{Errc::kInvalidArgument, "a proxy is http://[user:password@]host[:port]; " + std::string(what)});
}

std::string authority_of(std::string_view host, std::uint16_t port) {
  const bool ipv6 = host.contains(':');
  return (ipv6 ? "[" : "") + std::string(host) + (ipv6 ? "]" : "") + ":" + std::to_string(port);
}

// An address as its bits; IPv4 as its 32, also where it is written as an IPv6 one.
struct Bits {
  std::array<unsigned char, 16> bytes{};
  std::size_t count = 0;  // 0: no address
};
Bits bits_of(std::string_view text) {
  const std::string address = canonical_address(text);
  Bits bits;
  if (inet_pton(AF_INET, address.c_str(), bits.bytes.data()) == 1) bits.count = 32;
  if (bits.count == 0 && inet_pton(AF_INET6, address.c_str(), bits.bytes.data()) == 1) bits.count = 128;
  return bits;
}

bool same_prefix(const Bits& left, const Bits& right, std::size_t count) {
  for (std::size_t bit = 0; bit < count; ++bit) {
    if (((left.bytes[bit / 8] ^ right.bytes[bit / 8]) >> (7 - bit % 8) & 1) != 0) return false;
  }
  return true;
}

// "10.0.0.0/8"
bool is_in_block(std::string_view block, const Bits& address) {
  const std::size_t slash = block.find('/');
  const Bits network = bits_of(block.substr(0, slash));
  const auto count = parse_number<std::size_t>(block.substr(slash + 1));
  return count && network.count != 0 && network.count == address.count && *count <= network.count &&
         same_prefix(network, address, *count);
}

bool is_below_name(std::string_view host, std::string_view name) {
  if (host.size() < name.size() || !same_text(host.substr(host.size() - name.size()), name)) return false;
  return host.size() == name.size() || host[host.size() - name.size() - 1] == '.';
}

struct Element {
  std::string_view host, port;  // no port: any
};
// "host", "host:port", "[::1]:port", or "::1".
Element split_element(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const bool only_one = colon == text.find(':');
  if (colon == text.npos || colon == 0 || !(only_one || text[colon - 1] == ']')) return {text, {}};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

// Does one element of a NO_PROXY name the server?
bool is_named_by(std::string_view element, const ProxiedServer& server) {
  if (element == "*") return true;
  const Bits address = bits_of(server.host);
  if (element.contains('/')) return address.count != 0 && is_in_block(element, address);
  auto [host, port] = split_element(element);
  if (!port.empty() && port != std::to_string(server.port)) return false;
  if (address.count != 0) {
    const Bits named = bits_of(host);
    return named.count == address.count && same_prefix(named, address, address.count);
  }
  if (host.starts_with("*.")) host.remove_prefix(1);
  if (host.starts_with('.')) host.remove_prefix(1);
  if (host.ends_with('.')) host.remove_suffix(1);
  return !host.empty() && is_below_name(server.host, host);
}

bool is_on_this_machine(std::string_view host) {
  const std::string address = canonical_address(host);
  if (address.contains(':')) return is_loopback_host("[" + address + "]");
  return is_loopback_host(address.empty() ? host : std::string_view(address)) || is_below_name(host, "localhost");
}

// An empty value: none of them is set.
NamedProxy first_set(const Variables& variables, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    if (auto value = variables(name); value && !value->empty()) return {name, *std::move(value)};
  }
  return {};
}

}  // namespace

Result<ForwardProxy> parse_forward_proxy(std::string_view text, std::uint16_t default_port) {
  const std::string url = text.contains("://") ? std::string(text) : std::string(kHttp).append(text);
  const auto parts = split_url(url);
  if (!parts || parts->tls) return invalid("proxies that are spoken to in another way cannot be used");
  if (!parts->rest.empty() && parts->rest != "/")
    return invalid("without a path, and with none of /?# in its password");
  const std::size_t at = parts->authority.rfind('@');
  const auto authority = parse_authority(parts->authority.substr(at + 1));
  if (!authority) return invalid("its host or port cannot be read");
  ForwardProxy proxy;
  proxy.port = authority->port != 0 ? authority->port : default_port;
  proxy.host = authority->is_ipv6() ? authority->host.substr(1, authority->host.size() - 2) : authority->host;
  std::ranges::transform(proxy.host, proxy.host.begin(), lower);
  proxy.authority = authority_of(proxy.host, proxy.port);
  if (at == parts->authority.npos) return proxy;
  const std::string_view user_info = parts->authority.substr(0, at);
  const std::size_t colon = std::min(user_info.find(':'), user_info.size());
  const auto user = percent_decode(user_info.substr(0, colon));
  const auto password = percent_decode(user_info.substr(std::min(colon + 1, user_info.size())));
  if (!user || !password) return invalid("a % in its user or password is written %25");
  proxy.authorization = "Basic " + base64(*user + ":" + *password);
  return proxy;
}

bool is_excepted(std::string_view list, const ProxiedServer& server) {
  constexpr std::string_view kBetween = ", \t";
  while (!list.empty()) {
    const std::size_t end = std::min(list.find_first_of(kBetween), list.size());
    if (end != 0 && is_named_by(list.substr(0, end), server)) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

std::optional<NamedProxy> named_proxy(const Variables& variables, const ProxiedServer& server) {
  if (is_on_this_machine(server.host)) return std::nullopt;
  const bool cgi = variables("REQUEST_METHOD").has_value();
  NamedProxy named = server.tls ? first_set(variables, {"https_proxy", "HTTPS_PROXY"})
                     : cgi      ? first_set(variables, {"http_proxy"})
                                : first_set(variables, {"http_proxy", "HTTP_PROXY"});
  if (named.url.empty()) named = first_set(variables, {"all_proxy", "ALL_PROXY"});
  if (named.url.empty() || is_excepted(first_set(variables, {"no_proxy", "NO_PROXY"}).url, server)) return std::nullopt;
  return named;
}

std::string tunnel_request(const ForwardProxy& proxy, const ProxiedServer& server) {
  const std::string to = authority_of(server.host, server.port);
  std::string head = "CONNECT " + to + " HTTP/1.1\r\nHost: " + to + "\r\n";
  if (!proxy.authorization.empty()) head += "Proxy-Authorization: " + proxy.authorization + "\r\n";
  return head + "\r\n";
}

}  // namespace mcptrace::http
