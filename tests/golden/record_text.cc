#include "golden/record_text.h"

#include <cstdio>
#include <cstdlib>

#include "trace/testing.h"

namespace mcptrace::golden {
namespace {

std::string value_text(const trace::AttributeValue& value) {
  struct Visitor {
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(bool yes) const { return yes ? "true" : "false"; }
    std::string operator()(double number) const { return std::to_string(number); }
    std::string operator()(std::string_view text) const { return "\"" + std::string(text) + "\""; }
  };
  return std::visit(Visitor{}, value);
}

// To the microsecond, or where that is not all of it to the nanosecond.
std::string seconds(Nanos span) {
  const auto nanos = static_cast<long long>(span.count());
  const bool whole = nanos % 1000 == 0;
  char text[40];
  std::snprintf(text, sizeof(text), "%s%lld.%0*lld", nanos < 0 ? "-" : "", std::abs(nanos / 1'000'000'000),
                whole ? 6 : 9, std::abs(nanos % 1'000'000'000) / (whole ? 1000 : 1));
  return text;
}

std::string_view type_text(spool::RecordType type) {
  switch (type) {
    case spool::RecordType::kSessionOpen:
      return "session_open";
    case spool::RecordType::kCallOpen:
      return "call_open";
    case spool::RecordType::kSpan:
      return "span";
    case spool::RecordType::kSessionClose:
      return "session_close";
    case spool::RecordType::kResource:
    case spool::RecordType::kBlock:
    case spool::RecordType::kLog:
    case spool::RecordType::kCounters:
    case spool::RecordType::kDestination:
      break;
  }
  return "?";
}

}  // namespace

std::string TextSink::trace_name(const TraceId& id) {
  auto& name = traces_[id];
  if (name.empty()) name = std::string(1, static_cast<char>('A' + traces_.size() - 1));
  return name;
}

std::string TextSink::span_name(const SpanId& id) {
  auto& name = spans_[id];
  if (name.empty()) name = std::to_string(spans_.size());
  return name;
}

std::string TextSink::time(Nanos wall) const { return seconds(wall - start_); }

std::string TextSink::attributes(const std::vector<trace::Attribute>& list) const {
  std::string out;
  for (const trace::Attribute& attribute : list) {
    if (!trace::attr_in(attribute.key, naming_)) continue;
    out.append("    ")
        .append(trace::attr_key(attribute.key))
        .append("=")
        .append(value_text(attribute.value))
        .append("\n");
  }
  return out;
}

void TextSink::resource(std::span<const std::pair<std::string, std::string>> list) {
  text += "resource";
  for (const auto& [key, value] : list) text += " " + key + "=" + value;
  text += "\n";
}

void TextSink::record(spool::RecordType type, const trace::SpanHeader& header, const trace::SpanRecord& span) {
  text.append(type_text(type)).append(" ").append(span.name);
  text += " " + trace_name(span.trace_id) + span_name(span.span_id);
  if (!span.parent_id.is_zero()) text += " parent " + span_name(span.parent_id) + (span.parent_remote ? " remote" : "");
  text += span.kind == trace::SpanKind::kServer   ? " server"
          : span.kind == trace::SpanKind::kClient ? " client"
                                                  : " internal";
  text += " at " + time(span.start);
  text += span.ended ? " for " + seconds(span.duration) : std::string(" open");
  char flags[8];
  std::snprintf(flags, sizeof(flags), " %02x", span.flags);
  text += flags;
  if (!span.trace_state.empty()) text.append(" [").append(span.trace_state).append("]");
  if (header.flags & trace::kDerivedIds) text += " derived";
  if (header.flags & trace::kGuessedSession) text += " guessed";
  if (header.has(trace::kStarting)) text += " starting";
  if (header.has(trace::kStarted)) text += " started";
  if (header.has(trace::kEndUnseen)) text += " unseen";
  text += "\n";
  if (type == spool::RecordType::kSessionClose) return;
  if (span.status == trace::StatusCode::kError) text.append("  ERROR ").append(span.status_message).append("\n");
  text += attributes(trace::all_attributes(span));
  for (const trace::SpanEvent& event : span.events) {
    text.append("  event ").append(time(event.at)).append(" ").append(event.name).append("\n");
    text += attributes(event.attributes);
  }
  if (span.dropped_events != 0) text += "  events not kept: " + std::to_string(span.dropped_events) + "\n";
  for (const trace::SpanLink& link : span.links) {
    text.append("  link ")
        .append(link.relation)
        .append(" ")
        .append(trace_name(link.trace_id) + span_name(link.span_id))
        .append("\n");
  }
}

}  // namespace mcptrace::golden
