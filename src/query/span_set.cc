#include "query/span_set.h"

#include <algorithm>

#include "ledger/killed.h"
#include "query/findings.h"

namespace mcptrace::query {
namespace {

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

bool SpanSet::wants(const ledger::Entry& entry) const {
  if (selection_.session && entry.session == *selection_.session) return true;
  return std::ranges::find(selection_.traces, entry.header.trace_id) != selection_.traces.end();
}

std::optional<std::size_t> SpanSet::add(const ledger::Entry& entry) {
  if (entry.bytes.empty() || !entry.is_span() || !wants(entry)) return std::nullopt;
  TraceSpan span;
  span.header = entry.header;
  span.header.duration = std::max(span.header.duration, trace::kShortest);
  if (entry.is_root()) span.header.flags |= trace::kRootSpan;
  const bool open = entry.is_open();
  span.ending = open ? Ending::kRunning : Ending::kEnded;
  span.resource = entry.resource;
  const auto [it, fresh] = index_.try_emplace(span.key(), spans_.size());
  if (open && entry.held) open_in_held_.insert(it->second);
  if (fresh) {
    if (spans_.size() >= selection_.limit) {
      index_.erase(it);
      ++left_out_;
      return std::nullopt;
    }
    span.bytes = entry.bytes;
    spans_.push_back(std::move(span));
    return open ? std::nullopt : std::optional(it->second);
  }
  TraceSpan& known = spans_[it->second];
  const bool was_open = known.ending != Ending::kEnded;
  span.bytes = entry.bytes;
  if (span.is_root()) widen(span.header, known.header);
  if (!says_more(span, known)) {
    if (known.is_root()) widen(known.header, span.header);
    return std::nullopt;
  }
  known = std::move(span);
  return was_open && !open ? std::optional(it->second) : std::nullopt;
}

void SpanSet::add_missing_root() {
  if (!selection_.session || !selection_.session->starting || spans_.size() != 1) return;
  const TraceSpan& initialize = spans_.front();
  if (initialize.ending != Ending::kRunning) return;
  auto root = ledger::missing_root(initialize.header);
  if (!root) return;
  if (open_in_held_.contains(0)) open_in_held_.insert(1);
  spans_.push_back({root->header, std::move(root->bytes), initialize.resource, Ending::kRunning});
}

void SpanSet::count_findings(Session& session) const {
  for (const TraceSpan& span : spans_) {
    if (span.bytes.find(trace::attr_key(trace::Attr::kFinding)) == std::string::npos) continue;
    const auto decoded = otlp::decode_span(span.bytes);
    if (!decoded) continue;
    for (const NotedFinding& noted : findings_on(*decoded)) ++session.counts.findings[noted.finding];
  }
}

TraceView SpanSet::finish(std::optional<Session> session, std::vector<otlp::Resource> resources, Nanos now) && {
  add_missing_root();
  Nanos last = session ? session->end : Nanos(0);
  for (const TraceSpan& span : spans_) last = std::max(last, span.end());
  for (std::size_t i = 0; i < spans_.size(); ++i) {
    TraceSpan& span = spans_[i];
    if (span.ending != Ending::kRunning) continue;
    if (open_in_held_.contains(i)) {
      const bool rests = span.is_root() && session && session->state == State::kIdle;
      span.header.duration = std::max(subtract(rests ? session->end : now, span.header.start), trace::kShortest);
    } else {
      span.ending = Ending::kUnknown;
      ledger::end_killed(span.header, span.bytes, last);
    }
  }
  if (session && !session->of_roots) count_findings(*session);
  std::ranges::sort(spans_, [](const TraceSpan& a, const TraceSpan& b) {
    if (a.header.start != b.header.start) return a.header.start < b.header.start;
    return a.key() < b.key();
  });
  resources.emplace_back();  // of spans whose resource is not known
  for (TraceSpan& span : spans_) {
    if (span.resource == ledger::kNoResource) span.resource = static_cast<std::uint32_t>(resources.size() - 1);
  }
  return {std::move(session), std::move(resources), std::move(spans_), left_out_};
}

}  // namespace mcptrace::query
