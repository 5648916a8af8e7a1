#include "query/export.h"

#include <charconv>
#include <cmath>
#include <map>
#include <utility>

#include "json/object.h"
#include "otlp/json.h"
#include "query/findings.h"
#include "query/text.h"
#include "trace/conventions.h"

namespace mcptrace::query {
namespace {

using json::append_list;
using trace::Outcome;

void append_number(std::string& out, std::int64_t value) { out += std::to_string(value); }

class Object : public json::Object {
 public:
  using json::Object::Object;
  void text(std::string_view name, std::string_view value) { json::append_quoted(key(name), value); }
  // Left out where it is not known.
  void text_if(std::string_view name, std::string_view value) {
    if (!value.empty()) text(name, value);
  }
  void number(std::string_view name, std::int64_t value) { append_number(key(name), value); }
  void boolean(std::string_view name, bool value) { key(name) += value ? "true" : "false"; }
};

void append_value(std::string& out, const otlp::Value& value, int depth);

void append_members(std::string& out, const std::vector<otlp::KeyValue>& members, int depth) {
  std::map<std::string_view, const otlp::Value*> last;
  for (const auto& [key, value] : members) last[key] = &value;
  Object object(out);
  for (const auto& [key, value] : last) append_value(object.foreign_key(key), *value, depth);
  object.end();
}

void append_double(std::string& out, double value) {
  char digits[40];
  if (!std::isfinite(value)) {
    out += "null";
  } else {
    out.append(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr);
  }
}

void append_value(std::string& out, const otlp::Value& value, int depth) {
  static constexpr int kDeepest = 32;
  if (const auto* text = value.string()) return json::append_quoted(out, *text);
  if (const auto* integer = value.integer()) return append_number(out, *integer);
  if (const auto* boolean = std::get_if<bool>(&value.v)) {
    out += *boolean ? "true" : "false";
  } else if (const auto* number = std::get_if<double>(&value.v)) {
    append_double(out, *number);
  } else if (const auto* list = std::get_if<std::vector<otlp::Value>>(&value.v); list != nullptr && depth < kDeepest) {
    append_list(out, *list, [depth](std::string& to, const otlp::Value& item) { append_value(to, item, depth + 1); });
  } else if (const auto* map = std::get_if<std::vector<otlp::KeyValue>>(&value.v); map != nullptr && depth < kDeepest) {
    append_members(out, *map, depth + 1);
  } else if (const auto* bytes = std::get_if<otlp::Bytes>(&value.v)) {
    json::append_quoted(out, to_hex({reinterpret_cast<const std::uint8_t*>(bytes->bytes.data()), bytes->bytes.size()}));
  } else {
    out += "null";
  }
}

void append_counts(std::string& out, const Session& session) {
  const Counts& counts = session.counts;
  Object object(out);
  object.number("calls", counts.calls);
  object.number("errors", counts.errors);
  const std::pair<std::string_view, std::int64_t> of_roots[] = {{"requests", counts.requests},
                                                                {"notifications", counts.notifications},
                                                                {"dropped", counts.dropped},
                                                                {"not_json_lines", counts.not_json_lines},
                                                                {"not_json_bytes", counts.not_json_bytes}};
  for (const auto& [name, count] : of_roots) {
    if (session.of_roots) {
      object.number(name, count);
    } else {
      object.key(name) += "null";
    }
  }
  Object outcomes(object.key("outcomes"));
  for (std::size_t i = 1; i < kOutcomes; ++i) {
    const auto outcome = static_cast<Outcome>(i);
    if (counts.of(outcome) != 0) outcomes.number(trace::outcome_text(outcome), counts.of(outcome));
  }
  outcomes.end();
  object.boolean("at_least", session.at_least);
  object.end();
}

void append_finding_count(std::string& out, const FindingCount& counted) {
  Object object(out);
  object.text("code", trace::finding_code(counted.first));
  object.text("severity", trace::severity_text(counted.first));
  object.number("count", counted.second);
  object.end();
}

void append_stretch(std::string& out, const Stretch& stretch) {
  Object object(out);
  object.text("trace_id", stretch.root.trace_id.hex());
  object.text("root_span_id", stretch.root.span_id.hex());
  object.text("start", format_utc(stretch.start));
  object.end();
}

void append_session(std::string& out, const Session& session) {
  Object object(out);
  object.text_if("id", session.id);
  object.text("state", state_text(session.state));
  object.text_if("failure", failure_text(session.failure));
  if (session.failure == Failure::kNeedsSignIn) object.text_if("auth_scheme", session.course.auth_scheme);
  object.text("class", session.kind == Class::kProbe ? "probe" : "agent");
  object.text_if("error_type", session.error_type());
  object.text_if("service", session.service);
  object.text_if("client_name", session.client_name);
  object.text_if("client_version", session.client_version);
  object.text_if("server_name", session.server_name);
  object.text_if("server_version", session.server_version);
  object.text_if("era", session.era);
  object.text_if("protocol_version", session.protocol_version);
  object.text_if("transport", session.transport);
  object.text_if("client_process", session.client_process);
  object.boolean("guessed", session.guessed);
  object.text("start", format_utc(session.start));
  if (session.state != State::kOpen) {
    object.text("end", format_utc(session.end));
    object.number("duration_ns", subtract(session.end, session.start).count());
  }
  if (session.exit_status) object.number("server_exit_status", *session.exit_status);
  if (session.exit_signal) object.number("server_signal", *session.exit_signal);
  if (session.counted) {
    append_counts(object.key("counts"), session);
  } else {
    object.key("counts") += "null";
  }
  if (session.of_roots || !session.counts.findings.empty()) {
    append_list(object.key("findings"), worst_first(session.counts), append_finding_count);
  } else {
    object.key("findings") += "null";
  }
  append_list(object.key("stretches"), session.stretches, append_stretch);
  object.end();
}

void append_event(std::string& out, const otlp::Event& event) {
  Object object(out);
  object.text("name", event.name);
  object.text("at", format_utc(event.at));
  append_members(object.key("attributes"), event.attributes, 0);
  object.end();
}

void append_finding(std::string& out, const NotedFinding& noted) {
  Object object(out);
  object.text("code", trace::finding_code(noted.finding));
  object.text("severity", trace::severity_text(noted.finding));
  object.text("at", format_utc(noted.at));
  object.end();
}

void append_link(std::string& out, const otlp::Link& link) {
  Object object(out);
  object.text("trace_id", link.trace_id.hex());
  object.text("span_id", link.span_id.hex());
  append_members(object.key("attributes"), link.attributes, 0);
  object.end();
}

void append_span(std::string& out, const TraceSpan& span) {
  static constexpr std::string_view kEndings[] = {"ended", "running", "unknown"};
  Object object(out);
  object.text("trace_id", span.header.trace_id.hex());
  object.text("span_id", span.header.span_id.hex());
  if (!span.header.parent_id.is_zero()) object.text("parent_id", span.header.parent_id.hex());
  const auto decoded = otlp::decode_span(span.bytes);
  if (decoded) object.text("name", decoded->name);
  object.boolean("root", span.is_root());
  object.text_if("operation", trace::operation_text(span.header.operation));
  object.text_if("outcome", trace::outcome_text(span.header.outcome));
  object.boolean("error", span.header.status == trace::StatusCode::kError);
  object.text("ending", kEndings[static_cast<std::size_t>(span.ending)]);
  object.text("start", format_utc(span.header.start));
  object.number("start_ns", span.header.start.count());
  object.number("duration_ns", span.header.duration.count());
  if (decoded) {
    object.text_if("status_message", decoded->status_message);
    append_members(object.key("attributes"), decoded->attributes, 0);
    append_list(object.key("findings"), findings_on(*decoded), append_finding);
    append_list(object.key("events"), decoded->events, append_event);
    append_list(object.key("links"), decoded->links, append_link);
  }
  object.end();
}

void append_lost(std::string& out, const Skips::Numbers& lost) {
  Object object(out);
  object.number("messages", static_cast<std::int64_t>(lost.messages));
  object.number("records", static_cast<std::int64_t>(lost.records));
  object.number("deleted_files", static_cast<std::int64_t>(lost.deleted_files));
  object.number("damaged_places", static_cast<std::int64_t>(lost.damaged_places));
  object.number("unsupported", static_cast<std::int64_t>(lost.unsupported));
  object.end();
}

}  // namespace

std::string sessions_json(const std::vector<Session>& sessions, bool more, const Skips::Numbers& lost) {
  std::string out;
  Object object(out);
  append_list(object.key("sessions"), sessions, append_session);
  object.boolean("more", more);
  append_lost(object.key("lost"), lost);
  object.end();
  return display_json(out) + "\n";
}

std::string trace_json(const TraceView& view) {
  std::string out;
  Object object(out);
  if (view.session) {
    append_session(object.key("session"), *view.session);
  } else {
    object.key("session") += "null";
  }
  append_list(object.key("spans"), view.spans, append_span);
  object.number("left_out", static_cast<std::int64_t>(view.left_out));
  object.end();
  return display_json(out) + "\n";
}

std::string span_json(const TraceSpan& span) {
  std::string out;
  Object object(out);
  append_span(object.key("span"), span);
  object.end();
  return display_json(out) + "\n";
}

std::string session_json(const Session& session) {
  std::string out;
  Object object(out);
  append_session(object.key("session"), session);
  object.end();
  return display_json(out) + "\n";
}

std::string trace_otlp(const TraceView& view, std::string_view version) {
  // Trace -> resource -> spans; traces in the order of their first span.
  std::vector<TraceId> order;
  std::map<TraceId, std::map<std::uint32_t, std::vector<otlp::Span>>> traces;
  for (const TraceSpan& span : view.spans) {
    auto decoded = otlp::decode_span(span.bytes);
    if (!decoded) continue;
    decoded->start = span.header.start;
    decoded->end = span.ending == Ending::kRunning ? Nanos(0) : span.end();
    if (!traces.contains(span.header.trace_id)) order.push_back(span.header.trace_id);
    traces[span.header.trace_id][span.resource].push_back(*std::move(decoded));
  }
  std::string out;
  for (const TraceId& trace_id : order) {
    otlp::TracesData data;
    for (auto& [resource, spans] : traces[trace_id]) {
      otlp::ResourceSpans& of_resource = data.resources.emplace_back();
      of_resource.resource = view.resources[resource];
      of_resource.schema_url = trace::kSchemaUrl;
      otlp::ScopeSpans& scope = of_resource.scopes.emplace_back();
      scope.scope.name = trace::kScopeName;
      scope.scope.version = version;
      scope.schema_url = trace::kSchemaUrl;
      scope.spans = std::move(spans);
    }
    std::string line;
    otlp::append_json(data, line);
    out += display_json(line) + "\n";
  }
  return out;
}

}  // namespace mcptrace::query
