#include "query/catalog.h"

#include <algorithm>
#include <optional>

#include "base/keyed_hash.h"
#include "otlp/encode.h"
#include "query/root_attributes.h"
#include "query/text.h"

namespace mcptrace::query {
namespace {

using spool::RecordType;
using trace::Operation;
using trace::Outcome;

constexpr std::int64_t kProbeRequests = 8;  // a session of more is not looked at for being a probe

Nanos end_of(const trace::SpanHeader& header) { return add(header.start, std::max(header.duration, Nanos(0))); }

bool settles_itself(const Session& session) {
  return !session.stretches.empty() && std::ranges::all_of(session.stretches, [](const Stretch& stretch) {
    return stretch.root_seen && stretch.live_files.empty() && stretch.without_part.empty();
  });
}

State state_by_roots(const Session& session) {
  for (const Stretch& stretch : session.stretches) {
    if (!stretch.live_files.empty()) return State::kOpen;
  }
  return session.stretches.back().closed() ? State::kClosed : State::kKilled;
}

Class class_of(const Session& session) {
  const bool only_discover = session.tallied && session.discover_spans > 0 && session.other_spans == 0 &&
                             session.counts.requests <= static_cast<std::int64_t>(session.discover_spans);
  return only_discover && session.state != State::kOpen ? Class::kProbe : Class::kAgent;
}

bool may_be_probe(const Session& session) {
  return session.counts.calls == 0 && session.counts.notifications == 0 && session.counts.requests <= kProbeRequests;
}

}  // namespace

bool needs_count(const Session& session) {
  return !session.tallied && (!settles_itself(session) || may_be_probe(session));
}

SessionKey session_key(const trace::SpanHeader& header) {
  if (header.session_print != 0) return {header.session_print, {}};
  return {0, header.trace_id};
}

std::string session_id(std::uint64_t print) { return print == 0 ? std::string() : "s-" + hex64(print); }

void Catalog::begin_file(std::uint32_t number, bool locked, Nanos modified) {
  number_ = number;
  file_ = &files_[number];
  if (file_->locked && !locked) {
    for (auto& [key, session] : sessions_) {
      for (Stretch& stretch : session.stretches) std::erase(stretch.live_files, number);
    }
  }
  file_->locked = locked;
  file_->modified = modified;
}

void Catalog::add(const spool::Record& record) {
  if (record.type == RecordType::kResource) {
    std::uint32_t number = 0;
    std::string_view bytes;
    if (!otlp::split_resource_record(record.payload, number, bytes)) {
      ++unsupported_;
    } else if (auto resource = otlp::decode_resource(bytes)) {
      file_->resources[number] = *std::move(resource);
    }
    return;
  }
  trace::SpanHeader header;
  std::string_view bytes;
  if (!otlp::split_record(record.payload, header, bytes)) {
    ++unsupported_;
  } else if ((header.flags & trace::kWithdrawn) != 0) {
    withdraw(session_key(header), bytes);
  } else if (withdrawn_.contains(session_key(header))) {
    // It is told elsewhere.
  } else if ((header.flags & trace::kRootSpan) != 0 || record.type == RecordType::kSessionOpen ||
             record.type == RecordType::kSessionClose) {
    add_root(record.type, header, bytes);
  } else if (header.session_print != 0 || sessions_.contains(session_key(header))) {
    session_of(header);
  }  // else an HTTP exchange that belongs to no session
}

void Catalog::withdraw(const SessionKey& key, std::string_view bytes) {
  SpanKey& root = withdrawn_[key];
  sessions_.erase(key);
  const auto span = otlp::decode_span(bytes);
  if (!span) return;
  for (const otlp::Link& link : span->links) {
    if (is_session(link)) root = {link.trace_id, link.span_id};
  }
}

const Session* Catalog::moved_to(const SessionKey& key) const {
  const auto withdrawn = withdrawn_.find(key);
  if (withdrawn == withdrawn_.end()) return nullptr;
  for (const auto& [other, session] : sessions_) {
    if (std::ranges::find(session.stretches, withdrawn->second, &Stretch::root) != session.stretches.end()) {
      return &session;
    }
  }
  return nullptr;
}

std::set<SessionKey> Catalog::withdrawn() const {
  std::set<SessionKey> keys;
  for (const auto& [key, root] : withdrawn_) keys.insert(key);
  return keys;
}

bool Catalog::any_locked() const {
  return std::ranges::any_of(files_, [](const auto& entry) { return entry.second.locked; });
}

Session& Catalog::session_of(const trace::SpanHeader& header) {
  const SessionKey key = session_key(header);
  auto [it, fresh] = sessions_.try_emplace(key);
  Session& session = it->second;
  if (fresh) {
    session.key = key;
    session.id = session_id(key.print);
    session.start = header.start;
  }
  session.start = std::min(session.start, header.start);
  session.end = std::max(session.end, end_of(header));
  session.guessed |= (header.flags & trace::kGuessedSession) != 0;
  if (session.files.empty() || session.files.back() != number_) session.files.push_back(number_);
  return session;
}

Stretch& Catalog::stretch_of(Session& session, const trace::SpanHeader& header) {
  const SpanKey key{header.trace_id, header.span_id};
  for (Stretch& stretch : session.stretches) {
    if (stretch.root == key) return stretch;
  }
  Stretch& stretch = session.stretches.emplace_back();
  stretch.root = key;
  stretch.parent = header.parent_id;
  stretch.start = header.start;
  stretch.end = end_of(header);
  return stretch;
}

void Catalog::add_root(RecordType type, const trace::SpanHeader& header, std::string_view bytes) {
  Session& session = session_of(header);
  Stretch& stretch = stretch_of(session, header);
  stretch.start = std::min(stretch.start, header.start);
  stretch.end = std::max(stretch.end, end_of(header));
  stretch.derived |= (header.flags & trace::kDerivedIds) != 0;
  if (type == RecordType::kSessionOpen) {
    if (file_->locked) stretch.live_files.push_back(number_);
    std::erase(stretch.closed_in, number_);  // it went on
    session.written = std::max(session.written, file_->modified);
  } else if (type == RecordType::kSessionClose) {
    std::erase(stretch.live_files, number_);
    std::erase(stretch.closed_in, number_);
    stretch.closed_in.push_back(number_);
  }
  std::optional<otlp::Span> span;
  if (!bytes.empty()) {
    if (auto decoded = otlp::decode_span(bytes)) span = *std::move(decoded);
  }
  if (span) {
    describe(session, header, *span);
    for (const otlp::Link& link : span->links) {
      if (is_previous(link)) stretch.previous = SpanKey{link.trace_id, link.span_id};
    }
  }
  std::string instance;
  if (const otlp::Resource* resource = resource_of(header)) {
    instance = text_attribute(resource->attributes, trace::kServiceInstanceId);
  }
  const auto same = std::ranges::find_if(
      stretch.parts, [&](const Part& part) { return part.instance == instance && part.start == header.start; });
  if (type == RecordType::kSessionOpen) {
    std::erase(stretch.without_part, instance);
    const bool may_lack = stretch.derived || !stretch.parts.empty();
    const bool goes_on = same != stretch.parts.end() && same->file == number_;
    if (goes_on || (may_lack && same == stretch.parts.end())) stretch.without_part.push_back(std::move(instance));
    return;
  }
  if (!span) return;
  // A root's span in a block is read after the session_close that repeats it, and after what may have followed that.
  if (type == RecordType::kSpan && same != stretch.parts.end() && same->end >= end_of(header)) return;
  stretch.root_seen = true;
  stretch.failed = header.status == trace::StatusCode::kError;
  std::erase(stretch.without_part, instance);
  Part part{.file = number_,
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

const otlp::Resource* Catalog::resource_of(const trace::SpanHeader& header) const {
  const auto it = file_->resources.find(header.resource);
  return it == file_->resources.end() ? nullptr : &it->second;
}

void Catalog::describe(Session& session, const trace::SpanHeader& header, const otlp::Span& span) {
  describe_session(span, session);
  if (const otlp::Resource* resource = resource_of(header)) {
    if (std::string name = text_attribute(resource->attributes, trace::kServiceName); !name.empty()) {
      session.service = std::move(name);
    }
  }
}

void Catalog::begin_counting(const std::vector<SessionKey>& sessions) {
  tallies_.clear();
  for (const SessionKey& key : sessions) tallies_.try_emplace(key);
}

void Catalog::count(const spool::Record& record) {
  if (record.type == RecordType::kResource) return add(record);
  trace::SpanHeader header;
  std::string_view bytes;
  if (!otlp::split_record(record.payload, header, bytes)) return;
  const auto it = tallies_.find(session_key(header));
  if (it == tallies_.end()) return;
  Tally& tally = it->second;
  tally.end = std::max(tally.end, end_of(header));
  if (record.type == RecordType::kCallOpen) tally.open.try_emplace({header.trace_id, header.span_id}, header);
  tally.opened |= (header.flags & (trace::kStanding | trace::kFromServer)) == 0;
  if (record.type != RecordType::kSpan) return;
  if ((header.flags & trace::kRootSpan) != 0) return add_root(record.type, header, bytes);
  if ((header.flags & trace::kLateAnswer) != 0) return;
  if (!tally.seen.insert({header.trace_id, header.span_id}).second) return;
  ++(header.operation == Operation::kDiscover ? tally.discover : tally.other);
  if (header.status == trace::StatusCode::kError) ++tally.counts.errors;
  if (header.operation == Operation::kToolCall && header.outcome != Outcome::kRedirected) {
    ++tally.counts.calls;
    ++tally.counts.outcomes[static_cast<std::size_t>(header.outcome) % kOutcomes];
  }
  // A legacy server refuses the probe of a modern client: what that asked for says nothing of the session.
  const bool discovered = header.operation == Operation::kDiscover && header.outcome == Outcome::kOk;
  if (header.operation == Operation::kInitialize || discovered) {
    const auto session = sessions_.find(it->first);
    if (const auto span = otlp::decode_span(bytes); span && session != sessions_.end()) {
      describe(session->second, header, *span);
    }
  }
}

// As SpanSet::finish makes them spans.
void Catalog::count_killed_calls(Tally& tally) {
  for (const auto& [key, header] : tally.open) {
    if (tally.seen.contains(key)) continue;
    const bool standing = (header.flags & trace::kStanding) != 0, derived = (header.flags & trace::kDerivedIds) != 0;
    if (!standing && !derived) ++tally.counts.errors;
    if (header.operation != Operation::kToolCall) continue;
    ++tally.counts.calls;
    ++tally.counts.outcomes[static_cast<std::size_t>(derived ? Outcome::kUnobserved : Outcome::kAbandoned)];
  }
}

// Without a stretch its opening is in a file that is gone, or it never had one: HTTP exchanges that hold no request.
State Catalog::state_of(const Session& session) const {
  if (!session.stretches.empty()) return state_by_roots(session);
  if (!session.left_open) return State::kClosed;
  const bool live = std::ranges::any_of(session.files, [this](std::uint32_t file) { return files_.at(file).locked; });
  return live ? State::kOpen : State::kKilled;
}

void Catalog::end_counting(bool complete) {
  for (auto& [key, tally] : tallies_) {
    Session& session = sessions_.at(key);
    session.left_open =
        std::ranges::any_of(tally.open, [&tally](const auto& entry) { return !tally.seen.contains(entry.first); });
    session.state = state_of(session);
    if (session.state != State::kOpen) count_killed_calls(tally);
    session.tallied = true;
    session.opened = !session.stretches.empty() || tally.opened;
    session.counted = complete || !tally.seen.empty();
    session.at_least = !complete;
    session.end = std::max(session.end, tally.end);
    session.discover_spans = tally.discover;
    session.other_spans = tally.other;
    session.counts = tally.counts;
  }
  tallies_.clear();
}

void Catalog::settle() {
  for (auto& [key, session] : sessions_) {
    if (session.stretches.empty()) {
      session.activity = session.end;
      session.state = state_of(session);
      continue;
    }
    std::ranges::sort(session.stretches, [](const Stretch& a, const Stretch& b) {
      return a.start != b.start ? a.start < b.start : a.root < b.root;
    });
    for (const Stretch& stretch : session.stretches) session.end = std::max(session.end, stretch.end);
    session.state = state_of(session);
    session.activity = session.end;
    if (session.state != State::kClosed && !session.tallied)
      session.activity = std::max(session.activity, session.written);
    session.of_roots = settles_itself(session);
    if (session.of_roots) {
      session.counts = {};
      for (const Stretch& stretch : session.stretches) {
        for (const Part& part : stretch.parts) session.counts += part.counts;
      }
      session.counted = true;
      session.at_least = false;
    }
    session.kind = class_of(session);
  }
}

const Session* Catalog::find(const SessionKey& key) const {
  const auto it = sessions_.find(key);
  return it == sessions_.end() ? nullptr : &it->second;
}

}  // namespace mcptrace::query
