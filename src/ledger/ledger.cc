#include "ledger/ledger.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/keyed_hash.h"
#include "ledger/killed.h"
#include "ledger/root_attributes.h"
#include "ledger/verdict.h"

namespace mcptrace::ledger {
namespace {

using spool::RecordType;
using trace::Operation;
using trace::Outcome;

constexpr std::int64_t kProbeRequests = 8;  // a session of more is not looked at for being a probe
constexpr Nanos kFollowedWithin = std::chrono::minutes(1);

bool settles_itself(const Session& session) {
  return !session.stretches.empty() && std::ranges::all_of(session.stretches, [](const Stretch& stretch) {
    return stretch.root_seen && stretch.live_files.empty() && stretch.without_part.empty();
  });
}

// Of what waits, nothing came since it was asked; what nothing waits for ends when somebody goes away.
Nanos last_message_of(const Entry& entry) {
  const bool only_start = entry.type == RecordType::kCallOpen || entry.header.has(trace::kStanding);
  return only_start ? entry.header.start : end_of(entry.header);
}

auto of_file(std::uint32_t file) {
  return [file](const Closing& closing) { return closing.file == file; };
}

bool may_be_probe(const Session& session) {
  return session.counts.calls == 0 && session.counts.notifications == 0 && session.counts.requests <= kProbeRequests;
}

}  // namespace

bool needs_count(const Session& session) {
  return !session.tallied && (!settles_itself(session) || may_be_probe(session) || !shows_answer(session));
}

std::string session_id(std::uint64_t print) { return print == 0 ? std::string() : "s-" + hex64(print); }

void Ledger::begin_file(std::uint32_t number, bool held, Nanos modified) {
  entries_.begin_file(number, held, modified);
  if (held) {
    held_.insert(number);
  } else if (held_.erase(number) != 0) {
    for (auto& [key, session] : sessions_) {
      for (Stretch& stretch : session.stretches) std::erase(stretch.live_files, number);
    }
  }
}

void Ledger::add(const Entry& entry) {
  if (!entry.is_span()) return;
  if (entry.header.has(trace::kStarted)) {
    const SessionKey starting = starting_key(entry.header.span_id);
    started_[starting] = entry.session;
    sessions_.erase(starting);
    tallies_.erase(starting);
  }
  if (entry.session.starting) {
    if (!started_.contains(entry.session)) add_starting(entry);
  } else if (entry.is_root()) {
    add_root(entry);
  } else if (entry.session.print != 0 || sessions_.contains(entry.session)) {
    session_of(entry);
  }  // else an HTTP exchange that belongs to no session
}

const SessionKey* Ledger::started_as(const SessionKey& starting) const {
  const auto it = started_.find(starting);
  return it == started_.end() ? nullptr : &it->second;
}

Session& Ledger::session_of(const Entry& entry) {
  auto [it, fresh] = sessions_.try_emplace(entry.session);
  Session& session = it->second;
  if (fresh) {
    session.key = entry.session;
    if (!session.key.starting) session.id = session_id(session.key.print);
    session.start = entry.header.start;
  }
  session.start = std::min(session.start, entry.header.start);
  session.end = std::max(session.end, last_message_of(entry));
  session.guessed |= entry.header.has(trace::kGuessedSession);
  if (session.files.empty() || session.files.back() != entry.file) session.files.push_back(entry.file);
  return session;
}

Stretch& Ledger::stretch_of(Session& session, const Entry& entry, const SpanKey& root) {
  auto known = std::ranges::find(session.stretches, root, &Stretch::root);
  if (known == session.stretches.end()) {
    known = session.stretches.insert(known, Stretch{});
    known->root = root;
    known->start = entry.header.start;
  }
  Stretch& stretch = *known;
  stretch.start = std::min(stretch.start, entry.header.start);
  stretch.end = std::max(stretch.end, last_message_of(entry));
  stretch.derived |= entry.header.has(trace::kDerivedIds);
  if (entry.is_open()) {
    if (entry.held) stretch.live_files.push_back(entry.file);
    std::erase_if(stretch.closings, of_file(entry.file));  // it went on
    session.written = std::max(session.written, entry.modified);
  }
  return stretch;
}

// All that there is of a session that starts is its initialize. Where its process dies its root is made up: in a trace
// of its own the span that the initialize is nested in, and in its caller's there is none.
void Ledger::add_starting(const Entry& entry) {
  Session& session = session_of(entry);
  const SpanId root = entry.header.has(trace::kJoined) ? entry.header.span_id : entry.header.parent_id;
  stretch_of(session, entry, {entry.header.trace_id, root});
  if (const auto span = otlp::decode_span(entry.bytes)) describe(session, entry, *span);
}

void Ledger::add_root(const Entry& entry) {
  Session& session = session_of(entry);
  Stretch& stretch = stretch_of(session, entry, key_of(entry.header));
  stretch.parent = entry.header.parent_id;
  if (entry.type == RecordType::kSessionClose) {
    std::erase(stretch.live_files, entry.file);
    std::erase_if(stretch.closings, of_file(entry.file));
    stretch.closings.push_back({entry.file, !entry.header.has(trace::kEndUnseen)});
  }
  std::optional<otlp::Span> span;
  if (!entry.bytes.empty()) {
    if (auto decoded = otlp::decode_span(entry.bytes)) span = *std::move(decoded);
  }
  if (span) {
    describe(session, entry, *span);
    for (const otlp::Link& link : span->links) {
      if (is_previous(link)) stretch.previous = SpanKey{link.trace_id, link.span_id};
    }
  }
  add_part(entry, span ? &*span : nullptr, stretch);
}

void Ledger::add_part(const Entry& entry, const otlp::Span* span, Stretch& stretch) {
  const trace::SpanHeader& header = entry.header;
  std::string instance;
  if (const otlp::Resource* resource = entries_.resource_of(entry)) {
    instance = text_attribute(resource->attributes, trace::kServiceInstanceId);
  }
  const auto same = std::ranges::find_if(
      stretch.parts, [&](const Part& part) { return part.instance == instance && part.start == header.start; });
  if (entry.type == RecordType::kSessionOpen) {
    std::erase(stretch.without_part, instance);
    const bool may_lack = stretch.derived || !stretch.parts.empty();
    const bool goes_on = same != stretch.parts.end() && same->file == entry.file;
    if (goes_on || (may_lack && same == stretch.parts.end())) stretch.without_part.push_back(std::move(instance));
    return;
  }
  if (span == nullptr) return;
  // A root's span in a block is read after the session_close that repeats it, and after what may have followed that.
  if (entry.type == RecordType::kSpan && same != stretch.parts.end() && same->end >= end_of(header)) return;
  stretch.root_seen = true;
  stretch.error_type.clear();
  if (header.status == trace::StatusCode::kError) stretch.error_type = text_attribute(*span, trace::Attr::kErrorType);
  std::erase(stretch.without_part, instance);
  Part part{.file = entry.file,
            .instance = std::move(instance),
            .start = header.start,
            .end = end_of(header),
            .counts = root_counts(*span)};
  if (same == stretch.parts.end()) {
    stretch.parts.push_back(std::move(part));
  } else if (same->end <= part.end) {
    *same = std::move(part);
  }
}

void Ledger::describe(Session& session, const Entry& entry, const otlp::Span& span) {
  describe_session(span, session);
  if (const otlp::Resource* resource = entries_.resource_of(entry)) {
    if (std::string name = text_attribute(resource->attributes, trace::kServiceName); !name.empty()) {
      session.service = std::move(name);
    }
  }
  if (!session.client_process.empty() && !session.command.empty()) {
    launched_[{session.client_process, session.command}].insert(session.key);
  }
}

void Ledger::begin_counting(const std::vector<SessionKey>& sessions) {
  tallies_.clear();
  for (const SessionKey& key : sessions) tallies_.try_emplace(key);
}

void Ledger::count(const Entry& entry) {
  const auto it = tallies_.find(entry.session);
  if (it == tallies_.end() || !entry.is_span()) return;
  const trace::SpanHeader& header = entry.header;
  Tally& tally = it->second;
  tally.end = std::max(tally.end, last_message_of(entry));
  tally.heard = std::max(tally.heard, end_of(header));
  if (entry.type == RecordType::kCallOpen) tally.open.try_emplace(key_of(header), header);
  tally.opened |= !header.has(trace::kStanding | trace::kFromServer);
  if (entry.type != RecordType::kSpan) return;
  if (header.has(trace::kRootSpan)) return add_root(entry);
  if (header.has(trace::kLateAnswer)) return;
  if (!tally.seen.insert(key_of(header)).second) return;
  note_ended(entry, tally.course);
  if (header.status == trace::StatusCode::kError) ++tally.counts.errors;
  const bool call = header.operation == Operation::kToolCall && !header.has(trace::kFromServer);
  if (call && header.outcome != Outcome::kRedirected) {
    ++tally.counts.calls;
    ++tally.counts.outcomes[static_cast<std::size_t>(header.outcome) % kOutcomes];
  }
  // A legacy server refuses the probe of a modern client: what that asked for says nothing of the session.
  const bool discovered = header.operation == Operation::kDiscover && header.outcome == Outcome::kOk;
  if (header.operation == Operation::kInitialize || discovered) {
    const auto session = sessions_.find(it->first);
    if (const auto span = otlp::decode_span(entry.bytes); span && session != sessions_.end()) {
      describe(session->second, entry, *span);
    }
  }
}

void Ledger::count_killed_calls(Tally& tally) {
  for (const auto& [key, header] : tally.open) {
    const KilledEnd killed = killed_end(header);
    if (killed.error) ++tally.counts.errors;
    if (header.operation != Operation::kToolCall || header.has(trace::kFromServer)) continue;
    ++tally.counts.calls;
    ++tally.counts.outcomes[static_cast<std::size_t>(killed.outcome)];
  }
}

// Without a stretch its opening is in a file that is gone, or it never had one: HTTP exchanges that hold no request.
bool Ledger::is_live(const Session& session) const {
  if (session.stretches.empty()) {
    const auto held = [this](std::uint32_t file) { return held_.contains(file); };
    return session.left_open && std::ranges::any_of(session.files, held);
  }
  return std::ranges::any_of(session.stretches, [](const Stretch& stretch) { return !stretch.live_files.empty(); });
}

// Did its client start the same server again soon after, and get an answer?
bool Ledger::was_followed(const Session& session) const {
  const auto launched = launched_.find({session.client_process, session.command});
  return launched != launched_.end() && std::ranges::any_of(launched->second, [&](const SessionKey& key) {
           const Session* const other = find(key);
           return other != nullptr && other != &session && other->start >= session.start &&
                  other->start <= mcptrace::add(session.end, kFollowedWithin) &&
                  (shows_answer(*other) || other->course.answered);
         });
}

void Ledger::end_counting(bool complete) {
  for (auto& [key, tally] : tallies_) {
    Session& session = sessions_.at(key);
    std::erase_if(tally.open, [&tally](const auto& open) { return tally.seen.contains(open.first); });
    for (const auto& [span, header] : tally.open) note_open(header, tally.course);
    session.left_open = !tally.open.empty();
    session.live = is_live(session);
    if (!session.live) count_killed_calls(tally);
    session.tallied = true;
    session.opened = !session.stretches.empty() || tally.opened;
    session.counted = complete || !tally.seen.empty();
    session.at_least = !complete;
    session.end = std::max(session.end, session.live || session.over() ? tally.end : tally.heard);
    session.course = std::move(tally.course);
    session.counts = tally.counts;
  }
  tallies_.clear();
}

void Ledger::settle(Nanos now) {
  for (auto& [key, session] : sessions_) {
    std::ranges::sort(session.stretches, [](const Stretch& a, const Stretch& b) {
      return a.start != b.start ? a.start < b.start : a.root < b.root;
    });
    for (const Stretch& stretch : session.stretches) session.end = std::max(session.end, stretch.end);
    session.live = is_live(session);
    session.activity = session.end;
    if (!session.over() && !session.tallied) session.activity = std::max(session.activity, session.written);
    session.of_roots = settles_itself(session);
    if (!session.of_roots) continue;
    session.counts = {};
    for (const Stretch& stretch : session.stretches) {
      for (const Part& part : stretch.parts) session.counts += part.counts;
    }
    session.counted = true;
    session.at_least = false;
  }
  for (auto& [key, session] : sessions_) judge(session, now);
}

// Once it is known of all of them whether they got an answer.
void Ledger::judge(Session& session, Nanos now) const {
  session.state = state_of(session, now);
  const bool probe =
      session.state != State::kOpen && only_discovers(session) && (session.course.answered || was_followed(session));
  session.kind = probe ? Class::kProbe : Class::kAgent;
  session.failure = probe ? Failure::kNone : failure_of(session, now);
  if (session.failure != Failure::kNone) session.state = State::kFailed;
}

const Session* Ledger::find(const SessionKey& key) const {
  const auto it = sessions_.find(key);
  return it == sessions_.end() ? nullptr : &it->second;
}

}  // namespace mcptrace::ledger
