#include "trace/span_builder.h"

#include <algorithm>
#include <charconv>

#include "base/keyed_hash.h"
#include "trace/gate.h"

namespace mcptrace::trace {
namespace {

using mcp::Direction;
using mcp::Method;
using mcp::NotInjected;
using mcp::OpenCall;

std::string_view not_injected_text(NotInjected why) {
  switch (why) {
    case NotInjected::kBatch:
      return "batch";
    case NotInjected::kAmbiguous:
      return "ambiguous";
    case NotInjected::kBadShape:
      return "bad_shape";
    case NotInjected::kTooLarge:
      return "too_large";
    case NotInjected::kTooSlow:
      return "too_slow";
    case NotInjected::kEncoded:
      return "encoded";
    case NotInjected::kSigned:
      return "signed";
    case NotInjected::kWaits:
      return "expect";
    case NotInjected::kNoSession:
      return "no_session";
    case NotInjected::kDoubted:
      return "doubted";
    case NotInjected::kStrict:
      return "strict_server";
    case NotInjected::kFraming:
      return "framing";
    case NotInjected::kNoRoom:
      return "no_room";
    case NotInjected::kNone:
    case NotInjected::kOff:
    case NotInjected::kNotRequest:
    case NotInjected::kInitialize:
    case NotInjected::kForeign:
    case NotInjected::kCount:
      break;
  }
  return {};
}

// Which part of the message was made new.
std::string_view injected_text(std::uint32_t flags) {
  if ((flags & mcp::kHasParams) == 0) return "params";
  if ((flags & mcp::kHasMeta) == 0) return "meta";
  return (flags & mcp::kHasTraceparent) == 0 ? "member" : "value";
}

std::string_view method_name(mcp::HttpMethod method) {
  switch (method) {
    case mcp::HttpMethod::kGet:
      return "GET";
    case mcp::HttpMethod::kPost:
      return "POST";
    case mcp::HttpMethod::kDelete:
      return "DELETE";
    case mcp::HttpMethod::kHead:
      return "HEAD";
    case mcp::HttpMethod::kPut:
      return "PUT";
    case mcp::HttpMethod::kOptions:
      return "OPTIONS";
    case mcp::HttpMethod::kPatch:
      return "PATCH";
    case mcp::HttpMethod::kOther:
      break;
  }
  return "_OTHER";
}

void append_number(std::string& out, std::int64_t value) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(digits.data(), end);
}

// The caller's fault, by the conventions' exclusion list for SERVER spans.
bool is_caller_fault(std::int64_t code) {
  return code == -32700 || (code <= -32600 && code >= -32602) || code == -32002;
}

}  // namespace

bool error_is_unset(const OpenCall& call, Naming naming, bool has_code, std::int64_t code) {
  if (call.method == Method::kServerDiscover) return true;
  return naming == Naming::kSemconv && call.direction == Direction::kClientToServer && has_code &&
         is_caller_fault(code);
}

void SpanBuilder::start(const OpenCall& call, const SessionText& session, bool declared, const HttpPart* http,
                        SpanRecord& span) {
  span.clear();
  span.trace_id = call.context.trace_id;
  span.span_id = call.context.span_id;
  span.parent_id = call.context.parent_id;
  span.flags = call.context.flags;
  span.parent_remote = call.context.parent_source != mcp::ParentSource::kRoot;
  span.trace_state = call.trace_state;
  span.kind = call.direction == Direction::kClientToServer ? SpanKind::kServer : SpanKind::kClient;
  span.start = call.start.wall;
  if (call.kind == mcp::CallKind::kHttp) {
    span.name = kHttpName;
    add_session(session.session_id, session.guessed, call.flags, span.attributes);
    span.add(Attr::kNetworkTransport, transport_);
  } else {
    start_message(call, session, declared, span);
  }
  if (http != nullptr) add_http(call, *http, span);
  add_links(call, session, span);
}

void SpanBuilder::start_message(const OpenCall& call, const SessionText& session, bool declared, SpanRecord& span) {
  const CallAttributes::Common& common = common_.of(call, session, declared);
  span.common = &common;
  span.name = common.span_name;
  if (call.id.usable() && call.id.type != mcp::IdType::kOther) {
    const bool whole = (call.flags & mcp::kIdCut) == 0;
    const std::string_view text = whole ? std::string_view(call.id_text) : std::string_view();
    const bool integer = call.id.type == mcp::IdType::kInteger && whole;
    span.add(Attr::kRequestId, gate_request_id(text, integer, call.id_print, id_));
  }
  span.add(Attr::kRequestBytes, static_cast<std::int64_t>(call.request_bytes));
  if (call.shares_id || (call.flags & mcp::kAmbiguous) != 0) {
    span.add(Attr::kAmbiguous, call.shares_id ? "reused_id" : "keys");
  }
  if (call.context.not_injected == NotInjected::kNone) span.add(Attr::kInjected, injected_text(call.flags));
  if (const auto why = not_injected_text(call.context.not_injected); !why.empty()) span.add(Attr::kNotInjectedWhy, why);
}

void SpanBuilder::add_http(const OpenCall& call, const HttpPart& http, SpanRecord& span) {
  span.add(Attr::kNetworkProtocolName, "http");
  span.add(Attr::kNetworkProtocolVersion, http.minor_version == 0 ? "1.0" : "1.1");
  if (!http.client_address.empty()) {
    span.add(Attr::kClientAddress, http.client_address);
    if (http.client_port != 0) span.add(Attr::kClientPort, static_cast<std::int64_t>(http.client_port));
  }
  if (!http.server_address.empty()) {
    span.add(Attr::kServerAddress, http.server_address);
    if (http.server_port != 0) span.add(Attr::kServerPort, static_cast<std::int64_t>(http.server_port));
  }
  // What the server asks comes in an answer that is about something else.
  if (call.direction == Direction::kServerToClient) return;
  span.add(Attr::kHttpMethod, method_name(http.method));
  if (http.status == 0) return;
  span.add(Attr::kHttpStatusCode, static_cast<std::int64_t>(http.status));
  span.add(Attr::kHttpResponseStatus, static_cast<std::int64_t>(http.status));
  const Nanos wait = std::max(http.answered - call.start.boot, Nanos(0));
  span.attributes.emplace_back(Attr::kHttpFirstByte, std::chrono::duration<double>(wait).count());
  if (http.streamed) span.add(Attr::kHttpStreamed, true);
}

void SpanBuilder::add_links(const OpenCall& call, const SessionText& session, SpanRecord& span) {
  const bool elsewhere =
      span.trace_id != session.root_trace_id || call.context.parent_source != mcp::ParentSource::kRoot;
  if (elsewhere && !session.root_span_id.is_zero()) {
    span.links.push_back({session.root_trace_id, session.root_span_id, 0, {}, "session"});
  }
  for (std::size_t i = 0; i < call.caller_link_count; ++i) {
    span.links.push_back({call.caller_links[i].trace_id, call.caller_links[i].span_id, 0, {}, "caller"});
  }
  if (!call.link_span.is_zero()) {
    span.links.push_back({call.link_trace, call.link_span, 0, {}, call.link_is_task ? "task" : "retry"});
  }
}

// Status text: outcome, code, and a fingerprint of the message, so that equal errors group; never the message.
void SpanBuilder::add_status(const OpenCall& call, const CallEnd& end, SpanRecord& span) {
  span.outcome = end.outcome;
  span.add(Attr::kOutcome, outcome_text(end.outcome));
  if (end.has_code) {
    code_.clear();
    append_number(code_, end.code);
    span.add(Attr::kErrorCode, end.code);
    span.add(Attr::kRpcStatusCode, code_);
  }
  if (end.outcome == Outcome::kUnobserved && !end.unobserved.empty()) span.add(Attr::kUnobserved, end.unobserved);
  if (!end.reason.empty()) span.add(Attr::kReason, end.reason);
  if (!outcome_is_error(end.outcome) || end.status_unset) return;
  if (end.outcome == Outcome::kRpcError && error_is_unset(call, naming_, end.has_code, end.code)) return;
  span.status = StatusCode::kError;
  std::string_view type = end.error_type;
  if (type.empty()) {
    type = end.outcome == Outcome::kRpcError ? (end.has_code ? std::string_view(code_) : "_OTHER")
                                             : outcome_text(end.outcome);
  }
  span.add(Attr::kErrorType, type);
  status_ = outcome_text(end.outcome);
  if (end.has_code) status_.append(" ").append(code_);
  if (!end.error_type.empty()) status_.append(" ").append(end.error_type);
  if (end.error_print != 0) status_.append(" #").append(hex32_of(end.error_print));
  span.status_message = status_;
}

void SpanBuilder::add_events(const OpenCall& call, const CallEnd& end, SpanRecord& span) {
  for (const OpenCall::Note& note : call.notes) {
    if (note.finding != mcp::Finding::kCount) {
      span.events.push_back({note.at, attr_key(Attr::kFinding), {}});
      span.events.back().attributes.push_back({Attr::kFinding, finding_code(note.finding)});
      continue;
    }
    std::string_view name = mcp::method_text(note.method);
    if (name.empty()) name = "_OTHER";
    span.events.push_back({note.at, name, {}});
  }
  span.dropped_events = call.dropped_notes;
  if (call.method == Method::kInitialize && !end.negotiated.empty() && !call.version.empty() &&
      end.negotiated != call.version) {
    span.events.push_back({call.start.wall + end.duration, "mcp.protocol.version.negotiated", {}});
  }
  if (end.auth != mcp::AuthScheme::kNone) {
    span.events.push_back({call.start.wall + end.duration, "mcp.auth.challenge", {}});
    span.events.back().attributes.push_back({Attr::kAuthScheme, auth_scheme_text(end.auth)});
  }
}

void SpanBuilder::build_call(const OpenCall& call, const SessionText& session, const CallEnd& end, SpanRecord& span,
                             const HttpPart* http) {
  start(call, session, end.declared, http, span);
  span.duration = end.duration;
  if (call.kind == mcp::CallKind::kRequest) {
    span.add(Attr::kResponseBytes, static_cast<std::int64_t>(end.answer_bytes));
  }
  if (call.method == Method::kInitialize && !end.negotiated.empty()) {
    span.add(Attr::kProtocolVersion, gate_version(end.negotiated));
  }
  if (call.progress != 0) span.add(Attr::kProgressCount, static_cast<std::int64_t>(call.progress));
  if (end.id_mismatch) span.add(Attr::kIdMismatch, true);
  add_status(call, end, span);
  add_events(call, end, span);
}

void SpanBuilder::build_open(const OpenCall& call, const SessionText& session, bool declared, SpanRecord& span,
                             const HttpPart* http) {
  start(call, session, declared, http, span);
  span.ended = false;
}

void SpanBuilder::build_notification(const OpenCall& call, const SessionText& session, SpanRecord& span) {
  start(call, session, false, nullptr, span);
  span.outcome = Outcome::kOk;
  span.add(Attr::kOutcome, outcome_text(Outcome::kOk));
}

}  // namespace mcptrace::trace
