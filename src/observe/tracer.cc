#include "observe/tracer.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "trace/gate.h"

namespace mcptrace::observe {
namespace {

using mcp::CallContext;
using mcp::Direction;
using mcp::Fact;
using mcp::FactKind;
using mcp::Message;
using mcp::MessageKind;
using mcp::Method;
using mcp::OpenCall;
using mcp::Text;
using spool::RecordType;
using trace::CallEnd;
using trace::Outcome;

constexpr std::size_t kMaxDeclaredNames = 16384;
constexpr std::size_t kMaxSessionsDeclare = 262144;  // names that all sessions together remember

CallEnd without_answer(Outcome outcome, std::string_view unobserved = {}) {
  CallEnd end;
  end.outcome = outcome;
  end.unobserved = unobserved;
  return end;
}

// What a late answer needs of its call's: all, or of a long one our own member, by which the two are sampled alike.
std::string short_trace_state(std::string_view trace_state) {
  constexpr std::size_t kMost = 512;
  if (trace_state.size() <= kMost) return std::string(trace_state);
  const auto own = trace::tracestate_get(trace_state, "ot");
  return own ? "ot=" + std::string(*own) : std::string();
}

}  // namespace

Tracer::Tracer(TracerOptions options, Random& random, Activity& activity, RecordSink& sink)
    : over_http_(!options.routes.empty()),
      options_(std::move(options)),
      random_(random),
      activity_(activity),
      sink_(sink),
      builder_(options_.naming, options_.transport),
      calls_(options_.max_open),
      process_context_(options_.first),
      exchanges_(options_.max_exchanges) {
  if (!over_http_) options_.routes.push_back({options_.service_name, {}, 0, options_.server});
  declared_.resize(options_.routes.size());
  style_ = {options_.transport, options_.command_print, options_.client_process, {}, 0x03, {}};
  if (options_.environment) {
    style_.environment_parent = options_.environment->span_id;
    style_.flags = options_.environment->flags;
    style_.trace_state = options_.environment_state;
  }
}

Tracer::~Tracer() = default;

void Tracer::feed(const Fact& fact) {
  last_seen_ = std::max(last_seen_, fact.at.boot);
  if (fact.http != nullptr) return feed_http(fact);
  const Message& message = fact.message;
  if (fact.kind == FactKind::kDeclaredTools) {
    if (page_.size() < kMaxDeclaredNames) page_.insert(page_.end(), fact.declared.begin(), fact.declared.end());
    return;
  }
  const bool from_client = message.direction == Direction::kClientToServer;
  if (from_client && !fact.context.derived && fact.context.session != process_context_.session)
    leave_process_session(fact.context);
  if (message.kind == MessageKind::kResult || message.kind == MessageKind::kError) {
    if (from_client) session_of(fact).touch(fact.at);
    on_answer(fact);
    page_.clear();
    return;
  }
  OpenCall* belongs_to = nullptr;
  Session& session =
      from_client ? session_of_client_message(fact) : session_of_server_message(message, fact.at, belongs_to);
  session.touch(fact.at);
  note_framing(session, message);
  session.count_findings(fact.findings);
  if (is_foreign(fact)) {
    if (message.kind == MessageKind::kRequest) recollection_.foreign(message.direction, message.id);
    return count_foreign(session, message);
  }
  known_ |= from_client && message.has(mcp::kNamesMcp);
  session.count_message(message);
  switch (message.kind) {
    case MessageKind::kRequest:
      on_request(session, fact, belongs_to);
      break;
    case MessageKind::kNotification:
      on_notification(session, fact, belongs_to);
      break;
    case MessageKind::kNotJson:
      ++session.not_json_lines, session.not_json_bytes += message.bytes;
      ++noise_.lines, noise_.bytes += message.bytes;
      break;
    case MessageKind::kNotMessage:
    case MessageKind::kResult:
    case MessageKind::kError:
      break;
  }
}

// Once for each side.
void Tracer::note_framing(Session& session, const Message& message) {
  if (!message.has(mcp::kCounted) || std::exchange(counted_[static_cast<std::size_t>(message.direction)], true)) return;
  session.count_findings(mcp::finding_bit(mcp::Finding::kContentLengthFraming));
}

// Stdio: a line that is no message of MCP's. What its client says is judged by who placed it; of a server the names
// that only MCP has count before it is known that MCP is spoken, too.
bool Tracer::is_foreign(const Fact& fact) const {
  const Message& message = fact.message;
  const bool from_client = message.direction == Direction::kClientToServer;
  switch (message.kind) {
    case MessageKind::kNotMessage:
      return true;
    case MessageKind::kNotJson:
      return from_client;
    case MessageKind::kRequest:
    case MessageKind::kNotification:
      if (from_client) return fact.context.not_injected == mcp::NotInjected::kForeign;
      return !message.has(mcp::kJsonrpc2) ||
             !(known_ || message.method == Method::kPing || mcp::is_server_only(message.method));
    case MessageKind::kResult:
    case MessageKind::kError:
      break;
  }
  return !message.has(mcp::kJsonrpc2) || !known_;
}

void Tracer::count_foreign(Session& session, const Message& message) {
  session.count_bytes(message);
  session.count_findings(mcp::finding_bit(mcp::Finding::kNotMcpMessage));
}

void Tracer::make_room() {
  while (calls_.full()) {
    OpenCall& oldest = *calls_.oldest();
    end_call(oldest, without_answer(Outcome::kUnobserved, "table_full"), oldest.last_seen, false);
  }
}

OpenCall& Tracer::on_request(Session& session, const Fact& fact, OpenCall* nested_in) {
  const Message& message = fact.message;
  make_room();
  const std::uint32_t nest_index = nested_in != nullptr && nested_in->open ? nested_in->index : mcp::kNoCall;
  OpenCall& call = calls_.open(fact);
  if (report_next_ == mcp::kNoCall) report_next_ = call.index;
  if (message.direction == Direction::kServerToClient) {
    place_server_call(session, fact, calls_.at(nest_index), call);
  } else {
    session.learn_client(message);
    if (call.context.not_injected == mcp::NotInjected::kStrict) {
      session.count_findings(mcp::finding_bit(mcp::Finding::kStrictServer));
    }
    link_call(session, message, call);
    if (message.method == Method::kToolsCall)
      call.undeclared = session.knows_undeclared(message.name_hash, last_dropped_);
  }
  ++(call.is_standing() ? session.listens : session.open);
  if (!call.is_standing()) ++open_;
  if (call.may_nest()) {
    std::vector<std::uint32_t>& nest = nest_of(session);
    call.nest_position = static_cast<std::uint32_t>(nest.size());
    nest.push_back(call.index);
  }
  publish_open();
  return call;
}

// A server's request: its own context, else the call it serves, else the root.
void Tracer::place_server_call(const Session& session, const Fact& fact, const OpenCall* nested_in, OpenCall& call) {
  const Message& message = fact.message;
  CallContext& context = call.context;
  context = session.root;
  context.not_injected = mcp::NotInjected::kNotRequest;
  context.span_id = random_.span_id();
  const auto own = context_in(message);
  std::string_view trace_state;
  if (nested_in != nullptr) {
    call.parent_call = nested_in->index;
    ++calls_.at(nested_in->index)->children;
  }
  if (own) {
    context.trace_id = own->trace_id, context.parent_id = own->span_id, context.flags = own->flags;
    context.parent_source = mcp::ParentSource::kMeta;
    if (trace::is_valid_tracestate(message[Text::kTracestate])) trace_state = message[Text::kTracestate];
  } else if (nested_in != nullptr) {
    context.trace_id = nested_in->context.trace_id, context.parent_id = nested_in->context.span_id;
    context.flags = nested_in->context.flags;
    trace_state = nested_in->trace_state;
  } else {
    context.trace_id = session.root.root_trace_id, context.parent_id = session.root.root_span_id;
    context.flags = style_.flags;
  }
  if (call.open) {
    calls_.set_trace_state(call, trace_state);
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

// What the relay placed in the process's session, as nothing in it told of another. What went on to the server with it
// stays as it is.
void Tracer::move_to(const Session& session, CallContext& context) {
  CallContext moved = session.root;
  moved.span_id = context.span_id;
  moved.parent_source = context.parent_source;
  moved.not_injected = context.not_injected;
  moved.flags = context.flags;
  moved.randomness = context.randomness;
  const bool stays =
      context.parent_source != mcp::ParentSource::kRoot || context.not_injected == mcp::NotInjected::kNone;
  moved.trace_id = stays ? context.trace_id : session.root.root_trace_id;
  moved.parent_id = stays ? context.parent_id : session.root.root_span_id;
  context = moved;
}

void Tracer::on_notification(Session& session, const Fact& fact, OpenCall* belongs_to) {
  const Message& message = fact.message;
  const bool from_client = message.direction == Direction::kClientToServer;
  if (message.method == Method::kNotificationsCancelled) on_cancelled(fact);
  if (message.method == Method::kNotificationsToolsListChanged && !from_client) session.forget_completeness();
  if (!from_client && belongs_to != nullptr && belongs_to->open) return add_note(*belongs_to, fact);
  OpenCall& scratch = notification_;
  scratch.direction = message.direction;
  scratch.method = message.method;
  scratch.flags = message.flags;
  scratch.context = fact.context;
  if (from_client && fact.context.session != session.root.session) move_to(session, scratch.context);
  scratch.start = fact.at;
  scratch.request_bytes = message.bytes;
  scratch.method_print = message.method_print;
  scratch.name_hash = message.name_hash;
  scratch.name_print = message.name_print;
  scratch.name.assign(message[Text::kName]);
  scratch.method_text.assign(message[Text::kMethod]);
  scratch.version.assign(message[Text::kProtocolVersion]);
  scratch.trace_state.assign(fact.trace_state);
  if (session.is_modern()) scratch.flags |= mcp::kModern;  // notifications carry no envelope of their own
  if (!from_client) place_server_call(session, fact, nullptr, scratch);
  builder_.build_notification(scratch, session.text, span_);
  emit(RecordType::kSpan, session, &scratch, trace::kTreeRoot | (over_http() ? trace::kStanding : 0));
}

void Tracer::add_note(OpenCall& call, const Fact& fact) {
  call.last_seen = fact.at.boot;
  if (fact.message.method == Method::kNotificationsProgress) ++call.progress;
  put_note(call, {.at = fact.at.wall, .method = fact.message.method});
}

void Tracer::put_note(OpenCall& call, const OpenCall::Note& note) {
  if (call.notes.size() < mcp::kMaxNotes) {
    call.notes.push_back(note);
  } else {
    ++call.dropped_notes;
  }
}

// On the session's root, and on the span of the call that they concern, if there is one.
void Tracer::note_findings(Session& session, OpenCall* call, mcp::Findings findings, Instant at) {
  session.count_findings(findings);
  if (call == nullptr) return;
  for (; findings != 0; findings &= findings - 1) {
    put_note(*call, {.at = at.wall, .finding = static_cast<mcp::Finding>(std::countr_zero(findings))});
  }
}

// By the sender of the request: it ends there. A subscription that either side ends has done what it was for;
// initialize cannot be cancelled.
void Tracer::on_cancelled(const Fact& fact) {
  const Message& message = fact.message;
  if (!message.related.usable()) return;
  OpenCall* call = calls_.find(message.direction, message.related);
  if (call == nullptr && message.direction == Direction::kServerToClient) {
    call = calls_.find(Direction::kClientToServer, message.related);
    if (call != nullptr && !call->is_listen()) call = nullptr;
  }
  if (call == nullptr && fact.http != nullptr && fact.http->has(mcp::kGuessed)) call = find_in_guessed(fact);
  if (call == nullptr || call->method == Method::kInitialize) return;
  end_call(*call, without_answer(call->is_listen() ? Outcome::kOk : Outcome::kCancelled), fact.at.boot, false);
}

void Tracer::on_answer(const Fact& fact) {
  const Message& message = fact.message;
  const Direction asked =
      message.direction == Direction::kClientToServer ? Direction::kServerToClient : Direction::kClientToServer;
  OpenCall* call = message.id.usable() ? calls_.find(asked, message.id) : nullptr;
  bool id_mismatch = false;
  if (call == nullptr) {
    if (is_known_stray(asked, fact)) return;
    // Second chance: the only open call whose id differs in form alone.
    if (message.id.usable()) call = calls_.find_loose(asked, message.id);
    if (call == nullptr) return count_unmatched(fact);
    id_mismatch = true;
  }
  answer_call(*call, fact, id_mismatch);
}

void Tracer::answer_call(OpenCall& call, const Fact& fact, bool id_mismatch) {
  const Message& message = fact.message;
  CallEnd end;
  end.id_mismatch = id_mismatch;
  Session& session = session_of_call(call);
  session.touch(fact.at);
  session.count_message(message);
  note_framing(session, message);
  const mcp::Findings bad = message.has(mcp::kJsonrpc2) ? 0 : mcp::finding_bit(mcp::Finding::kBadJsonrpc);
  note_findings(session, &call, fact.findings | bad, fact.at);
  end.answer_bytes = message.bytes;
  if (message.kind == MessageKind::kError) {
    end.outcome = Outcome::kRpcError;
    end.has_code = message.has(mcp::kHasErrorCode);
    end.code = message.error_code;
    end.error_print = message.error_print;
    if (call.method == Method::kInitialize) session.initialize_failed = true;
  } else if (message.has(mcp::kIsError) && (call.method == Method::kToolsCall || call.method == Method::kTasksResult)) {
    end.outcome = Outcome::kToolError;
  } else {
    end.outcome = message.result_type == mcp::ResultType::kInputRequired ? Outcome::kInputRequired : Outcome::kOk;
    learn_from_answer(session, call, message);
    if (call.method == Method::kInitialize) end.negotiated = message[Text::kProtocolVersion];
  }
  end_call(call, end, fact.at.boot, true);
}

void Tracer::learn_from_answer(Session& session, const OpenCall& call, const Message& message) {
  if (call.direction != Direction::kClientToServer) return;
  if (call.method == Method::kInitialize) {
    session.initialize_failed = false;
    session.text.version.assign(trace::gate_version(message[Text::kProtocolVersion]));
  }
  if (session.learn_server(message) && !session.closed) {
    write_root(session, RecordType::kSessionOpen);  // now it says with whom
  }
  if (call.method == Method::kToolsList) {
    learn_page(session, call, !message.has(mcp::kNextCursor));
  }
  const Recollection::Span span{call.context.trace_id, call.context.span_id};
  if (message.request_state != 0 && message.result_type == mcp::ResultType::kInputRequired) {
    recollection_.remember_state({message.request_state, session.root.session_print, session.route}, span);
  }
  if (message.task != 0 && call.method == Method::kToolsCall) {
    recollection_.remember_task({message.task, session.root.session_print, session.route}, span);
  }
}

void Tracer::forget_declared(Session& session) {
  declared_of_sessions_ -= session.declared_count();
  session.forget_declared();
}

void Tracer::learn_page(Session& session, const OpenCall& call, bool last) {
  const std::size_t before = session.declared_count();
  const std::size_t room = kMaxSessionsDeclare - std::min(declared_of_sessions_, kMaxSessionsDeclare);
  session.learn_page({.first = (call.flags & mcp::kCursor) == 0,
                      .last = last,
                      .whole = page_.size() < kMaxDeclaredNames && (call.flags & mcp::kAmbiguous) == 0,
                      .asked = call.start.boot},
                     page_, room);
  declared_of_sessions_ += session.declared_count();
  declared_of_sessions_ -= before;
  declare(session.route, page_);
}

// The answer to a call that ended before: late, if it ended without one; else a second one.
bool Tracer::is_known_stray(Direction asked, const Fact& fact) {
  const Message& message = fact.message;
  if (!message.id.usable()) return false;
  if (const auto late = recollection_.take_ended(asked, message.id)) {
    write_late(*late, fact);
    return true;
  }
  const auto serial = recollection_.find_answered(asked, message.id);
  if (serial == Recollection::kForeign) {
    count_foreign(process_session(fact.at), message);
    return true;
  }
  Session* session = serial ? find_session(*serial) : nullptr;
  if (session == nullptr) return false;
  session->touch(fact.at);
  session->count_message(message);
  ++session->second_answers;
  return true;
}

void Tracer::count_unmatched(const Fact& fact) {
  const bool from_client = fact.message.direction == Direction::kClientToServer;
  Session& session = from_client ? session_of(fact) : process_session(fact.at);
  session.touch(fact.at);
  if (is_foreign(fact)) return count_foreign(session, fact.message);
  session.count_message(fact.message);
  ++session.unmatched;
}

void Tracer::write_late(const EndedCall& ended, const Fact& fact) {
  Session* session = find_session(ended.session);
  if (session == nullptr) return;
  if (session->closed) open_session(*session);
  session->touch(fact.at);
  session->count_message(fact.message);
  const Outcome outcome = fact.message.kind == MessageKind::kError ? Outcome::kRpcError
                          : fact.message.has(mcp::kIsError)        ? Outcome::kToolError
                                                                   : Outcome::kOk;
  span_.clear();
  span_.trace_id = ended.trace_id;
  span_.parent_id = ended.span_id;
  span_.span_id = random_.span_id();
  span_.flags = ended.flags;
  span_.trace_state = ended.trace_state;
  span_.name = trace::kLateAnswerName;
  span_.kind = trace::SpanKind::kInternal;
  span_.start = fact.at.wall;
  span_.outcome = outcome;
  span_.add(trace::Attr::kSessionId, session->text.session_id);
  span_.add(trace::Attr::kLate, true);
  span_.add(trace::Attr::kOutcome, trace::outcome_text(outcome));
  if (trace::outcome_is_error(outcome)) {
    span_.status = trace::StatusCode::kError;
    span_.status_message = trace::outcome_text(outcome);
    span_.add(trace::Attr::kErrorType, trace::outcome_text(outcome));
  }
  recollection_.answered(ended.direction, ended.id, ended.session);
  emit(RecordType::kSpan, *session, nullptr, trace::kLateAnswer);
}

void Tracer::declare(std::uint16_t route, std::span<const std::uint64_t> names) {
  new_names_.clear();
  for (const std::uint64_t name : names) {
    if (declared_count_ >= kMaxDeclaredNames) break;
    if (!declared_[place_of(route)].insert(name).second) continue;
    ++declared_count_;
    new_names_.push_back(name);
  }
  if (options_.declared == nullptr || new_names_.empty()) return;
  options_.declared->add(options_.routes[place_of(route)].server, new_names_);
}

bool Tracer::is_declared(std::uint16_t route, std::uint64_t name) {
  if (declared_[place_of(route)].contains(name)) return true;
  return options_.declared != nullptr && options_.declared->contains(options_.routes[place_of(route)].server, name);
}

// Is the tool's name one that may be written though it has an odd form? Only if the server declared it: a lenient one
// answers whatever name it is called by.
bool Tracer::may_write_name(const OpenCall& call, const Session& session) {
  return call.method == Method::kToolsCall && call.name_print != 0 && is_declared(session.route, call.name_hash);
}

Session& Tracer::session_of_call(const OpenCall& call) {
  if (call.start_state == OpenCall::Start::kWaits) return waiting_session(call);
  if (call.context.session != 0 || !over_http()) return *find_session(call.context.session);
  const bool placed = call.exchange != mcp::kNoCall;
  return loose_session(call.context, placed ? exchanges_.at(call.exchange).route : std::uint16_t{0});
}

void Tracer::end_call(OpenCall& call, const CallEnd& end, Nanos at_boot, bool answered) {
  if (call.start_state == OpenCall::Start::kWaits) give_own_session(call);
  Session* const used = loose_.get();
  if (used == nullptr || call.context.session != 0)
    return end_call_of(session_of_call(call), call, end, at_boot, answered);
  // It stands for what whoever ends this call is about, and that may be of another session.
  const CallContext root = used->root;
  const std::uint16_t route = used->route;
  end_call_of(session_of_call(call), call, end, at_boot, answered);
  loose_session(root, route);
}

void Tracer::end_call_of(Session& session, OpenCall& call, const CallEnd& given, Nanos at_boot, bool answered) {
  if (session.closed && !call.is_standing()) open_session(session);
  CallEnd end = given;
  end.duration = std::max(at_boot - call.start.boot, Nanos(0));
  // A legacy server may refuse it by dying, by closing or by saying nothing until the client gives up.
  if (call.method == Method::kServerDiscover &&
      (end.outcome == Outcome::kAbandoned || end.outcome == Outcome::kCancelled))
    end.status_unset = true;
  end.declared = may_write_name(call, session);
  builder_.build_call(call, session.text, end, span_, http_part(call));
  drop_missing_root(call);
  // A handshake that was not answered has failed, whoever gave it up.
  if (call.method == Method::kInitialize && !answered && span_.status == trace::StatusCode::kError) {
    session.initialize_failed = true;
  }
  session.count_end(call, end.outcome, span_.status == trace::StatusCode::kError);
  emit(RecordType::kSpan, session, &call, header_flags_of(call));
  if (call.kind != mcp::CallKind::kRequest) {
    // Nothing answers it.
  } else if (answered) {
    recollection_.answered(call.direction, call.id, session.root.session);
  } else if (end.outcome != Outcome::kRedirected) {  // else it is asked elsewhere, perhaps by the same id
    recollection_.ended({call.direction, call.id, session.root.session, call.context.trace_id, call.context.span_id,
                         call.context.flags, short_trace_state(call.trace_state)});
  }
  --(call.is_standing() ? session.listens : session.open);
  if (!call.is_standing()) --open_;
  if (call.may_nest()) leave_nest(session, call);
  if (call.children != 0) end_children(call, at_boot);
  if (OpenCall* parent = calls_.at(call.parent_call)) --parent->children;
  take_out(call);
  publish_open();
  if (session.open == 0) {
    if (session.ending) close_session(session);
    look_at_gap(session);
  }
}

void Tracer::take_out(OpenCall& call) {
  if (report_next_ == call.index) report_next_ = call.newer;
  exchanges_.leave(call, calls_);
  calls_.close(call);
}

void Tracer::end_children(const OpenCall& parent, Nanos at_boot) {
  for (OpenCall* call = calls_.oldest(); call != nullptr;) {
    OpenCall* const next = calls_.newer(*call);
    if (call->parent_call == parent.index) {
      end_call(*call, without_answer(Outcome::kUnobserved, "parent_answered"), at_boot, false);
    }
    call = next;
  }
}

void Tracer::leave_nest(Session& session, const OpenCall& call) {
  std::vector<std::uint32_t>& nest = nest_of(session);
  const std::uint32_t last = nest.back();
  nest[call.nest_position] = last;
  calls_.at(last)->nest_position = call.nest_position;
  nest.pop_back();
}

void Tracer::publish_open() {
  activity_.open_requests.store(static_cast<std::int32_t>(open_), std::memory_order_relaxed);
}

void Tracer::add_dropped(std::uint64_t count, Nanos last) {
  last_dropped_ = std::max(last_dropped_, last);
  next_give_up_ = std::min(next_give_up_, last + kGiveUpAfter);
  add_lost({.messages = count});
}

void Tracer::add_lost(const Losses& more) {
  lost_ += more;
  Session* const session = present_session();
  (session != nullptr ? session->lost : early_lost_) += more;
}

}  // namespace mcptrace::observe
