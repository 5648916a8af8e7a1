// The fields of an answer that lead its client on: Location, Content-Location, Refresh and Link. Where they name the
// upstream they are made to name us, as nginx's `proxy_redirect` does, and more; all else stays as it came. Not among
// them: WWW-Authenticate, for the metadata that it names says itself whose it is (README.md). Pure; one object a client
// connection, reused.
//
//   rewriter.begin(routes, route, view_of(request_head, tls, trusts_peer));
//   if (rewriter.rewrite(head)) head.fields = rewriter.fields();   // of each answer to it, 1xx too
//   write(head); rewriter.forget();
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/head.h"
#include "proxy/client_uri.h"

namespace mcptrace::proxy {

// 301, 302, 303, 307, 308: with a Location the client is to ask again, there.
constexpr bool is_redirection(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

class FieldRewriter {
 public:
  // `routes` outlives the exchange, and so does what `client` borrows from, until the answer's head.
  void begin(const RouteTable& routes, std::size_t route, const ClientView& client);

  // Does anything have to be changed?
  bool rewrite(const http::ResponseHead& head);
  // Then these are its fields, until they are forgotten; they borrow from the head's.
  [[nodiscard]] std::span<const http::Field> fields() const { return fields_; }
  void forget();
  // The answer redirects its client to where we are not; and it was the upstream itself that could not be mapped.
  [[nodiscard]] bool leads_away() const { return leads_away_; }
  [[nodiscard]] bool is_unreachable() const { return unreachable_; }

 private:
  std::string map(const http::ResponseHead& head, const http::Field& field);
  std::string map_location(std::string_view uri, bool redirects);
  std::string map_refresh(std::string_view value);
  std::string map_links(std::string_view value);

  const RouteTable* routes_ = nullptr;
  std::size_t route_ = 0;
  ClientView client_;
  bool leads_away_ = false, unreachable_ = false;
  std::vector<std::string> values_;
  std::vector<http::Field> fields_;
};

}  // namespace mcptrace::proxy
