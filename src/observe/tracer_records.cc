// The tracer's records: what it writes, and when nothing happens.
#include <algorithm>
#include <utility>

#include "observe/tracer.h"

namespace mcptrace::observe {
namespace {

using mcp::OpenCall;
using spool::RecordType;
using trace::Outcome;

constexpr std::size_t kMostKeptNames = 16384;  // of tools: beyond it, closed sessions forget theirs

}  // namespace

void Tracer::emit(RecordType type, const Session& session, const OpenCall* call, std::uint16_t header_flags) {
  trace::SpanHeader header = trace::header_of(span_);
  header.session_print = session.root.session_print;
  header.operation = call != nullptr ? trace::operation_of(call->method) : trace::Operation::kNone;
  header.flags = static_cast<std::uint16_t>(header_flags | (session.root.derived ? trace::kDerivedIds : 0) |
                                            (session.text.guessed ? trace::kGuessedSession : 0));
  const bool own = call != nullptr && call->context.randomness != 0;
  header.randomness = own ? call->context.randomness : trace::randomness_of(span_.trace_state, span_.trace_id);
  use_route(session.route);
  sink_.record(type, header, span_);
}

void Tracer::write_root(Session& session, RecordType type) {
  // Whose they were nobody knows: of all sessions that there were then.
  if (over_http()) session.lost = lost_.since(session.lost_before);
  session.build_root(style_, type != RecordType::kSessionOpen, span_);
  emit(type, session, nullptr, trace::kRootSpan);
}

void Tracer::open_session(Session& session) {
  session.closed = false;
  ++open_sessions_;
  look_at_gap(session);
  write_root(session, RecordType::kSessionOpen);
}

void Tracer::close_session(Session& session) {
  if (session.closed) return;
  session.closed = true;
  --open_sessions_;
  session.ending = false;
  // It may go on: then it knows its tools if there are not too many sessions that do.
  if (declared_of_sessions_ > kMostKeptNames) forget_declared(session);
  write_root(session, RecordType::kSpan);
  write_root(session, RecordType::kSessionClose);
}

// Each record belongs to the resource that was given last.
void Tracer::use_route(std::uint16_t route) {
  if (route_ == route) return;
  route_ = route;
  std::vector<std::pair<std::string, std::string>> attributes = {
      {std::string(trace::kServiceName), options_.routes[place_of(route)].service_name},
      {std::string(trace::kServiceInstanceId), options_.instance_id},
  };
  attributes.insert(attributes.end(), options_.resource_attributes.begin(), options_.resource_attributes.end());
  sink_.resource(attributes);
}

// Its duration is what it has lasted so far: where its process dies, it ends there at the earliest.
void Tracer::write_call_open(const OpenCall& call, const Session& session, Nanos at_boot) {
  const bool declared = may_write_name(call, session);
  builder_.build_open(call, session.text, declared, span_, http_part(call));
  drop_missing_root(call);
  span_.duration = std::max(at_boot - call.start.boot, Nanos(0));
  emit(RecordType::kCallOpen, session, &call, header_flags_of(call));
}

void Tracer::write_open() {
  for (auto& [serial, session] : sessions_) {
    if (!session->closed) write_root(*session, RecordType::kSessionOpen);
  }
  for (OpenCall* call = calls_.oldest(); call != nullptr; call = calls_.newer(*call)) {
    if (call->reported_open) write_call_open(*call, session_of_call(*call), last_seen_);
  }
}

std::uint16_t Tracer::header_flags_of(const OpenCall& call) {
  unsigned flags = call.is_standing() ? trace::kStanding : 0;
  if (call.direction == mcp::Direction::kServerToClient) flags |= trace::kFromServer;
  if (call.parent_call == mcp::kNoCall) flags |= trace::kTreeRoot;
  if (call.context.parent_source != mcp::ParentSource::kRoot) flags |= trace::kJoined;
  if (call.start_state == OpenCall::Start::kWaits) flags |= trace::kStarting;
  if (call.start_state == OpenCall::Start::kTold) flags |= trace::kStarted;
  return static_cast<std::uint16_t>(flags);
}

// An HTTP+SSE stream to which nobody sends a request, and what the server asks on it: their session has no root.
void Tracer::drop_missing_root(const OpenCall& call) {
  if (call.exchange == mcp::kNoCall) return;
  const auto sse = sse_sessions_.find(exchanges_.at(call.exchange).scope);
  if (sse == sse_sessions_.end() || sse->second) return;
  if (call.context.parent_source == mcp::ParentSource::kRoot) span_.parent_id = {};
  std::erase_if(span_.links, [](const trace::SpanLink& link) { return link.relation == "session"; });
}

void Tracer::report_open_calls(Instant now) {
  while (OpenCall* call = calls_.at(report_next_)) {
    if (now.boot - call->start.boot < kReportOpenAfter) return;
    report_next_ = call->newer;
    if (std::exchange(call->reported_open, true)) continue;
    write_call_open(*call, session_of_call(*call), now.boot);
  }
}

void Tracer::look_at_gap(const Session& session) {
  if (session.root.session != 0) next_gap_ = std::min(next_gap_, session.last_boot() + options_.gap + Nanos(1));
}

void Tracer::give_up_dropped(Nanos now) {
  if (now < next_give_up_) return;
  next_give_up_ = Nanos::max();
  ending_calls_.clear();
  for (OpenCall* call = calls_.oldest(); call != nullptr; call = calls_.newer(*call)) {
    if (call->start.boot > last_dropped_) break;
    if (call->is_standing() || call->cut_at.count() != 0) continue;
    const Nanos due = call->start.boot + kGiveUpAfter;
    if (due <= now) {
      ending_calls_.push_back(call->index);
    } else {
      next_give_up_ = std::min(next_give_up_, due);
    }
  }
  for (const std::uint32_t index : ending_calls_) {
    OpenCall& call = *calls_.at(index);
    if (!call.open) continue;  // it ended with its parent
    trace::CallEnd end;
    end.outcome = Outcome::kUnobserved;
    end.unobserved = "dropped";
    end_call(call, end, call.last_seen, false);
  }
}

void Tracer::on_time(Instant now) {
  last_seen_ = std::max(last_seen_, now.boot);
  report_open_calls(now);
  end_kept(now.boot);
  give_up_dropped(now.boot);
  if (now.boot < next_gap_) return;
  next_gap_ = Nanos::max();
  for (auto& [serial, session] : sessions_) {
    if (session->closed || session->open != 0) continue;
    if (now.boot - session->last_boot() > options_.gap) {
      close_session(*session);
    } else {
      look_at_gap(*session);
    }
  }
}

std::optional<Nanos> Tracer::next_deadline() const {
  Nanos next = std::min(next_gap_, next_give_up_);
  if (const OpenCall* call = calls_.at(report_next_)) next = std::min(next, call->start.boot + kReportOpenAfter);
  if (!kept_.empty()) next = std::min(next, kept_.front().cut_at + kKeepFor);
  if (next == Nanos::max()) return std::nullopt;
  return next;
}

void Tracer::finish(const TrafficEnd& end, Instant now) {
  if (!over_http() && sessions_.empty()) process_session(now);
  const Session* const present = over_http() ? nullptr : present_session();
  for (auto& [serial, session] : sessions_) {
    // How the process ended concerns its present session, and whoever still waits for it.
    if (over_http() || (session->open == 0 && session.get() != present)) continue;
    if (session->closed && session->begun()) continue;
    if (session->closed) open_session(*session);  // only the server spoke, or nobody did
    session->touch(now);
    session->end = end.root;
    session->child = end.child;
  }
  while (OpenCall* call = calls_.oldest()) {
    trace::CallEnd call_end;
    if (call->is_standing()) {
      call_end.outcome = Outcome::kOk;
    } else if (call->start.boot <= last_dropped_) {
      call_end.outcome = Outcome::kUnobserved;
      call_end.unobserved = "dropped";
    } else if (over_http()) {
      call_end.outcome = Outcome::kUnobserved;
      call_end.unobserved = call->cut_at.count() != 0 ? "stream_cut" : "shutdown";
    } else {
      call_end.outcome = Outcome::kAbandoned;
      call_end.error_type = end.call_error_type;
    }
    end_call(*call, call_end, call->cut_at.count() != 0 ? call->cut_at : now.boot, false);
  }
  for (auto& [serial, session] : sessions_) close_session(*session);
}

}  // namespace mcptrace::observe
