// The spans of one session, or of one trace, out of the spool's records: each once, the open ones completed. Pure; one
// thread.
//
//   SpanSet spans({.session = key, .traces = {…}});
//   spans.begin_file(0); while (auto record = reader.next()) spans.add(*record);
//   TraceView view = std::move(spans).finish(session, now);
#pragma once

#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "query/catalog.h"
#include "query/model.h"
#include "spool/record.h"

namespace mcptrace::query {

// What belongs: everything with the session's print, and everything in the traces.
struct SpanSelection {
  std::uint64_t session_print = 0;  // zero: by trace only
  std::vector<TraceId> traces;
  std::set<SessionKey> withdrawn;  // their records are left out: they are told elsewhere
  std::size_t limit = 500'000;     // spans held; more are counted
};

class SpanSet {
 public:
  explicit SpanSet(SpanSelection selection) : selection_(std::move(selection)) {}

  // Records of that file follow: each has its own numbers for resources.
  // `held`: a living process writes to it.
  void begin_file(std::uint32_t number, bool held) {
    resources_of_file_ = &files_[number];
    held_ = held;
  }
  // An ended span that was not there before (its place in spans()); nothing for all else.
  std::optional<std::size_t> add(const spool::Record& record);

  [[nodiscard]] const std::vector<TraceSpan>& spans() const { return spans_; }
  [[nodiscard]] const std::vector<otlp::Resource>& resources() const { return resources_; }

  // Semantics.md 7: calls and roots that have no end run on where the session is open; else they ended, as far as
  // anybody knows, with the last record of it. `session`: none for a trace of which we know a part.
  TraceView finish(std::optional<Session> session, Nanos now) &&;

 private:
  [[nodiscard]] bool wants(const trace::SpanHeader& header) const;
  std::uint32_t resource_index(std::uint32_t number) const;
  static void end_open_span(TraceSpan& span, Nanos last);

  SpanSelection selection_;
  std::vector<TraceSpan> spans_;
  std::vector<otlp::Resource> resources_;
  using Numbers = std::unordered_map<std::uint32_t, std::uint32_t>;
  std::map<std::uint32_t, Numbers> files_;
  Numbers* resources_of_file_ = nullptr;
  std::unordered_map<SpanKey, std::size_t, SpanKeyHash> index_;
  bool held_ = false;
  std::unordered_set<std::size_t> open_in_held_;  // places of spans that are open in such a file
  std::uint64_t left_out_ = 0;
};

}  // namespace mcptrace::query
