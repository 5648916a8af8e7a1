#include "query/span_set.h"

#include <algorithm>

#include "otlp/encode.h"
#include "query/text.h"

namespace mcptrace::query {
namespace {

using spool::RecordType;
using trace::Outcome;

constexpr std::uint32_t kNoResource = ~0u;

// An ended span says more than an open one; of two alike the later, of two equally late ones the fuller.
bool says_more(const TraceSpan& a, const TraceSpan& b) {
  if (a.ending != b.ending) return a.ending == Ending::kEnded;
  if (a.end() != b.end()) return a.end() > b.end();
  return a.bytes.size() > b.bytes.size();
}

// Roots of equal ids: the earliest start, the latest end.
void widen(trace::SpanHeader& header, const trace::SpanHeader& other) {
  const Nanos end = std::max(add(header.start, header.duration), add(other.start, other.duration));
  header.start = std::min(header.start, other.start);
  header.duration = subtract(end, header.start);
}

}  // namespace

bool SpanSet::wants(const trace::SpanHeader& header) const {
  if (selection_.withdrawn.contains(session_key(header))) return false;
  if (selection_.session_print != 0 && header.session_print == selection_.session_print) return true;
  return std::ranges::find(selection_.traces, header.trace_id) != selection_.traces.end();
}

std::uint32_t SpanSet::resource_index(std::uint32_t number) const {
  const auto it = resources_of_file_->find(number);
  return it == resources_of_file_->end() ? kNoResource : it->second;
}

std::optional<std::size_t> SpanSet::add(const spool::Record& record) {
  if (record.type == RecordType::kResource) {
    std::uint32_t number = 0;
    std::string_view bytes;
    if (!otlp::split_resource_record(record.payload, number, bytes)) return std::nullopt;
    if (auto resource = otlp::decode_resource(bytes)) {
      (*resources_of_file_)[number] = static_cast<std::uint32_t>(resources_.size());
      resources_.push_back(*std::move(resource));
    }
    return std::nullopt;
  }
  TraceSpan span;
  std::string_view bytes;
  if (!otlp::split_record(record.payload, span.header, bytes) || !wants(span.header)) return std::nullopt;
  if (bytes.empty()) return std::nullopt;  // a close that repeats nothing
  span.header.duration = std::max(span.header.duration, trace::kShortest);
  if (record.type == RecordType::kSessionOpen || record.type == RecordType::kSessionClose) {
    span.header.flags |= trace::kRootSpan;
  }
  const bool open = record.type == RecordType::kSessionOpen || record.type == RecordType::kCallOpen;
  span.ending = open ? Ending::kRunning : Ending::kEnded;
  span.resource = resource_index(span.header.resource);
  const auto [it, fresh] = index_.try_emplace(span.key(), spans_.size());
  if (open && held_) open_in_held_.insert(it->second);
  if (fresh) {
    if (spans_.size() >= selection_.limit) {
      index_.erase(it);
      ++left_out_;
      return std::nullopt;
    }
    span.bytes = bytes;
    spans_.push_back(std::move(span));
    return open ? std::nullopt : std::optional(it->second);
  }
  TraceSpan& known = spans_[it->second];
  const bool was_open = known.ending != Ending::kEnded;
  span.bytes = bytes;
  if (span.is_root()) widen(span.header, known.header);
  if (!says_more(span, known)) {
    if (known.is_root()) widen(known.header, span.header);
    return std::nullopt;
  }
  known = std::move(span);
  return was_open && !open ? std::optional(it->second) : std::nullopt;
}

void SpanSet::end_open_span(TraceSpan& span, Nanos last) {
  span.ending = Ending::kUnknown;
  span.header.duration = std::max(subtract(last, span.header.start), trace::kShortest);
  otlp::SpanEnd end;
  end.end = span.end();
  end.end_unknown = true;
  if (!span.is_root()) {
    const bool standing = (span.header.flags & trace::kStanding) != 0;
    const bool derived = (span.header.flags & trace::kDerivedIds) != 0;
    end.outcome = standing ? Outcome::kOk : derived ? Outcome::kUnobserved : Outcome::kAbandoned;
    if (end.outcome == Outcome::kAbandoned) {
      end.error_type = "killed";
      end.status_message = trace::outcome_text(end.outcome);
      span.header.status = trace::StatusCode::kError;
    } else if (end.outcome == Outcome::kUnobserved) {
      end.unobserved = "killed";
    }
  }
  span.header.outcome = end.outcome;
  otlp::append_end(end, span.bytes);
}

TraceView SpanSet::finish(std::optional<Session> session, Nanos now) && {
  Nanos last = session ? session->end : Nanos(0);
  for (const TraceSpan& span : spans_) last = std::max(last, span.end());
  for (std::size_t i = 0; i < spans_.size(); ++i) {
    TraceSpan& span = spans_[i];
    if (span.ending != Ending::kRunning) continue;
    if (open_in_held_.contains(i)) {
      span.header.duration = std::max(subtract(now, span.header.start), trace::kShortest);
    } else {
      end_open_span(span, last);
    }
  }
  std::ranges::sort(spans_, [](const TraceSpan& a, const TraceSpan& b) {
    if (a.header.start != b.header.start) return a.header.start < b.header.start;
    return a.key() < b.key();
  });
  resources_.emplace_back();  // of spans whose resource is not known
  for (TraceSpan& span : spans_) {
    if (span.resource == kNoResource) span.resource = static_cast<std::uint32_t>(resources_.size() - 1);
  }
  return {std::move(session), std::move(resources_), std::move(spans_), left_out_};
}

}  // namespace mcptrace::query
