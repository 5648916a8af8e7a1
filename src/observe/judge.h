// From what ended a call to how it ended (docs/spans.md, Outcomes). Pure.
#pragma once

#include <optional>
#include <string_view>

#include "mcp/call_table.h"
#include "mcp/message.h"
#include "observe/http_exchanges.h"
#include "observe/session.h"
#include "trace/span_builder.h"

namespace mcptrace::observe {

trace::CallEnd ended(trace::Outcome outcome);
trace::CallEnd unobserved(std::string_view why);
trace::CallEnd abandoned(std::string_view error_type);

// By its answer.
trace::CallEnd judge_answer(mcp::Method asked, const mcp::Message& answer);

// What is wrong with a request or a notification, or an answer to `call`, by what it says itself.
mcp::Findings findings_of(const Session& session, const mcp::Message& message);
mcp::Findings findings_of_answer(const Session& session, const mcp::OpenCall& call, const mcp::Message& answer);

// By the end of the HTTP exchange that it came in, whose answer's head is in `http`. Nothing: it is not over, an answer
// may come on another stream. `dropped`: facts of it may have been lost.
std::optional<trace::CallEnd> judge_exchange(const mcp::OpenCall& call, const HttpExchange& exchange,
                                             const mcp::HttpFact& http, const HttpExchanges& exchanges, bool dropped);

// A server may end its answer in order because the client has left: that is no failure of the server's.
bool client_left(const mcp::HttpFact& http);

}  // namespace mcptrace::observe
