#include "observe/tracer.h"

#include <algorithm>
#include <utility>

#include "observe/judge.h"
#include "observe/placing.h"

namespace mcptrace::observe {
namespace {

using mcp::CallContext;
using mcp::CallKind;
using mcp::Direction;
using mcp::Fact;
using mcp::FactKind;
using mcp::Finding;
using mcp::finding_bit;
using mcp::Message;
using mcp::MessageKind;
using mcp::Method;
using mcp::OpenCall;
using mcp::Text;
using trace::Outcome;

// Is there to be one open call more?
bool opens_call(const Fact& fact) {
  if (fact.kind == FactKind::kHttpBegin || fact.kind == FactKind::kHttpWaits) return true;
  if (fact.kind != FactKind::kMessage) return false;
  return fact.message.kind == MessageKind::kRequest ||
         (fact.message.kind == MessageKind::kNotification && fact.http != nullptr &&
          fact.message.direction == Direction::kClientToServer);
}

// Stdio: a line that is no message of MCP's. What its client says is judged by who placed it; of a server the names
// that only MCP has count before it is known that MCP is spoken, too.
bool is_foreign(const Fact& fact, bool known) {
  const Message& message = fact.message;
  if (message.kind == MessageKind::kNotMessage) return true;
  const bool not_json = message.kind == MessageKind::kNotJson;
  if (message.direction == Direction::kClientToServer) {
    return not_json || fact.context.not_injected == mcp::NotInjected::kForeign;
  }
  if (not_json) return false;
  return !message.has(mcp::kJsonrpc2) ||
         !(known || message.method == Method::kPing || mcp::is_server_only(message.method));
}

// What the relay placed in the process's session, as nothing in it told of another. What went on to the server with it
// stays as it is.
void move_to(const Session& session, CallContext& context) {
  const bool stays =
      context.parent_source != mcp::ParentSource::kRoot || context.not_injected == mcp::NotInjected::kNone;
  take_root(context, session.root);
  if (!stays) take_root_as_parent(context);
}

}  // namespace

Tracer::Tracer(TracerOptions options, Random& random, Activity& activity, RecordSink& sink)
    : options_(std::move(options)),
      random_(random),
      exchanges_(options_.max_exchanges),
      declared_(options_),
      writer_(options_, exchanges_, sink),
      sessions_(options_, declared_, writer_),
      calls_(options_, sessions_, exchanges_, declared_, recollection_, writer_, activity),
      pairing_(calls_, exchanges_) {}

void Tracer::feed(Fact&& fact) {
  if (fact.kind == FactKind::kMessage) put_in_order(fact.at);
  last_seen_ = std::max(last_seen_, fact.at.boot);
  if (calls_.table().full() && opens_call(fact)) calls_.make_room();
  HttpExchange& exchange = fact.http != nullptr ? exchange_of(fact) : apart_;
  switch (fact.kind) {
    case FactKind::kMessage:
      if (!hold_back(exchange, fact)) on_message(exchange, fact);
      if (fact.http != nullptr && fact.http->end != mcp::HttpEnd::kOpen) on_exchange_end(exchange, fact);
      break;
    case FactKind::kDeclaredTools:
      if (!hold_back(exchange, fact)) DeclaredTools::collect(fact.declared, exchange.declared);
      break;
    case FactKind::kHttpWaits:
      calls_.open_waiting(exchange, fact);
      break;
    case FactKind::kHttpBegin:
      calls_.open_standing(session_of(fact, false), exchange, fact, CallKind::kHttp);
      break;
    case FactKind::kHttpEvent:
      if (fact.http->has(mcp::kSseSession)) exchanges_.begin_sse(exchange.scope);
      if (exchanges_.origin_of(fact.http->event) == 0) exchanges_.remember_event(fact.http->event, exchange);
      note_findings(exchange, fact);
      break;
    case FactKind::kHttpEnd:
      on_exchange_end(exchange, fact);
      break;
  }
}

// Messages of one read have one stamp: each gets a nanosecond more than the one before, so that their order is that in
// which they came.
void Tracer::put_in_order(Instant& at) {
  if (at.boot < read_at_) return;  // what was held back meanwhile
  if (at.boot > told_at_) {
    read_at_ = told_at_ = at.boot;
    return;
  }
  told_at_ += Nanos(1);
  if (at.boot <= lost_at_) calls_.add_dropped(told_at_);  // they may be of this read
  at.wall += told_at_ - at.boot;
  at.boot = told_at_;
}

void Tracer::on_message(HttpExchange& exchange, const Fact& fact) {
  const Message& message = fact.message;
  const bool from_client = message.direction == Direction::kClientToServer;
  const bool over_http = options_.over_http();
  if (!over_http && from_client) sessions_.placed(fact.context);
  if (over_http && !from_client) {
    if (exchange.resumes != 0 && exchanges_.origin_of(fact.http->event) != 0) return;  // it was seen when it came first
    exchanges_.remember_event(fact.http->event, exchange);
  }
  if (message.is_answer()) return on_answer(exchange, fact);
  const bool waited = from_client && message.method == Method::kInitialize && calls_.end_waiting(exchange);
  OpenCall* belongs_to = from_client ? nullptr : pairing_.named(exchange, message);
  if (belongs_to == nullptr && !from_client && !over_http) belongs_to = pairing_.served(exchange, nullptr, message);
  Session& session = from_client             ? session_of_client_message(fact)
                     : belongs_to != nullptr ? calls_.session_of(*belongs_to)
                                             : session_of(fact, false);
  if (belongs_to == nullptr && !from_client && over_http) belongs_to = pairing_.served(exchange, &session, message);
  session.touch(fact.at);
  if (!over_http && !is_of_mcp(session, fact)) return;
  if (!from_client && is_echo(exchange, session, fact)) return;
  session.count_message(message);
  if (message.kind == MessageKind::kRequest) {
    OpenCall& call = on_request(exchange, session, fact, belongs_to);
    if (waited) calls_.tell_session(session, call, last_seen_);
  } else if (message.kind == MessageKind::kNotification) {
    on_notification(exchange, session, fact, belongs_to);
  } else if (!over_http && message.kind == MessageKind::kNotJson) {
    session.count_findings(finding_bit(Finding::kStdoutNotJson));
    session.not_json_bytes += message.bytes;
    ++noise_.lines, noise_.bytes += message.bytes;
  }
}

// The session that a message is of by what the relay placed it in; one that `opens` it, makes it if there is none.
Session& Tracer::session_of(const Fact& fact, bool opens) {
  if (!options_.over_http()) {
    const bool from_client = fact.message.direction == Direction::kClientToServer;
    return from_client ? sessions_.open_for(fact) : sessions_.process(fact.at);
  }
  if (opens && fact.context.session != 0) return sessions_.open_for(fact);
  Session* const session = fact.context.session != 0 ? sessions_.find(fact.context.session) : nullptr;
  return session != nullptr ? *session : sessions_.loose(fact.context, fact.http->route);
}

// Over stdio a cancellation names no conversation where its call did: it belongs to that call's.
Session& Tracer::session_of_client_message(const Fact& fact) {
  const Message& message = fact.message;
  if (!options_.over_http() && message.kind == MessageKind::kNotification && !fact.context.derived) {
    const bool cancels = message.method == Method::kNotificationsCancelled && message.related.usable();
    OpenCall* const call = cancels ? calls_.table().find(message.direction, message.related) : nullptr;
    if (call != nullptr) return calls_.session_of(*call);
    Session* const present = sessions_.present();
    if (present != nullptr && present->root.derived) return *present;
  }
  return session_of(fact, message.kind == MessageKind::kRequest);
}

// Over stdio; what is not is counted.
bool Tracer::is_of_mcp(Session& session, const Fact& fact) {
  const Message& message = fact.message;
  note_framing(session, message);
  if (message.kind == MessageKind::kNotMessage && message.has(mcp::kInvalidUtf8)) {
    session.count_findings(finding_bit(Finding::kInvalidUtf8));
    return false;
  }
  if (is_foreign(fact, known_)) {
    if (message.kind == MessageKind::kRequest) recollection_.foreign(message.direction, message.id);
    session.count_foreign(message);
    return false;
  }
  known_ |= message.direction == Direction::kClientToServer && message.has(mcp::kNamesMcp);
  return true;
}

// Once for each side.
void Tracer::note_framing(Session& session, const Message& message) {
  if (!message.has(mcp::kCounted) || std::exchange(counted_[static_cast<std::size_t>(message.direction)], true)) return;
  session.count_findings(finding_bit(Finding::kContentLengthFraming));
}

// What its client asked comes back from a terminal, or from `cat`: nobody asks it of the client.
bool Tracer::is_echo(const HttpExchange& exchange, Session& session, const Fact& fact) {
  const Message& message = fact.message;
  if (!mcp::is_client_only(message.method)) return false;
  OpenCall* call = nullptr;
  if (message.kind == MessageKind::kRequest) {
    call = pairing_.asked(exchange, Direction::kClientToServer, message.id);
    if (call == nullptr || call->method != message.method) return false;
  }
  session.count_bytes(message);
  (call != nullptr ? calls_.session_of(*call) : session).note_findings(finding_bit(Finding::kEcho), fact.at, call);
  return true;
}

OpenCall& Tracer::on_request(HttpExchange& exchange, Session& session, const Fact& fact, OpenCall* nested_in) {
  OpenCall& call = open_call(exchange, session, fact, nested_in);
  session.note_findings(findings_of(session, fact.message), fact.at, &call);
  return call;
}

OpenCall& Tracer::open_call(HttpExchange& exchange, Session& session, const Fact& fact, OpenCall* nested_in) {
  const Message& message = fact.message;
  OpenCall& call = calls_.open(session, exchange, fact);
  if (message.direction == Direction::kServerToClient) {
    place_server_call(session, message, nested_in, call);
    return call;
  }
  if (fact.http != nullptr) exchanges_.ask_in_sse(exchange.scope);
  session.learn_client(message);
  session.note_findings(fact.findings, fact.at, &call);
  if (call.context.not_injected == mcp::NotInjected::kStrict) {
    session.count_findings(finding_bit(Finding::kStrictServer));
  }
  link_call(session, message, call);
  if (message.method == Method::kToolsCall) {
    call.undeclared = message.name_hash != 0 && session.knows_undeclared(message.name_hash, calls_.last_dropped());
    if (call.undeclared) session.note_findings(finding_bit(Finding::kUndeclaredTool), fact.at, &call);
    call.definition = session.definition_of(message.name_hash);
  }
  return call;
}

// A server's request: its own context, else the call it serves, else the root.
void Tracer::place_server_call(const Session& session, const Message& message, OpenCall* nested_in, OpenCall& call) {
  CallContext& context = call.context;
  context = session.root;
  take_root_as_parent(context);
  context.flags = writer_.root_flags();
  context.not_injected = mcp::NotInjected::kNotRequest;
  context.span_id = random_.span_id();
  const auto own = context_in(message);
  std::string_view trace_state;
  if (nested_in != nullptr) {
    call.parent = nested_in;
    nested_in->children.push_back(call);
  }
  if (own) {
    trace_state = take_caller(context, *own, mcp::ParentSource::kMeta, message[Text::kTracestate]);
  } else if (nested_in != nullptr) {
    context.trace_id = nested_in->context.trace_id, context.parent_id = nested_in->context.span_id;
    context.flags = nested_in->context.flags;
    trace_state = nested_in->trace_state;
  }
  if (call.open) {
    calls_.table().set_trace_state(call, trace_state);
  } else {  // a notification
    call.trace_state.assign(trace_state);
  }
}

void Tracer::link_call(const Session& session, const Message& message, OpenCall& call) {
  const Recollection::Span* link = nullptr;
  if (message.request_state != 0) {
    link = recollection_.state({message.request_state, session.root.session_print, session.route});
  } else if (message.task != 0) {
    link = recollection_.task({message.task, session.root.session_print, session.route});
    call.link_is_task = true;
  }
  if (link == nullptr) return;
  call.link_trace = link->trace_id;
  call.link_span = link->span_id;
}

void Tracer::on_notification(HttpExchange& exchange, Session& session, const Fact& fact, OpenCall* belongs_to) {
  const Message& message = fact.message;
  const bool from_client = message.direction == Direction::kClientToServer;
  session.count_findings(findings_of(session, message));
  if (message.method == Method::kNotificationsCancelled) {
    if (OpenCall* const call = pairing_.cancelled(fact)) {
      calls_.end(*call, ended(call->is_listen() ? Outcome::kOk : Outcome::kCancelled), fact.at.boot);
    } else if (from_client && recollection_.find_answered(message.direction, message.related)) {
      session.count_findings(finding_bit(Finding::kCancelledAfterAnswer));
    }
  }
  if (from_client && options_.over_http()) {
    calls_.open_standing(session_of(fact, false), exchange, fact, CallKind::kNotification);
    return;
  }
  if (message.method == Method::kNotificationsToolsListChanged && !from_client) session.forget_completeness();
  if (belongs_to != nullptr && belongs_to->open) {
    belongs_to->last_seen = fact.at.boot;
    if (message.method == Method::kNotificationsProgress) ++belongs_to->progress;
    belongs_to->add_note({.at = fact.at.wall, .method = message.method});
    return;
  }
  mcp::CallTable::describe(fact, notification_);
  CallContext& context = notification_.context;
  if (from_client && context.session != session.root.session) move_to(session, context);
  if (session.is_modern()) notification_.flags |= mcp::kModern;  // notifications carry no envelope of their own
  if (!from_client) place_server_call(session, message, nullptr, notification_);
  session.cover(notification_.start.wall + trace::kShortest);
  writer_.notification(notification_, session);
}

void Tracer::add_dropped(std::uint64_t count, Nanos last) {
  lost_at_ = std::max(lost_at_, last);
  calls_.add_dropped(last < read_at_ ? last : std::max(last, told_at_));
  add_lost({.messages = count});
}

void Tracer::on_time(Instant now) {
  last_seen_ = std::max(last_seen_, now.boot);
  calls_.on_time(now.boot);
  while (OpenCall* const call = calls_.overdue(now.boot)) give_up(*call);
  sessions_.on_time(now.boot);
}

std::optional<Nanos> Tracer::next_deadline() const {
  const Nanos next = std::min(calls_.next_deadline(), sessions_.next_deadline());
  return next == Nanos::max() ? std::nullopt : std::optional(next);
}

void Tracer::write_open() {
  sessions_.write_open();
  calls_.write_open(last_seen_);
}

void Tracer::end_calls(const TrafficEnd& end, Instant now) {
  sessions_.begin_end(end, now);
  calls_.end_all(end, now.boot);
}

}  // namespace mcptrace::observe
