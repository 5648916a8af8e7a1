// Who is at the other end of a connection. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace mcptrace::http {

struct PeerAddress {
  std::string_view address;  // numeric, without brackets
  std::uint16_t port = 0;
};

}  // namespace mcptrace::http
