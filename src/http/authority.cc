#include "http/authority.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/text.h"
#include "http/field_table.h"

namespace mcptrace::http {
namespace {

constexpr std::array<bool, 256> make_host_bytes() {
  std::array<bool, 256> table{};
  for (const char* c = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"; *c != 0; ++c) {
    table[static_cast<unsigned char>(*c)] = true;
  }
  return table;
}
constexpr std::array<bool, 256> kHostBytes = make_host_bytes();

bool is_name(std::string_view host) {
  if (host.empty() || host.size() > 255) return false;
  char before = '.';
  for (const char c : host) {
    if (!kHostBytes[static_cast<unsigned char>(c)] || (c == '.' && before == '.')) return false;
    before = c;
  }
  return before != '.';
}

// An address of this family in the one spelling that inet_pton takes.
bool is_address(int family, std::string_view text, void* bytes) {
  std::array<char, INET6_ADDRSTRLEN> copy;
  if (text.empty() || text.size() >= copy.size()) return false;
  std::memcpy(copy.data(), text.data(), text.size());
  copy[text.size()] = 0;
  return inet_pton(family, copy.data(), bytes) == 1;
}

bool is_ipv6(std::string_view bracketed) {
  in6_addr address;
  return bracketed.size() > 2 && bracketed.find('\0') == bracketed.npos &&
         is_address(AF_INET6, bracketed.substr(1, bracketed.size() - 2), &address);
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  const auto port = parse_number<std::uint16_t>(text);
  return text.size() > 5 || port == 0 ? std::nullopt : port;
}

}  // namespace

std::optional<Authority> parse_authority(std::string_view text) {
  const bool bracketed = text.starts_with('[');
  std::size_t host_end = 0;
  if (bracketed) {
    host_end = text.find(']');
    if (host_end == text.npos) return std::nullopt;
    ++host_end;
  } else {
    host_end = std::min(text.find(':'), text.size());
  }
  Authority authority{.host = text.substr(0, host_end)};
  if (bracketed ? !is_ipv6(authority.host) : !is_name(authority.host)) return std::nullopt;
  if (host_end == text.size()) return authority;
  if (text[host_end] != ':') return std::nullopt;
  const auto port = parse_port(text.substr(host_end + 1));
  if (!port) return std::nullopt;
  authority.port = *port;
  return authority;
}

bool same_host(std::string_view left, std::string_view right) {
  if (same_text(left, right)) return true;
  return left.starts_with('[') && right.starts_with('[') && canonical_address(left) == canonical_address(right);
}

bool same_authority(const Authority& left, const Authority& right, std::uint16_t default_port) {
  const auto port = [&](const Authority& a) { return a.port == 0 ? default_port : a.port; };
  return same_host(left.host, right.host) && port(left) == port(right);
}

std::string canonical_address(std::string_view text) {
  if (text.contains('\0')) return {};
  if (text.starts_with('[')) {
    const auto authority = parse_authority(text);
    if (!authority) return {};
    text = authority->host.substr(1, authority->host.size() - 2);
  } else if (const std::size_t colon = text.find(':'); colon != text.npos && text.find(':', colon + 1) == text.npos) {
    if (!parse_port(text.substr(colon + 1))) return {};
    text = text.substr(0, colon);
  }
  std::array<char, INET6_ADDRSTRLEN> out;
  in6_addr address;
  const int family = text.contains(':') ? AF_INET6 : AF_INET;
  if (!is_address(family, text, &address)) return {};
  const bool mapped = family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address);
  const char* const shown = mapped ? inet_ntop(AF_INET, address.s6_addr + 12, out.data(), out.size())
                                   : inet_ntop(family, &address, out.data(), out.size());
  return shown != nullptr ? shown : "";
}

bool is_loopback_host(std::string_view host) {
  if (same_text(host, "localhost")) return true;
  if (host.starts_with('[')) {
    in6_addr address;
    return host.size() > 2 && is_address(AF_INET6, host.substr(1, host.size() - 2), &address) &&
           IN6_IS_ADDR_LOOPBACK(&address);
  }
  in_addr address;
  return is_address(AF_INET, host, &address) && ntohl(address.s_addr) >> 24 == 127;
}

std::optional<UrlOrigin> split_url(std::string_view url) {
  const auto scheme_end = url.find("://");
  if (scheme_end == url.npos) return std::nullopt;
  const std::string_view scheme = url.substr(0, scheme_end);
  const bool tls = same_text(scheme, "https");
  if (!tls && !same_text(scheme, "http")) return std::nullopt;
  const std::string_view rest = url.substr(scheme_end + 3);
  const std::size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  return UrlOrigin{tls, rest.substr(0, end), rest.substr(end)};
}

}  // namespace mcptrace::http
