// A session as it goes on: records in, the spans that ended out. Pure; the shell (trace --follow) reads the files and
// says which of them are still held. One thread.
#pragma once

#include <functional>
#include <optional>

#include "ledger/ledger.h"
#include "query/model.h"
#include "query/span_set.h"

namespace mcptrace::query {

class Follower {
 public:
  // `on_span` is called for each span of the session that ended, in the order of its records, once; roots are not
  // calls.
  Follower(SessionKey session, std::vector<TraceId> traces, std::function<void(const TraceSpan&)> on_span);

  // Records follow that came to the file of that number since the last visit. `held`: it may get more.
  void begin_file(std::uint32_t number, bool held, Nanos modified) { ledger_.begin_file(number, held, modified); }
  void add(const spool::Record& record);

  // Nothing more is to come: it was closed, or nobody holds a file of it.
  [[nodiscard]] bool over();
  // The session as far as it went, with its counts; none if nothing is known of it. `now`: wall.
  std::optional<Session> finish(Nanos now) &&;

 private:
  SessionKey key_;
  std::function<void(const TraceSpan&)> on_span_;
  ledger::Ledger ledger_;
  SpanSet spans_;
};

}  // namespace mcptrace::query
