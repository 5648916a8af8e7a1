// Who may speak to a listener, as far as a web page could pretend to be somebody: the Host field against DNS rebinding,
// the Origin field against other sites' scripts (MCP, "Security Warning" of Streamable HTTP).
// It is no authentication: a program that sets its own fields passes.
//
// Immutable after make(); any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/head.h"

namespace mcptrace::http {

class Access {
 public:
  // `hosts`: host or host:port; without a port, any. `origins`: scheme://host[:port], as a browser writes it; any
  // scheme. Both besides the loopback names localhost, 127.0.0.0/8 and [::1], which pass with any port (and http or
  // https).
  static Result<Access> make(const std::vector<std::string>& hosts, const std::vector<std::string>& origins);

  // Nothing: it may pass. Else why not, and which option would let it: static text for a 403.
  // `head` was parsed by RequestParser, so that it has at most one Host field, of valid form.
  [[nodiscard]] std::optional<std::string_view> check(const RequestHead& head) const;

 private:
  struct Host {
    std::string name;
    std::uint16_t port = 0;  // 0: any
  };

  Access() = default;
  [[nodiscard]] bool allows_host(std::string_view value) const;
  [[nodiscard]] bool allows_origin(std::string_view value) const;

  std::vector<Host> hosts_;
  std::vector<std::string> origins_;
};

}  // namespace mcptrace::http
