#include "query/follow.h"

#include <utility>

namespace mcptrace::query {

Follower::Follower(SessionKey session, std::vector<TraceId> traces, std::function<void(const TraceSpan&)> on_span)
    : key_(session), on_span_(std::move(on_span)), spans_([&] {
        SpanSelection selection;
        selection.session_print = session.print;
        if (session.print == 0) selection.traces = std::move(traces);
        return selection;
      }()) {
  catalog_.begin_counting({session});
}

void Follower::begin_file(std::uint32_t number, bool locked, Nanos modified) {
  catalog_.begin_file(number, locked, modified);
  spans_.begin_file(number);
}

void Follower::add(const spool::Record& record) {
  catalog_.add(record);
  catalog_.count(record);
  const auto place = spans_.add(record);
  if (place && !spans_.spans()[*place].is_root()) on_span_(spans_.spans()[*place]);
}

bool Follower::over() {
  catalog_.settle();
  const Session* session = catalog_.find(key_);
  return session == nullptr || session->state != State::kOpen;
}

Session Follower::finish() && {
  if (catalog_.find(key_) == nullptr) {
    Session unknown;
    unknown.key = key_;
    return unknown;
  }
  catalog_.end_counting(true);
  catalog_.settle();
  return *catalog_.find(key_);
}

}  // namespace mcptrace::query
