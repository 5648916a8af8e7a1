// The tracer's sessions: which one a message is of, and which go when there are too many.
#include <algorithm>
#include <utility>

#include "observe/tracer.h"

namespace mcptrace::observe {

using mcp::CallContext;
using mcp::Direction;
using mcp::Fact;
using mcp::Message;
using mcp::MessageKind;
using mcp::Method;
using mcp::OpenCall;

Session* Tracer::find_session(std::uint32_t serial) {
  if (last_session_ != nullptr && last_session_->root.session == serial) return last_session_;
  const auto found = sessions_.find(serial);
  return found == sessions_.end() ? nullptr : (last_session_ = found->second.get());
}

// The only one whose root is open; null: none, or several.
Session* Tracer::only_open_session() {
  if (open_sessions_ != 1) return nullptr;
  const auto found = std::ranges::find_if(sessions_, [](const auto& entry) { return !entry.second->closed; });
  return found == sessions_.end() ? nullptr : found->second.get();
}

// Of a client's message. What opens it may say who the client is.
Session& Tracer::session_of(const Fact& fact) {
  const Instant at = fact.http != nullptr ? fact.http->began : fact.at;
  Session* session = find_session(fact.context.session);
  if (session == nullptr) session = &add_session(fact.context, at, fact.http);
  if (!session->begun()) session->begin(at);
  if (session->closed) {
    if (fact.message.kind == MessageKind::kRequest) {
      session->learn_client(fact.message);
      session->note_era(fact.message);
    }
    open_session(*session);
  }
  return *session;
}

Session& Tracer::add_session(const CallContext& context, Instant at, const mcp::HttpFact* http) {
  if (sessions_.size() >= options_.max_sessions) evict_sessions();
  auto session = std::make_unique<Session>(context, at);
  session->lost_before = lost_;
  session->lost = std::exchange(early_lost_, {});  // over HTTP it is told otherwise
  if (context.previous != 0) {
    if (Session* before = find_session(context.previous)) {
      session->go_on_from(*before);
      declared_of_sessions_ += session->declared_count();
      before->ending = true;
      if (before->open == 0) close_session(*before);
    }
  }
  if (http != nullptr) {
    session->route = http->route;
    session->text.guessed = http->has(mcp::kGuessed);
    session->ending = http->has(mcp::kOwnRoot);
  }
  last_session_ = session.get();
  sessions_[context.session] = std::move(session);
  return *last_session_;
}

// Makes room: what is closed goes, and if that is nothing, what has been silent longest and has nothing open. Never the
// process's own: without it, what names no session would be another's.
void Tracer::evict_sessions() {
  const auto may_go = [this](const Session& session) {
    return session.open + session.listens == 0 && session.root.session != process_context_.session;
  };
  std::erase_if(sessions_, [&](const auto& entry) {
    Session& session = *entry.second;
    const bool over = session.closed && may_go(session);
    if (over) forget_declared(session);
    return over;
  });
  last_session_ = nullptr;
  if (sessions_.size() < options_.max_sessions) return;
  std::vector<Session*> silent;
  for (auto& [serial, session] : sessions_) {
    if (may_go(*session)) silent.push_back(session.get());
  }
  // Several at once, so that the next ones need no such look.
  const std::size_t count = std::min(silent.size(), 1 + options_.max_sessions / 64);
  std::ranges::partial_sort(silent, silent.begin() + static_cast<std::ptrdiff_t>(count), {},
                            [](const Session* session) { return session->last_boot(); });
  for (std::size_t i = 0; i < count; ++i) {
    close_session(*silent[i]);
    forget_declared(*silent[i]);
    sessions_.erase(silent[i]->root.session);
  }
}

// A new session of the process has begun: the last one is over, once nothing of it is open.
void Tracer::leave_process_session(const CallContext& next) {
  if (Session* last = find_session(process_context_.session); last != nullptr && last->open == 0) close_session(*last);
  process_context_ = next;
}

// The process's own; where all that was said named its conversation, the only one there is. Null: there is none.
Session* Tracer::present_session() {
  Session* const session = find_session(process_context_.session);
  if (session != nullptr && session->begun()) return session;
  Session* const only = only_open_session();
  return only != nullptr ? only : session;
}

// Of what names no session. It is not opened before the client has said something.
Session& Tracer::process_session(Instant at) {
  Session* const session = present_session();
  if (session == nullptr) return add_session(process_context_, at, nullptr);
  if (session->begun() && session->closed) open_session(*session);
  return *session;
}

// A cancellation names no conversation where its call did: it belongs to that call's.
Session& Tracer::session_of_client_message(const Fact& fact) {
  const Message& message = fact.message;
  if (message.kind == MessageKind::kNotification && !fact.context.derived) {
    const bool cancels = message.method == Method::kNotificationsCancelled && message.related.usable();
    OpenCall* const call = cancels ? calls_.find(message.direction, message.related) : nullptr;
    if (call != nullptr) return session_of_call(*call);
    Session* const present = present_session();
    if (present != nullptr && present->root.derived) return *present;
  }
  return session_of(fact);
}

// A server's message belongs to an open exchange, or to the process's session.
Session& Tracer::session_of_server_message(const Message& message, Instant at, OpenCall*& belongs_to) {
  belongs_to = nullptr;
  if (message.kind == MessageKind::kNotification && message.related.usable()) {
    belongs_to = message.method == Method::kNotificationsProgress
                     ? calls_.find_token(Direction::kClientToServer, message.related)
                     : calls_.find(Direction::kClientToServer, message.related);
    if (belongs_to != nullptr && message.method != Method::kNotificationsProgress && !belongs_to->is_listen()) {
      belongs_to = nullptr;
    }
  }
  // Progress of a call that has ended is no other call's.
  const bool elsewhere = message.method == Method::kNotificationsProgress && message.related.usable();
  const bool says = message.kind == MessageKind::kRequest || message.kind == MessageKind::kNotification;
  if (belongs_to == nullptr && says && !elsewhere && nestable_.size() == 1) belongs_to = calls_.at(nestable_.front());
  return belongs_to != nullptr ? session_of_call(*belongs_to) : process_session(at);
}

}  // namespace mcptrace::observe
