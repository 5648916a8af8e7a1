#include "query/follow.h"

#include <utility>

namespace mcptrace::query {
namespace {

SpanSelection selection_of(const SessionKey& session, std::vector<TraceId> traces) {
  SpanSelection selection;
  selection.session_print = session.print;
  if (session.print == 0) selection.traces = std::move(traces);
  return selection;
}

}  // namespace

Follower::Follower(SessionKey session, std::vector<TraceId> traces, std::function<void(const TraceSpan&)> on_span)
    : key_(session), on_span_(std::move(on_span)), spans_(selection_of(session, std::move(traces))) {
  catalog_.begin_counting({session});
}

void Follower::begin_file(std::uint32_t number, bool locked, Nanos modified) {
  file_ = number;
  catalog_.begin_file(number, locked, modified);
  spans_.begin_file(number, locked);
}

void Follower::add(const spool::Record& record) {
  catalog_.add(record);
  if (catalog_.is_withdrawn(key_)) go_on_elsewhere();
  catalog_.count(record);
  const auto place = spans_.add(record);
  if (place && !spans_.spans()[*place].is_root()) on_span_(spans_.spans()[*place]);
}

// The session proved to be another one, of which nothing was said before that.
void Follower::go_on_elsewhere() {
  const Session* const session = catalog_.moved_to(key_);
  if (session == nullptr) return;
  key_ = session->key;
  catalog_.begin_counting({key_});
  spans_ = SpanSet(selection_of(key_, {}));
  spans_.begin_file(file_, true);  // what is open is not asked for
}

bool Follower::over() {
  catalog_.settle();
  const Session* session = catalog_.find(key_);
  if (session == nullptr) return !catalog_.is_withdrawn(key_) || !catalog_.any_locked();
  return session->state != State::kOpen;
}

std::optional<Session> Follower::finish() && {
  if (catalog_.find(key_) == nullptr) return std::nullopt;
  catalog_.end_counting(true);
  catalog_.settle();
  return *catalog_.find(key_);
}

}  // namespace mcptrace::query
