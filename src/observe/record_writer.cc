#include "observe/record_writer.h"

#include <algorithm>

namespace mcptrace::observe {
namespace {

using mcp::OpenCall;
using spool::RecordType;
using trace::Attr;

unsigned header_flags_of(const OpenCall& call) {
  unsigned flags = call.is_standing() ? trace::kStanding : 0;
  if (call.direction == mcp::Direction::kServerToClient) flags |= trace::kFromServer;
  if (call.parent == nullptr) flags |= trace::kTreeRoot;
  if (call.context.parent_source != mcp::ParentSource::kRoot) flags |= trace::kJoined;
  if (call.start_state == OpenCall::Start::kWaits) flags |= trace::kStarting;
  if (call.start_state == OpenCall::Start::kTold) flags |= trace::kStarted;
  return flags;
}

}  // namespace

RecordWriter::RecordWriter(const TracerOptions& options, const HttpExchanges& exchanges, RecordSink& sink)
    : options_(options),
      exchanges_(exchanges),
      sink_(sink),
      builder_(options.naming, options.transport),
      style_{options.transport, options.command_print, options.client_process, {}, 0x03, {}} {
  if (!options_.environment) return;
  style_.environment_parent = options_.environment->span_id;
  style_.flags = options_.environment->flags;
  style_.trace_state = options_.environment_state;
}

void RecordWriter::emit(RecordType type, const Session& session, const OpenCall* call, unsigned header_flags) {
  trace::SpanHeader header = trace::header_of(span_);
  header.session_print = session.root.session_print;
  header.operation = call != nullptr ? trace::operation_of(call->method) : trace::Operation::kNone;
  header.flags = static_cast<std::uint16_t>(header_flags | (session.root.derived ? trace::kDerivedIds : 0) |
                                            (session.text.guessed ? trace::kGuessedSession : 0));
  const bool own = call != nullptr && call->context.randomness != 0;
  header.randomness = own ? call->context.randomness : trace::randomness_of(span_.trace_state, span_.trace_id);
  if (call != nullptr) header.definition = call->definition.low;
  use_route(session.route);
  sink_.record(type, header, span_);
}

// Each record belongs to the resource that was given last.
void RecordWriter::use_route(std::uint16_t route) {
  if (route_ == route) return;
  route_ = route;
  std::vector<std::pair<std::string, std::string>> attributes = {
      {std::string(trace::kServiceName), options_.route(route).service_name},
      {std::string(trace::kServiceInstanceId), options_.instance_id},
  };
  attributes.insert(attributes.end(), options_.resource_attributes.begin(), options_.resource_attributes.end());
  sink_.resource(attributes);
}

const trace::HttpPart* RecordWriter::http_part(const OpenCall& call) {
  const HttpExchange* const exchange = exchanges_.of(call);
  if (exchange == nullptr) return nullptr;
  const RouteText& route = options_.route(exchange->route);
  http_part_ = {.method = exchange->method,
                .minor_version = exchange->minor_version,
                .status = exchange->status,
                .client_address = exchange->client,
                .server_address = route.server_address,
                .client_port = exchange->client_port,
                .server_port = route.server_port,
                .streamed = exchange->has(mcp::kStreamed),
                .answered = exchange->answered};
  return &http_part_;
}

// An HTTP+SSE stream to which nobody sends a request, and what the server asks on it: their session has no root.
void RecordWriter::drop_missing_root(const OpenCall& call) {
  const HttpExchange* const exchange = exchanges_.of(call);
  if (exchange == nullptr || !exchanges_.lacks_root(exchange->scope)) return;
  if (call.context.parent_source == mcp::ParentSource::kRoot) span_.parent_id = {};
  std::erase_if(span_.links, [](const trace::SpanLink& link) { return link.relation == "session"; });
}

void RecordWriter::root(Session& session, RecordType type) {
  session.build_root(style_, type != RecordType::kSessionOpen, span_);
  const bool unseen = type == RecordType::kSessionClose && session.rests;
  emit(type, session, nullptr, trace::kRootSpan | (unseen ? trace::kEndUnseen : 0u));
}

bool RecordWriter::call(const OpenCall& call, const Session& session, const trace::CallEnd& end) {
  builder_.build_call(call, session.text, end, span_, http_part(call));
  drop_missing_root(call);
  const bool failed = span_.status == trace::StatusCode::kError;
  emit(RecordType::kSpan, session, &call, header_flags_of(call));
  return failed;
}

void RecordWriter::call_open(const OpenCall& call, const Session& session, bool declared, Nanos lasted) {
  builder_.build_open(call, session.text, declared, span_, http_part(call));
  drop_missing_root(call);
  span_.duration = std::max(lasted, Nanos(0));
  emit(RecordType::kCallOpen, session, &call, header_flags_of(call));
}

void RecordWriter::notification(const OpenCall& call, const Session& session) {
  builder_.build_notification(call, session.text, span_);
  emit(RecordType::kSpan, session, &call, trace::kTreeRoot | trace::kStanding);
}

void RecordWriter::late_answer(const EndedCall& ended, const Session& session, SpanId span_id, Nanos wall,
                               trace::Outcome outcome) {
  span_.clear();
  span_.trace_id = ended.trace_id;
  span_.parent_id = ended.span_id;
  span_.span_id = span_id;
  span_.flags = ended.flags;
  span_.trace_state = ended.trace_state;
  span_.name = trace::kLateAnswerName;
  span_.kind = trace::SpanKind::kInternal;
  span_.start = wall;
  span_.outcome = outcome;
  span_.add(Attr::kSessionId, session.text.session_id);
  span_.add(Attr::kLate, true);
  span_.add(Attr::kOutcome, trace::outcome_text(outcome));
  if (trace::outcome_is_error(outcome)) {
    span_.status = trace::StatusCode::kError;
    span_.status_message = trace::outcome_text(outcome);
    span_.add(Attr::kErrorType, trace::outcome_text(outcome));
  }
  emit(RecordType::kSpan, session, nullptr, trace::kLateAnswer);
}

}  // namespace mcptrace::observe
