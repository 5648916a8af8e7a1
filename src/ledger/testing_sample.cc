#include "ledger/testing_sample.h"

#include "base/keyed_hash.h"
#include "otlp/encode.h"
#include "otlp/record_tag.h"

namespace mcptrace::ledger {

using spool::RecordType;
using trace::Attr;
using trace::Outcome;

Sample::Sample(Sink sink, SampleOptions options)
    : sink_(std::move(sink)), options_(std::move(options)), random_(options_.seed) {
  trace_id_ = random_.trace_id();
  root_id_ = random_.span_id();
  if (options_.print == 0) options_.print = random_.u64() | 1;
}

std::string Sample::id() const { return "s-" + hex64(options_.print); }

void Sample::resource() {
  const std::pair<std::string_view, std::string_view> attributes[] = {{trace::kServiceName, options_.service},
                                                                      {trace::kServiceInstanceId, options_.instance}};
  std::string bytes, record;
  otlp::encode_resource(attributes, bytes);
  otlp::append_resource_record(1, bytes, record);
  sink_(RecordType::kResource, 0, record);
}

void Sample::fill_root(Nanos at, bool ended) {
  span_.clear();
  span_.trace_id = trace_id_;
  span_.span_id = root_id_;
  span_.name = trace::kRootName;
  span_.start = options_.start;
  span_.duration = at;
  span_.ended = ended;
  name_ = id();
  span_.add(Attr::kSessionId, name_);
  span_.add(Attr::kNetworkTransport, "pipe");
  const std::pair<Attr, const std::string*> texts[] = {{Attr::kClientName, &options_.client_name},
                                                       {Attr::kClientVersion, &options_.client_version},
                                                       {Attr::kServerName, &options_.server_name},
                                                       {Attr::kServerVersion, &options_.server_version},
                                                       {Attr::kProtocolVersion, &options_.protocol_version},
                                                       {Attr::kClientProcess, &options_.client_process},
                                                       {Attr::kCommand, &options_.command}};
  for (const auto& [key, text] : texts) {
    if (!text->empty()) span_.add(key, std::string_view(*text));
  }
  span_.add(Attr::kEra, "legacy");
  if (!options_.previous.span_id.is_zero()) span_.links.push_back(options_.previous);
  if (!ended) return;
  span_.add(Attr::kCalls, calls_);
  for (const auto& [outcome, key] : trace::kOutcomeCounts) {
    if (const auto count = outcomes_[static_cast<std::size_t>(outcome)]; count != 0) span_.add(key, count);
  }
  span_.add(Attr::kRequests, requests_);
  span_.add(Attr::kNotifications, notifications_);
  span_.add(Attr::kErrors, errors_);
  for (const auto& [key, value] : extra) span_.add(key, value);
  if (options_.error_type.empty()) return;
  span_.status = trace::StatusCode::kError;
  span_.add(Attr::kErrorType, std::string_view(options_.error_type));
}

void Sample::emit(RecordType type, std::uint16_t flags, trace::Operation operation) {
  trace::SpanHeader header = trace::header_of(span_);
  header.operation = operation;
  header.flags = flags | options_.flags;
  header.session_print = header.has(trace::kStarting) ? 0 : options_.print;
  header.resource = 1;
  payload_.clear();
  if (type == RecordType::kSessionClose && !options_.close_tells) {
    otlp::append_header(header, payload_);
  } else {
    otlp::encode_record(header, span_, trace::Naming::kBoth, payload_);
  }
  sink_(type, otlp::spool_tag(span_.trace_id), payload_);
}

void Sample::open() {
  resource();
  fill_root({}, false);
  emit(RecordType::kSessionOpen, trace::kRootSpan, trace::Operation::kNone);
}

void Sample::add_the_rest(const SampleCall& call, std::string_view session) {
  constexpr std::int64_t kFewest = 80;
  request_id_ = std::to_string(requests_ + 1);
  if (!call.tool.empty()) span_.add(Attr::kGenAiToolName, std::string_view(call.tool));
  span_.add(Attr::kGenAiOperationName, "execute_tool");
  span_.add(Attr::kSemconvSessionId, session);
  span_.add(Attr::kClientId, std::string_view(options_.client_name));
  span_.add(Attr::kEra, "legacy");
  span_.add(Attr::kProtocolVersion, std::string_view(options_.protocol_version));
  span_.add(Attr::kNetworkTransport, "pipe");
  span_.add(Attr::kRequestId, std::string_view(request_id_));
  span_.add(Attr::kInjected, "meta");
  span_.add(Attr::kRequestBytes, kFewest + static_cast<std::int64_t>(random_.u64() % 1000));
  span_.add(Attr::kResponseBytes, kFewest + static_cast<std::int64_t>(random_.u64() % 10'000));
}

SpanId Sample::call(std::string_view tool, Nanos at, Nanos duration, Outcome outcome) {
  SampleCall call;
  call.tool = tool;
  call.at = at;
  call.duration = duration;
  call.outcome = outcome;
  return this->call(call);
}

SpanId Sample::call(const SampleCall& call) {
  span_.clear();
  span_.trace_id = call.trace_id.is_zero() ? trace_id_ : call.trace_id;
  span_.span_id = call.span_id.is_zero() ? random_.span_id() : call.span_id;
  span_.parent_id = call.parent_id.is_zero() ? root_id_ : call.parent_id;
  span_.kind = trace::SpanKind::kServer;
  span_.start = options_.start + call.at;
  span_.duration = call.duration;
  span_.ended = !call.open;
  span_.outcome = call.open ? Outcome::kNone : call.outcome;
  span_.name = trace::span_name(call.method, trace::Naming::kBoth, call.tool, name_);
  const std::string session = id();
  const trace::Operation operation = trace::operation_of(call.method);
  span_.add(Attr::kSessionId, std::string_view(session));
  if (operation != trace::Operation::kNone) span_.add(Attr::kOperation, trace::operation_text(operation));
  span_.add(Attr::kMethodName, mcp::method_text(call.method));
  if (!call.tool.empty()) span_.add(Attr::kToolName, std::string_view(call.tool));
  if (!call.open) span_.add(Attr::kOutcome, trace::outcome_text(call.outcome));
  if (options_.whole_calls) add_the_rest(call, session);
  if (call.code != 0) span_.add(Attr::kErrorCode, call.code);
  if (call.status != 0) span_.add(Attr::kHttpStatusCode, call.status);
  if (!call.auth_scheme.empty()) {
    span_.events.push_back({span_.start, "mcp.auth.challenge", {{Attr::kAuthScheme, call.auth_scheme}}});
  }
  for (const mcp::Finding finding : call.findings) {
    const std::string_view key = trace::attr_key(Attr::kFinding);
    span_.events.push_back({span_.start, key, {{Attr::kFinding, trace::finding_code(finding)}}});
  }
  const bool error = !call.open && trace::outcome_is_error(call.outcome);
  if (error) {
    span_.status = trace::StatusCode::kError;
    span_.add(Attr::kErrorType, trace::outcome_text(call.outcome));
  }
  if (!call.open) {
    ++requests_;
    errors_ += error;
    if (call.method == mcp::Method::kToolsCall) ++calls_, ++outcomes_[static_cast<std::size_t>(call.outcome)];
  }
  emit(call.open ? RecordType::kCallOpen : RecordType::kSpan, call.flags, operation);
  return span_.span_id;
}

void Sample::initialize(Nanos at, Nanos duration) {
  SampleCall call;
  call.method = mcp::Method::kInitialize;
  call.at = at;
  call.duration = duration;
  this->call(call);
}

void Sample::log(const SpanId& call, Nanos at, std::uint16_t flags) {
  trace::SpanHeader header;
  header.trace_id = trace_id_;
  header.span_id = call;
  header.start = options_.start + at;
  header.session_print = options_.print;
  header.operation = trace::Operation::kToolCall;
  header.flags = flags | options_.flags;
  header.resource = 1;
  payload_.clear();
  otlp::append_header(header, payload_);
  payload_ += "the log of " + call.hex();
  sink_(RecordType::kLog, otlp::spool_tag(trace_id_), payload_);
}

void Sample::root(Nanos at) {
  fill_root(at, true);
  emit(RecordType::kSpan, trace::kRootSpan, trace::Operation::kNone);
}

void Sample::close(Nanos at) {
  root(at);
  emit(RecordType::kSessionClose, trace::kRootSpan, trace::Operation::kNone);
}

}  // namespace mcptrace::ledger
