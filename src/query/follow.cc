#include "query/follow.h"

#include <utility>

namespace mcptrace::query {
namespace {

SpanSelection selection_of(const SessionKey& session, std::vector<TraceId> traces) {
  return {.session = session, .traces = session.print == 0 ? std::move(traces) : std::vector<TraceId>()};
}

}  // namespace

Follower::Follower(SessionKey session, std::vector<TraceId> traces, std::function<void(const TraceSpan&)> on_span)
    : key_(session), on_span_(std::move(on_span)), spans_(selection_of(session, std::move(traces))) {
  ledger_.begin_counting({session});
}

void Follower::add(const spool::Record& record) {
  const auto entry = ledger_.read(record);
  if (!entry) return;
  ledger_.add(*entry);
  // It was starting: this is the session that it proved to be.
  if (const SessionKey* const now = ledger_.started_as(key_)) {
    key_ = *now;
    ledger_.begin_counting({key_});
    spans_ = SpanSet(selection_of(key_, {entry->header.trace_id}));
  }
  ledger_.count(*entry);
  const auto place = spans_.add(*entry);
  if (place && !spans_.spans()[*place].is_root()) on_span_(spans_.spans()[*place]);
}

bool Follower::over() {
  ledger_.settle({});
  const Session* session = ledger_.find(key_);
  return session == nullptr || !session->live;
}

std::optional<Session> Follower::finish(Nanos now) && {
  if (ledger_.find(key_) == nullptr) return std::nullopt;
  ledger_.end_counting(true);
  ledger_.settle(now);
  return *ledger_.find(key_);
}

}  // namespace mcptrace::query
