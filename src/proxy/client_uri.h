// What a client of ours must be told instead of a URI that a server behind us wrote: of the `endpoint` event of
// HTTP+SSE, and of the fields of answers that name one (field_rewriter.h). A server knows itself by its own address and
// paths; a client that goes there goes past us. Pure.
//
// The upstream's own are: its origin, whether the port is written or not; its host with the other scheme and the same
// port, or both schemes' own (behind whoever ends TLS a server believes that it is asked by http); the origin that the
// client called us by, where the server was told it; and every reference without a host. All other origins are foreign.
// An absolute URI stays one, and a path a path, so that whoever stands before us may map it in turn.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/head.h"
#include "proxy/target.h"

namespace mcptrace::proxy {

// How the client called us.
struct ClientView {
  std::string_view scheme = {};  // "http" or "https"
  std::string_view host = {};    // as in a Host field; empty: unknown
  std::string_view request_target =
      {};                  // as the client wrote it; empty: unknown, and what is relative to it is not mapped
  bool told_host = false;  // the server was asked by that host, too (--host keep)
};

// By the head of a request, which outlives the view. `trusts_peer`: whoever connected is a proxy that says how it was
// called (forwarded.h).
ClientView view_of(const http::RequestHead& head, bool tls, bool trusts_peer);

struct ClientUri {
  enum class Leads : std::uint8_t {
    kToUs,
    kNowhere,  // it is the upstream's, but no target of ours leads there; `uri` is as it came
    kAway,     // to another origin; `uri` is as it came
  };
  std::string uri;
  Leads leads = Leads::kToUs;
  bool other_scheme = false;  // it named the upstream by the other scheme
};
ClientUri client_uri(const RouteTable& routes, std::size_t route, std::string_view uri, const ClientView& client);

}  // namespace mcptrace::proxy
