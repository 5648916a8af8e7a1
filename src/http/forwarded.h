// Who the client is and what it called, behind proxies that say so: X-Forwarded-For and Forwarded (RFC 7239), read from
// the right. Each proxy adds at the end whom it got the request from, so what a trusted one added is true, and all that
// stands before what an untrusted one added may be invented.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/head.h"

namespace mcptrace::http {

// Addresses whose word is taken.
class TrustedProxies {
 public:
  // "10.0.0.0/8", "2001:db8::/32", "127.0.0.1". Error: kInvalidArgument.
  Result<> add(std::string_view network);
  // `address` as canonical_address() gives it.
  [[nodiscard]] bool contains(std::string_view address) const;
  [[nodiscard]] bool empty() const { return networks_.empty(); }

 private:
  struct Network {
    std::array<std::uint8_t, 16> address;  // IPv4 as ::ffff:a.b.c.d
    unsigned bits;
  };
  std::vector<Network> networks_;
};

// The address that the last trusted proxy got the request from: the right-most one that is not in `trusted`, else the
// left-most. The connection's own peer is taken for trusted. Empty, so that the peer is the client: nobody says, what
// is said is no address, both fields are there and do not name the same, or there are more than 16 hops.
std::string forwarded_client(const RequestHead& head, const TrustedProxies& trusted);

struct CalledBy {
  std::string_view scheme, host;  // empty: nobody says, or two fields do not say the same
};
// How the proxy that the request came from was called, by the last element of X-Forwarded-Proto and -Host, or of
// Forwarded. What it is made of is the proxy's own word; it may be anything.
CalledBy forwarded_call(const RequestHead& head);

}  // namespace mcptrace::http
