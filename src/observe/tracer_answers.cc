// The tracer's answers: what they say of their calls, and what becomes of those that answer none.
#include "observe/judge.h"
#include "observe/tracer.h"
#include "trace/gate.h"

namespace mcptrace::observe {

using mcp::CallKind;
using mcp::Direction;
using mcp::Fact;
using mcp::Finding;
using mcp::finding_bit;
using mcp::Message;
using mcp::MessageKind;
using mcp::Method;
using mcp::OpenCall;
using mcp::Text;
using trace::CallEnd;
using trace::Outcome;

void Tracer::on_answer(HttpExchange& exchange, const Fact& fact) {
  const Message& message = fact.message;
  const bool from_client = message.direction == Direction::kClientToServer;
  const Direction asked = from_client ? Direction::kServerToClient : Direction::kClientToServer;
  if (from_client) session_of(fact, false).touch(fact.at);
  OpenCall* call = pairing_.asked(exchange, asked, message.id);
  OpenCall* const alone = exchange.messages == 1 && !exchange.calls.empty() ? &exchange.calls.front() : nullptr;
  // An error of the transport has no id: it can only mean what was in the exchange. Without a code it is no JSON-RPC.
  const bool of_transport =
      !message.id.usable() &&
      (exchange.status >= 300 || (alone != nullptr && message.kind == MessageKind::kError && !from_client));
  if (of_transport && message.has(mcp::kHasErrorCode) && alone != nullptr) call = alone;
  if (call != nullptr && call->kind == CallKind::kHttp) call = nullptr;
  // What comes in an exchange after its call has ended is no other's of that id.
  const std::uint64_t stream = exchange.resumes != 0 ? exchange.resumes : exchange.serial;
  const bool elsewhere = call != nullptr && call->exchange_serial != stream && !exchange.has(mcp::kSseSession);
  if (elsewhere && recollection_.has_ended(asked, message.id, stream)) {
    call = nullptr;
  }
  bool id_mismatch = false;
  if (call == nullptr && !of_transport && !is_known_stray(asked, fact, stream)) {
    // Second chance: the only open call whose id differs in form alone.
    if (message.id.usable()) call = calls_.table().find_loose(asked, message.id);
    id_mismatch = call != nullptr;
    if (call == nullptr) count_unmatched(exchange, fact);
  }
  if (call != nullptr) {
    answer_call(*call, fact, exchange.declared, id_mismatch);
  } else if (fact.findings != 0) {
    session_of(fact, false).count_findings(fact.findings);
  }
  exchange.declared.clear();
}

void Tracer::answer_call(OpenCall& call, const Fact& fact, const std::vector<mcp::DeclaredTool>& page,
                         bool id_mismatch) {
  const Message& message = fact.message;
  Session& session = calls_.session_of(call);
  session.touch(fact.at);
  session.count_message(message);
  note_framing(session, message);
  const bool asked_by_client = call.direction == Direction::kClientToServer;
  mcp::Findings findings = fact.findings | findings_of_answer(session, call, message);
  if (id_mismatch) findings |= finding_bit(Finding::kIdMismatch);
  session.note_findings(findings, fact.at, &call);
  CallEnd end = judge_answer(call.method, message);
  end.id_mismatch = id_mismatch;
  if (message.kind == MessageKind::kError) {
    if (call.method == Method::kInitialize && asked_by_client) session.initialize_failed = true;
  } else if (end.outcome != Outcome::kToolError && asked_by_client) {
    learn_from_answer(session, call, message);
    if (call.method == Method::kToolsList) {
      session.note_changed_tools(declared_.learn(session, call, page, !message.has(mcp::kNextCursor)), fact.at, call);
    }
  }
  calls_.answered(session, call, end, fact.at.boot);
}

void Tracer::learn_from_answer(Session& session, const OpenCall& call, const Message& message) {
  if (call.method == Method::kInitialize) {
    session.initialize_failed = false;
    session.text.version.assign(trace::gate_version(message[Text::kProtocolVersion]));
  }
  if (session.learn_server(message) && !session.closed) {
    sessions_.write_root(session, spool::RecordType::kSessionOpen);  // now it says with whom
  }
  const Recollection::Span span{call.context.trace_id, call.context.span_id};
  if (message.request_state != 0 && message.result_type == mcp::ResultType::kInputRequired) {
    recollection_.remember_state({message.request_state, session.root.session_print, session.route}, span);
  }
  if (message.task != 0 && call.method == Method::kToolsCall) {
    recollection_.remember_task({message.task, session.root.session_print, session.route}, span);
  }
}

// The answer to a call that ended before: late, if it ended without one; else a second one.
bool Tracer::is_known_stray(Direction asked, const Fact& fact, std::uint64_t stream) {
  const Message& message = fact.message;
  if (!message.id.usable()) return false;
  const auto late = recollection_.take_ended(asked, message.id, stream);
  const auto serial = late ? late->session : recollection_.find_answered(asked, message.id);
  if (serial == Recollection::kForeign) {
    sessions_.process(fact.at).count_foreign(message);
    return true;
  }
  Session* const session = serial ? sessions_.find(*serial) : nullptr;
  if (session == nullptr) return late.has_value();
  if (late && session->closed) sessions_.open(*session);
  session->touch(fact.at);
  session->count_message(message);
  if (!late) {
    session->count_findings(finding_bit(Finding::kSecondAnswer));
    return true;
  }
  if (late->given_up) session->count_findings(finding_bit(Finding::kLateAnswer));
  recollection_.answered(asked, message.id, late->session);
  const trace::Outcome outcome = judge_answer(late->method, message).outcome;
  writer_.late_answer(*late, *session, random_.span_id(), fact.at.wall, outcome);
  return true;
}

void Tracer::count_unmatched(const HttpExchange& exchange, const Fact& fact) {
  const Message& message = fact.message;
  const bool over_http = options_.over_http();
  if (over_http && !message.has(mcp::kJsonrpc2)) return;
  Session& session = session_of(fact, false);
  session.touch(fact.at);
  if (!message.has(mcp::kJsonrpc2) || !(known_ || over_http)) return session.count_foreign(message);
  session.count_message(message);
  ++session.unmatched;
  // Who cannot read a request cannot say which it was; and what was asked may have been lost, or over HTTP have come to
  // another replica.
  const bool unreadable = message.kind == MessageKind::kError && !message.id.usable();
  const bool asked_here = !over_http || exchange.method == mcp::HttpMethod::kPost || exchanges_.is_sse(exchange.scope);
  if (unreadable || !asked_here || calls_.lost_lately(fact.at.boot)) return;
  session.count_findings(finding_bit(Finding::kUnmatchedAnswer));
}

}  // namespace mcptrace::observe
