#include "observe/sessions.h"

#include <algorithm>
#include <ranges>
#include <utility>
#include <vector>

namespace mcptrace::observe {

using mcp::CallContext;
using spool::RecordType;

Sessions::Sessions(const TracerOptions& options, DeclaredTools& declared, RecordWriter& writer)
    : options_(options), declared_(declared), writer_(writer), process_(options.first) {}

Session* Sessions::look_up(std::uint32_t serial) {
  const auto found = sessions_.find(serial);
  return found == sessions_.end() ? nullptr : (last_ = found->second.get());
}

Session& Sessions::open_for(const mcp::Fact& fact) {
  const Instant at = fact.http != nullptr ? fact.http->began : fact.at;
  Session* session = find(fact.context.session);
  if (session == nullptr) {
    session = &add(fact.context, at, fact.http != nullptr ? fact.http->route : std::uint16_t{0});
    if (fact.http != nullptr) {
      session->text.guessed = fact.http->has(mcp::kGuessed);
      session->ending = fact.http->has(mcp::kOwnRoot);
    }
  }
  if (!session->begun()) session->begin(at);
  if (session->closed) {
    if (fact.message.kind == mcp::MessageKind::kRequest) {
      session->learn_client(fact.message);
      session->note_era(fact.message);
    }
    open(*session);
  }
  return *session;
}

Session& Sessions::add(const CallContext& context, Instant at, std::uint16_t route) {
  if (sessions_.size() >= options_.max_sessions) evict();
  auto session = std::make_unique<Session>(context, at);
  session->route = route;
  session->lost_before = lost_;
  session->lost = std::exchange(early_lost_, {});  // over HTTP it is told otherwise
  if (Session* const before = context.previous != 0 ? find(context.previous) : nullptr) {
    session->go_on_from(*before);
    declared_.inherited(*session);
    before->ending = true;
    rest(*before);
  }
  last_ = session.get();
  sessions_[context.session] = std::move(session);
  return *last_;
}

Session& Sessions::loose(const CallContext& context, std::uint16_t route) {
  if (!loose_) {
    loose_ = std::make_unique<Session>(context, Instant{});
    loose_->closed = false;  // it has no root that could be written
  }
  loose_->text = {};
  loose_->take_ids(context);
  loose_->root.session = 0;
  loose_->route = route;
  return *loose_;
}

// The only one whose root is open; null: none, or several.
Session* Sessions::only_open() {
  if (open_ != 1) return nullptr;
  const auto found = std::ranges::find_if(sessions_, [](const auto& entry) { return !entry.second->closed; });
  return found == sessions_.end() ? nullptr : found->second.get();
}

Session* Sessions::present() {
  Session* const session = find(process_.session);
  if (session != nullptr && session->begun()) return session;
  Session* const only = only_open();
  return only != nullptr ? only : session;
}

Session& Sessions::process(Instant at) {
  Session* const session = present();
  if (session == nullptr) return add(process_, at, 0);
  if (session->begun() && session->closed) open(*session);
  return *session;
}

void Sessions::placed(const CallContext& context) {
  if (context.derived || context.session == process_.session) return;
  if (Session* last = find(process_.session); last != nullptr && last->open == 0) close(*last);
  process_ = context;
}

void Sessions::open(Session& session) {
  session.closed = session.rests = false;
  ++open_;
  look_at_gap(session);
  write_root(session, RecordType::kSessionOpen);
}

void Sessions::close(Session& session, bool rests) {
  if (session.closed) return;
  session.closed = true;
  session.rests = rests;
  --open_;
  session.ending = false;
  // It may go on: then it knows its tools if there are not too many sessions that do.
  if (declared_.is_crowded()) declared_.forget(session);
  write_root(session, RecordType::kSpan);
  write_root(session, RecordType::kSessionClose);
}

void Sessions::write_root(Session& session, RecordType type) {
  // Whose they were nobody knows: of all sessions that there were then.
  if (options_.over_http()) session.lost = lost_.since(session.lost_before);
  writer_.root(session, type);
}

void Sessions::rest(Session& session) {
  if (session.open != 0) return;
  if (session.ending) close(session);
  look_at_gap(session);
}

void Sessions::look_at_gap(const Session& session) {
  if (session.root.session != 0) next_gap_ = std::min(next_gap_, session.last_boot() + options_.gap + Nanos(1));
}

void Sessions::forget(Session& session) {
  declared_.forget(session);
  if (last_ == &session) last_ = nullptr;
  sessions_.erase(session.root.session);
}

// Never the process's own: without it, what names no session would be another's.
void Sessions::evict() {
  std::vector<Session*> closed, silent;
  for (auto& [serial, session] : sessions_) {
    if (session->open + session->listens != 0 || serial == process_.session) continue;
    (session->closed ? closed : silent).push_back(session.get());
  }
  for (Session* const session : closed) forget(*session);
  if (sessions_.size() < options_.max_sessions) return;
  // Several at once, so that the next ones need no such look.
  const std::size_t count = std::min(silent.size(), 1 + options_.max_sessions / 64);
  std::ranges::partial_sort(silent, silent.begin() + static_cast<std::ptrdiff_t>(count), {}, &Session::last_boot);
  for (Session* const session : silent | std::views::take(count)) {
    close(*session, true);
    forget(*session);
  }
}

void Sessions::add_lost(const Losses& more) {
  lost_ += more;
  Session* const session = present();
  (session != nullptr ? session->lost : early_lost_) += more;
}

void Sessions::on_time(Nanos now) {
  if (now < next_gap_) return;
  next_gap_ = Nanos::max();
  for (auto& [serial, session] : sessions_) {
    if (session->closed || session->open != 0) continue;
    if (now - session->last_boot() > options_.gap) {
      close(*session, true);
    } else {
      look_at_gap(*session);
    }
  }
}

void Sessions::write_open() {
  for (auto& [serial, session] : sessions_) {
    if (!session->closed) write_root(*session, RecordType::kSessionOpen);
  }
}

// How the process ended concerns its present session, and whoever still waits for it.
void Sessions::begin_end(const TrafficEnd& end, Instant now) {
  if (options_.over_http()) return;
  if (sessions_.empty()) process(now);
  const Session* const process = present();
  for (auto& [serial, session] : sessions_) {
    if (session->open == 0 && session.get() != process) continue;
    if (session->closed && session->begun()) {
      if (std::exchange(session->rests, false)) write_root(*session, RecordType::kSessionClose);
      continue;
    }
    if (session->closed) open(*session);  // only the server spoke, or nobody did
    session->touch(now);
    session->end = end.root;
    session->child = end.child;
  }
}

void Sessions::close_all() {
  for (auto& [serial, session] : sessions_) close(*session);
}

}  // namespace mcptrace::observe
