#include "observe/pairing.h"

namespace mcptrace::observe {

using mcp::CallKind;
using mcp::Direction;
using mcp::Fact;
using mcp::Message;
using mcp::MessageKind;
using mcp::Method;
using mcp::OpenCall;

OpenCall* Pairing::asked(const HttpExchange& exchange, Direction asked, const mcp::RequestId& id) {
  if (id.type == mcp::IdType::kAbsent) return nullptr;
  if (exchange.resumes == 0) return calls_.table().find(asked, id, exchange.serial);
  if (OpenCall* call = calls_.table().find(asked, id, exchange.resumes)) return call;
  // The stream is of an exchange without a session, whose ids are its own.
  mcp::RequestId other = id;
  mcp::scope_id(other, exchange.scope);
  mcp::scope_id(other, exchange.resumes);
  return calls_.table().find(asked, other, exchange.resumes);
}

// By the sender of the request: it ends there. A subscription that either side ends has done what it was for;
// initialize cannot be cancelled.
OpenCall* Pairing::cancelled(const Fact& fact) {
  const Message& message = fact.message;
  if (!message.related.usable()) return nullptr;
  OpenCall* call = calls_.table().find(message.direction, message.related);
  if (call == nullptr && message.direction == Direction::kServerToClient) {
    call = calls_.table().find(Direction::kClientToServer, message.related);
    if (call != nullptr && !call->is_listen()) call = nullptr;
  }
  if (call == nullptr && fact.http != nullptr && fact.http->has(mcp::kGuessed)) call = cancelled_in_guessed(fact);
  return call != nullptr && call->method != Method::kInitialize ? call : nullptr;
}

// In a session without an id every exchange has ids of its own, and a client may use one twice at a time. So which call
// a cancellation means is known only if there is one open call of its session with that id.
OpenCall* Pairing::cancelled_in_guessed(const Fact& fact) {
  mcp::RequestId wanted = fact.message.related;
  mcp::scope_id(wanted, fact.http->scope);
  OpenCall* found = nullptr;
  for (OpenCall& call : calls_.table().all()) {
    if (call.context.session_print != fact.context.session_print) continue;  // in whatever stretch
    if (call.direction != fact.message.direction || call.kind != CallKind::kRequest) continue;
    const HttpExchange* const exchange = exchanges_.of(call);
    if (exchange == nullptr) continue;
    mcp::RequestId id = call.id;
    mcp::scope_id(id, exchange->scope);
    if (id != wanted) continue;
    if (found != nullptr) return nullptr;
    found = &call;
  }
  return found;
}

OpenCall* Pairing::named(const HttpExchange& exchange, const Message& message) {
  if (message.kind != MessageKind::kNotification || !message.related.usable()) return nullptr;
  if (message.method == Method::kNotificationsProgress) {
    return calls_.table().find_token(Direction::kClientToServer, message.related);
  }
  OpenCall* const call = calls_.table().find(Direction::kClientToServer, message.related, exchange.serial);
  return call != nullptr && call->is_listen() ? call : nullptr;
}

OpenCall* Pairing::served(HttpExchange& exchange, Session* session, const Message& message) {
  if (message.kind != MessageKind::kRequest && message.kind != MessageKind::kNotification) return nullptr;
  if (HttpExchange* const own = exchange.resumes != 0 ? exchanges_.find(exchange.resumes) : &exchange) {
    OpenCall* only = nullptr;
    for (OpenCall& call : own->calls) {
      if (call.kind != CallKind::kRequest || call.direction != Direction::kClientToServer) continue;
      if (call.start_state == OpenCall::Start::kWaits) continue;
      if (only != nullptr) return nullptr;
      only = &call;
    }
    if (only != nullptr) return only;
  }
  if (session != nullptr && (exchange.method != mcp::HttpMethod::kGet || session->root.session == 0)) return nullptr;
  // Progress of a call that has ended is no other call's.
  if (message.method == Method::kNotificationsProgress && message.related.usable()) return nullptr;
  return calls_.only_nestable(session);
}

}  // namespace mcptrace::observe
