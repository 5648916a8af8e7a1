// Which open call a message is about (docs/spans.md). Observer thread.
#pragma once

#include "mcp/call_table.h"
#include "mcp/fact.h"
#include "observe/calls.h"
#include "observe/http_exchanges.h"
#include "observe/session.h"

namespace mcptrace::observe {

// Null, everywhere: none, or nobody can say which.
class Pairing {
 public:
  // References must outlive this.
  Pairing(Calls& calls, HttpExchanges& exchanges) : calls_(calls), exchanges_(exchanges) {}

  // The call that was asked in this direction by this id, where its answer came in `exchange`.
  mcp::OpenCall* asked(const HttpExchange& exchange, mcp::Direction asked, const mcp::RequestId& id);
  mcp::OpenCall* cancelled(const mcp::Fact& fact);
  // The call that a server's notification names: by progress token, or as a subscription.
  mcp::OpenCall* named(const HttpExchange& exchange, const mcp::Message& message);
  // The call in whose service the server sends something that names none: the one on whose POST's stream it comes; over
  // stdio, and on a stream of the session, the only one that may have asked for it. `session`: over HTTP.
  mcp::OpenCall* served(HttpExchange& exchange, Session* session, const mcp::Message& message);

 private:
  mcp::OpenCall* cancelled_in_guessed(const mcp::Fact& fact);

  Calls& calls_;
  HttpExchanges& exchanges_;
};

}  // namespace mcptrace::observe
