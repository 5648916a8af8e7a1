#include "observe/calls.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "observe/judge.h"
#include "trace/gate.h"

namespace mcptrace::observe {
namespace {

using mcp::CallKind;
using mcp::Fact;
using mcp::Method;
using mcp::OpenCall;
using trace::CallEnd;
using trace::Outcome;
using Start = mcp::OpenCall::Start;

constexpr Nanos kReportOpenAfter = std::chrono::seconds(1);
// How long a call is waited for whose answer may have been dropped: its session stays open with it.
constexpr Nanos kGiveUpAfter = std::chrono::minutes(5);

// What a late answer needs of its call's: all, or of a long one our own member, by which the two are sampled alike.
std::string short_trace_state(std::string_view trace_state) {
  constexpr std::size_t kMost = 512;
  if (trace_state.size() <= kMost) return std::string(trace_state);
  const auto own = trace::tracestate_get(trace_state, "ot");
  return own ? "ot=" + std::string(*own) : std::string();
}

}  // namespace

Calls::Calls(const TracerOptions& options, Sessions& sessions, HttpExchanges& exchanges, DeclaredTools& declared,
             Recollection& recollection, RecordWriter& writer, Activity& activity)
    : options_(options),
      sessions_(sessions),
      exchanges_(exchanges),
      declared_(declared),
      recollection_(recollection),
      writer_(writer),
      activity_(activity),
      table_(options.max_open) {}

Session& Calls::session_of(const OpenCall& call) {
  if (call.start_state == Start::kWaits) return waiting_session(call);
  if (call.context.session != 0 || !options_.over_http()) return *sessions_.find(call.context.session);
  const HttpExchange* const exchange = exchanges_.of(call);
  return sessions_.loose(call.context, exchange != nullptr ? exchange->route : std::uint16_t{0});
}

OpenCall* Calls::only_nestable(Session* session) {
  mcp::NestedCalls& calls = session != nullptr ? session->nestable : nestable_;
  return !calls.empty() && &calls.front() == &calls.back() ? &calls.front() : nullptr;
}

void Calls::make_room() {
  while (table_.full()) {
    OpenCall& oldest = table_.all().front();
    end(oldest, unobserved("table_full"), oldest.last_seen);
  }
}

OpenCall& Calls::enter(HttpExchange& exchange, const Fact& fact) {
  OpenCall& call = table_.open(fact);
  unreported_.push_back(call);
  if (exchange.is_kept()) exchanges_.enter(exchange, call);
  if (fact.http != nullptr && fact.message.direction == mcp::Direction::kClientToServer) {
    call.caller_links = fact.http->links;
    call.caller_link_count = fact.http->link_count;
  }
  return call;
}

// The open request whose answer nobody can tell from this one's. Of several it is the newest: the others are marked.
OpenCall* Calls::same_id(const HttpExchange& exchange, const mcp::Message& message) {
  if (table_.size() == 0 || !message.id.usable()) return nullptr;
  OpenCall* const other = table_.find(message.direction, message.id, exchange.serial);
  if (other == nullptr || other->kind != CallKind::kRequest) return nullptr;
  return other->exchange_serial == exchange.serial || exchanges_.is_sse(exchange.scope) ? other : nullptr;
}

OpenCall& Calls::open(Session& session, HttpExchange& exchange, const Fact& fact) {
  OpenCall* const sharing = same_id(exchange, fact.message);
  OpenCall& call = enter(exchange, fact);
  if (sharing != nullptr) {
    sharing->shares_id = call.shares_id = true;
    session.note_findings(mcp::finding_bit(mcp::Finding::kReusedId), fact.at, &call);
  }
  count(session, call, 1);
  if (call.may_nest()) (options_.over_http() ? session.nestable : nestable_).push_back(call);
  return call;
}

OpenCall& Calls::open_standing(Session& session, HttpExchange& exchange, const Fact& fact, CallKind kind) {
  Fact own = fact;
  // No id finds it; but all without one in one chain would make a long one.
  own.message.id = {mcp::IdType::kAbsent, exchange.serial, exchange.serial};
  own.context.session = session.root.session;  // none, if its session has been forgotten meanwhile
  OpenCall& call = enter(exchange, own);
  call.kind = kind;
  if (kind == CallKind::kHttp) {
    call.method = Method::kNone;
    call.flags = fact.http->has(mcp::kModernPeer) ? std::uint32_t{mcp::kModern} : 0;
  } else if (session.is_modern()) {
    call.flags |= mcp::kModern;
  }
  ++session.listens;
  return call;
}

void Calls::open_waiting(HttpExchange& exchange, const Fact& fact) {
  if (!exchange.is_kept()) return;
  Fact own = fact;
  mcp::scope_ids(own.message, ~exchange.serial);  // no answer finds it before it has a session
  OpenCall& call = enter(exchange, own);
  call.start_state = Start::kWaits;
  trace::gate_peer(fact.message[mcp::Text::kPeerName], fact.message.peer_name_print, call.client);
  --exchange.messages;  // it comes again when its session is known
}

bool Calls::end_waiting(HttpExchange& exchange) {
  const auto call = std::ranges::find(exchange.calls, Start::kWaits, &OpenCall::start_state);
  if (call == exchange.calls.end()) return false;
  const bool written = call->was_reported();
  take_out(*call);
  return written;
}

void Calls::tell_session(const Session& session, OpenCall& call, Nanos now) {
  call.start_state = Start::kTold;
  report(session, call, now);
}

// What there is to be said of it meanwhile.
Session& Calls::waiting_session(const OpenCall& call) {
  mcp::CallContext nothing = call.context;
  nothing.session_print = 0;
  nothing.root_span_id = {};
  Session& session = sessions_.loose(nothing, exchanges_.of(call)->route);
  session.text.client_name = call.client;
  return session;
}

// It ends, and nobody has told its session: it gets the one that the relay has given it for that.
void Calls::give_own_session(OpenCall& call) {
  call.start_state = call.was_reported() ? Start::kTold : Start::kKnown;
  const HttpExchange& exchange = *exchanges_.of(call);
  Session& session = sessions_.add(call.context, exchange.began, exchange.route);
  session.begin(exchange.began);
  session.text.client_name = call.client;
  session.ending = true;
  count(session, call, 1);
  sessions_.open(session);
}

void Calls::end(OpenCall& call, CallEnd how, Nanos at_boot) {
  if (call.start_state == Start::kWaits) give_own_session(call);
  end_in(session_of(call), call, how, at_boot, false);
}

void Calls::answered(Session& session, OpenCall& call, CallEnd& how, Nanos at_boot) {
  end_in(session, call, how, at_boot, true);
}

void Calls::end_in(Session& session, OpenCall& call, CallEnd& how, Nanos at_boot, bool answered) {
  if (session.closed && !call.is_standing()) sessions_.open(session);
  how.duration = std::max(at_boot - call.start.boot, Nanos(0));
  // A legacy server may refuse it by dying, by closing or by saying nothing until the client gives up.
  if (call.method == Method::kServerDiscover &&
      (how.outcome == Outcome::kAbandoned || how.outcome == Outcome::kCancelled))
    how.status_unset = true;
  const bool by_client = call.direction == mcp::Direction::kClientToServer;
  // Nobody waits any more for what a server asked.
  if (!by_client && how.outcome == Outcome::kAbandoned) how.status_unset = true;
  how.declared = declared_.may_write(call, session);
  if (!call.is_standing()) session.cover(call.start.wall + how.duration);
  const bool failed = writer_.call(call, session, how);
  // A handshake that was not answered has failed, whoever gave it up.
  if (call.method == Method::kInitialize && by_client && !answered && failed) session.initialize_failed = true;
  session.count_end(call, how.outcome, failed);
  if (call.kind != CallKind::kRequest) {
    // Nothing answers it.
  } else if (answered) {
    recollection_.answered(call.direction, call.id, session.root.session);
  } else if (how.outcome != Outcome::kRedirected) {  // else it is asked elsewhere, perhaps by the same id
    const bool given_up = how.outcome == Outcome::kCancelled || how.outcome == Outcome::kAbandoned;
    recollection_.ended({call.direction, call.method, call.id, session.root.session, call.exchange_serial,
                         call.context.trace_id, call.context.span_id, call.context.flags,
                         short_trace_state(call.trace_state), given_up});
  }
  count(session, call, -1);
  while (!call.children.empty()) {
    OpenCall& child = call.children.front();
    end(child, how.outcome == Outcome::kAbandoned ? abandoned(how.error_type) : unobserved("parent_answered"), at_boot);
  }
  take_out(call);
  sessions_.rest(session);
}

void Calls::take_out(OpenCall& call) {
  exchanges_.leave(call);
  table_.close(call);
}

void Calls::count(Session& session, const OpenCall& call, int more) {
  if (call.is_standing()) {
    session.listens += static_cast<std::uint32_t>(more);
    return;
  }
  session.open += static_cast<std::uint32_t>(more);
  waiting_ += more;
  activity_.open_requests.store(waiting_, std::memory_order_relaxed);
}

void Calls::cut(OpenCall& call, Nanos at_boot, bool by_client) {
  call.cut_at = at_boot;
  call.cut_by_client = by_client;
  call.in_cut.unlink();
  // That a client has left may be known long after.
  auto place = cut_.end();
  while (place != cut_.begin() && std::prev(place)->cut_at > at_boot) --place;
  cut_.insert(place, call);
}

void Calls::resume(HttpExchange& exchange) {
  for (OpenCall& call : exchange.calls) call.in_cut.unlink();
}

void Calls::end_all(const TrafficEnd& traffic, Nanos now) {
  while (!table_.all().empty()) {
    OpenCall& call = table_.all().front();
    const bool was_cut = call.is_cut();
    CallEnd how;
    if (call.is_standing()) {
      // It has done what it was for.
    } else if (may_have_lost(call)) {
      how = unobserved("dropped");
    } else if (options_.over_http()) {
      how = unobserved(was_cut ? "stream_cut" : "shutdown");
    } else {
      how = abandoned(traffic.call_error_type);
    }
    end(call, how, was_cut ? call.cut_at : now);
  }
}

void Calls::add_dropped(Nanos last) {
  last_dropped_ = std::max(last_dropped_, last);
  next_give_up_ = std::min(next_give_up_, last + kGiveUpAfter);
}

bool Calls::lost_lately(Nanos now) const { return now <= last_dropped_ + kGiveUpAfter; }

void Calls::give_up_dropped(Nanos now) {
  if (now < next_give_up_) return;
  next_give_up_ = Nanos::max();
  for_each(table_.all(), [&](OpenCall& call) {
    if (!may_have_lost(call) || call.is_standing() || call.is_cut()) return;
    const Nanos due = call.start.boot + kGiveUpAfter;
    if (due <= now) {
      end(call, unobserved("dropped"), call.last_seen);
    } else {
      next_give_up_ = std::min(next_give_up_, due);
    }
  });
}

void Calls::on_time(Nanos now) {
  while (!unreported_.empty() && now - unreported_.front().start.boot >= kReportOpenAfter) {
    report(session_of(unreported_.front()), unreported_.front(), now);
  }
  give_up_dropped(now);
}

Nanos Calls::next_deadline() const {
  Nanos next = next_give_up_;
  if (!unreported_.empty()) next = std::min(next, unreported_.front().start.boot + kReportOpenAfter);
  if (!cut_.empty()) next = std::min(next, cut_.front().cut_at + kKeepFor);
  return next;
}

void Calls::report(const Session& session, OpenCall& call, Nanos now) {
  call.in_unreported.unlink();
  writer_.call_open(call, session, declared_.may_write(call, session), now - call.start.boot);
}

void Calls::write_open(Nanos now) {
  for (OpenCall& call : table_.all()) {
    if (call.was_reported()) report(session_of(call), call, now);
  }
}

}  // namespace mcptrace::observe
