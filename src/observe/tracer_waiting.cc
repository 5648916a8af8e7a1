// The tracer's initializes over HTTP that wait for their answers, which tell their sessions. Until then each stands in
// a session of its own, which is written if that takes long, and withdrawn when the answer has told another.
#include "observe/tracer.h"

namespace mcptrace::observe {
namespace {

using mcp::CallContext;
using mcp::Fact;
using mcp::OpenCall;
using spool::RecordType;

constexpr std::size_t kMostWords = (1u << 20) / sizeof(std::uint64_t);

Session own_session(const Fact& fact) {
  Session session(fact.context, fact.http->began);
  session.begin(fact.http->began);
  session.touch(fact.at);
  session.route = fact.http->route;
  session.learn_client(fact.message);
  return session;
}

}  // namespace

// Where there are too many, the next ones are not shown before they are answered.
void Tracer::wait_for_session(const Fact& fact) {
  const std::size_t words = (mcp::packed_size(fact) + 7) / 8;
  if (waiting_words_ + words > kMostWords || waiting_.contains(fact.http->exchange)) return;
  Waiting waiting{.fact = std::vector<std::uint64_t>(words), .since = fact.at.boot};
  mcp::pack(fact, reinterpret_cast<char*>(waiting.fact.data()));
  waiting_.emplace(fact.http->exchange, std::move(waiting));
  waiting_words_ += words;
  next_waiting_ = std::min(next_waiting_, fact.at.boot + kReportOpenAfter);
}

// `place`: where it proved to belong; empty: nobody knows.
void Tracer::end_waiting(std::uint64_t exchange, const CallContext& place) {
  const auto found = waiting_.find(exchange);
  if (found == waiting_.end()) return;
  const Fact fact = found->second.told();
  if (found->second.reported && fact.context.session != place.session) withdraw(fact, place);
  waiting_words_ -= found->second.fact.size();
  waiting_.erase(found);
}

void Tracer::report_waiting(Nanos now) {
  if (now < next_waiting_) return;
  next_waiting_ = Nanos::max();
  for (auto& [serial, waiting] : waiting_) {
    if (waiting.reported) continue;
    const Nanos due = waiting.since + kReportOpenAfter;
    waiting.reported = due <= now;
    if (waiting.reported) {
      write_waiting(waiting.told(), now);
    } else {
      next_waiting_ = std::min(next_waiting_, due);
    }
  }
}

void Tracer::write_waiting(const Fact& fact, Nanos at_boot) {
  Session session = own_session(fact);
  write_root(session, RecordType::kSessionOpen);
  OpenCall call;
  mcp::ExchangeTable::describe(fact, call);
  call.caller_links = fact.http->links;
  call.caller_link_count = fact.http->link_count;
  if (const HttpExchange* exchange = exchanges_.find(fact.http->exchange)) call.exchange = exchange->index;
  write_call_open(call, session, at_boot);
}

void Tracer::write_all_waiting() {
  for (const auto& [serial, waiting] : waiting_) {
    if (waiting.reported) write_waiting(waiting.told(), last_seen_);
  }
}

// Those whose answer may have been dropped, as with calls.
void Tracer::give_up_waiting(Nanos now) {
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    const auto& [serial, waiting] = *it++;
    if (waiting.since > last_dropped_) continue;
    if (waiting.since + kGiveUpAfter <= now) {
      end_waiting(serial, {});
    } else {
      next_give_up_ = std::min(next_give_up_, waiting.since + kGiveUpAfter);
    }
  }
}

void Tracer::withdraw(const Fact& fact, const CallContext& place) {
  Session session = own_session(fact);
  session.build_root(style_, true, span_);
  if (place.session != 0) span_.links.push_back({place.root_trace_id, place.root_span_id, 0, {}, "session"});
  emit(RecordType::kSessionClose, session, nullptr, trace::kRootSpan | trace::kWithdrawn);
}

}  // namespace mcptrace::observe
