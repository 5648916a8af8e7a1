// "host" or "host:port" as they stand in a Host field, a URL or an absolute target: one reading for all of them, so
// that routing, access and logs never see two. Strict: what is unusual is refused, for it has been read in two ways
// before.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mcptrace::http {

struct Authority {
  std::string_view host;   // as it was written; IPv6 with its brackets
  std::uint16_t port = 0;  // 0: none was written

  [[nodiscard]] bool is_ipv6() const { return host.starts_with('['); }
};

// Letters, digits, `-`, `.`, `_` and `~` in labels that are not empty; a dotted IPv4 address; or an IPv6 address in
// brackets, without a zone. No user, no percent-encoding, no trailing dot, no empty or zero port. Borrows from `text`.
std::optional<Authority> parse_authority(std::string_view text);

// Hosts without regard to case, IPv6 addresses in any spelling.
bool same_host(std::string_view left, std::string_view right);

// The same place for a scheme whose default port is given: hosts without regard to case, ports with the default filled
// in.
bool same_authority(const Authority& left, const Authority& right, std::uint16_t default_port);

// Of "1.2.3.4", "1.2.3.4:80", "::1", "[::1]" or "[::1]:80": the address in its canonical form, without brackets and
// port; empty for everything else.
std::string canonical_address(std::string_view text);

// "localhost", 127.0.0.0/8 in four decimal parts, or [::1].
bool is_loopback_host(std::string_view host);

// scheme://authority at the start of an http or https URL.
struct UrlOrigin {
  bool tls = false;
  std::string_view authority;
  std::string_view rest;  // from the path, query or fragment on
};
std::optional<UrlOrigin> split_url(std::string_view url);

}  // namespace mcptrace::http
