// What tracing reads in the heads of requests and answers. A request's is kept for the exchange, by copy, since a head
// lives no longer than the bytes that it was parsed from. It holds secrets, so the copy is wiped when the exchange is
// over; what the connection itself has read is not, it is overwritten or freed. One relay thread.
#pragma once

#include <string>
#include <string_view>

#include "mcp/http_fact.h"
#include "proxy/exchange_tap.h"
#include "proxy/tracing.h"

namespace mcptrace::proxy {

// 2026-07-28 or later.
bool is_modern_version(std::string_view version);
mcp::HttpMethod method_of(std::string_view method);
// ExchangeTap::end()'s error_type.
mcp::HttpError error_of(std::string_view type);
// The scheme of a challenge, if it is one of the few that are ever named.
mcp::AuthScheme scheme_of(std::string_view challenge);
// Is the body signed, or is there a digest of it?
bool is_signed(const http::Head& head);

struct HeadText {
  std::string_view target, session_id, version, last_event_id, user_agent, authorization, baggage;
  std::string_view traceparent, tracestate;  // fields of one name joined; empty unless there is exactly one traceparent
  std::string_view client;                   // its address, or the forwarded one where a trusted proxy says so
  std::string_view conversation;             // "name=value" of the first configured header that is there
  bool forwarded = false;                    // client is
  bool modern = false;                       // by its version
  bool mcp = false;                          // has a field of MCP's
  std::string_view method, name;             // of the modern era: Mcp-Method and Mcp-Name
  bool repeats = false;                      // one of these two, or MCP-Protocol-Version, is there twice
};

class KeptHead {
 public:
  KeptHead() = default;
  KeptHead(const KeptHead&) = delete;
  KeptHead& operator=(const KeptHead&) = delete;
  ~KeptHead() { wipe(); }
  void read(const http::RequestHead& head, std::string_view target, std::string_view client,
            const TracingOptions& options);
  void wipe();
  // All texts but the target, the session and the client are empty from here on.
  void keep_session_only();
  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  // Valid until the next call.
  [[nodiscard]] const HeadText& text() const { return text_; }

 private:
  std::string_view keep(std::string_view value);
  std::string_view keep_list(const http::RequestHead& head, http::FieldName name);

  std::string bytes_;
  HeadText text_;
};

}  // namespace mcptrace::proxy
