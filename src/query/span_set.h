// The spans of one session, or of one trace, out of the ledger's entries: each once, the open ones completed. Pure; one
// thread.
//
//   SpanSet spans({.session = key, .traces = {…}});
//   while (auto entry = …) spans.add(*entry);
//   TraceView view = std::move(spans).finish(session, entries.resources(), now);
#pragma once

#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "ledger/entry.h"
#include "query/model.h"

namespace mcptrace::query {

// What belongs: everything of the session, and everything in the traces.
struct SpanSelection {
  std::optional<SessionKey> session;
  std::vector<TraceId> traces;
  std::size_t limit = 500'000;  // spans held; more are counted
};

class SpanSet {
 public:
  explicit SpanSet(SpanSelection selection) : selection_(std::move(selection)) {}

  // An ended span that was not there before (its place in spans()); nothing for all else.
  std::optional<std::size_t> add(const ledger::Entry& entry);

  [[nodiscard]] const std::vector<TraceSpan>& spans() const { return spans_; }

  // Calls and roots that have no end run on where a living process holds them, an idle root no further than its last
  // message; else they ended, as far as anybody knows, with the last record. Where no root tells of findings, those of
  // spans are counted. `session`: none for a trace of which we know a part.
  TraceView finish(std::optional<Session> session, std::vector<otlp::Resource> resources, Nanos now) &&;

 private:
  [[nodiscard]] bool wants(const ledger::Entry& entry) const;
  void add_missing_root();
  void count_findings(Session& session) const;

  SpanSelection selection_;
  std::vector<TraceSpan> spans_;
  std::unordered_map<SpanKey, std::size_t, SpanKeyHash> index_;
  std::unordered_set<std::size_t> open_in_held_;  // places of spans that are open in a file that is held
  std::uint64_t left_out_ = 0;
};

}  // namespace mcptrace::query
