#include "observe/stretches.h"

#include <string>
#include <utility>

namespace mcptrace::observe {
namespace {

using Kind = SessionKey::Kind;

// Days of UTC since the epoch.
std::int64_t utc_day(Nanos wall) { return wall.count() / Nanos(std::chrono::hours(24)).count(); }

template <class Id>
Id take_id(const Digest& digest, std::size_t offset) {
  Id id;
  std::copy_n(digest.begin() + static_cast<std::ptrdiff_t>(offset), Id::kBytes, id.bytes.begin());
  if (id.is_zero()) id.bytes[0] = 1;
  return id;
}

}  // namespace

mcp::CallContext Stretches::new_root(const SessionKey& session, Nanos wall, std::uint64_t print) {
  const bool guessed = session.kind == Kind::kGuessed;
  mcp::CallContext root;
  root.session = new_serial();
  root.session_print = print;
  if (print == 0) {
    KeyedHash hash(key_, guessed ? "guessed-session" : "session");
    // A transport's own session is one of this server; a conversation may go to several, and is theirs together.
    if (session.kind != Kind::kConversation) hash.update_field(session.name);
    hash.update_field(session.text);
    if (session.client != 0) hash.update_field(hex64(session.client));
    root.session_print = hash.finish64();
  }
  if (guessed) {
    root.root_trace_id = random_.trace_id();
    root.root_span_id = random_.span_id();
    return root;
  }
  // These follow from (name, key, UTC day), so that replicas with the same secret agree without talking.
  KeyedHash ids(key_, "derived-ids");
  ids.update_field(session.name);
  ids.update_field(session.text);
  ids.update_field(std::to_string(utc_day(wall)));
  const Digest digest = ids.finish();
  root.derived = true;
  root.root_trace_id = take_id<TraceId>(digest, 0);
  root.root_span_id = take_id<SpanId>(digest, 16);
  return root;
}

Stretch& Stretches::at(const SessionKey& session, Instant now, bool opens) {
  Stretch& stretch = find(session);
  const std::int64_t day = utc_day(now.wall);
  const bool fresh = stretch.root.session == 0;
  const bool over =
      session.kind == Kind::kGuessed ? is_silent(stretch, now.boot) || is_full(stretch) : stretch.day != day;
  const bool other = session.client != 0 && stretch.client != 0 && session.client != stretch.client;
  if (session.client != 0) stretch.client = session.client;
  if (!fresh && !other && !(over && (opens || !stretch.announced))) return stretch;
  const std::uint32_t previous = stretch.announced && !other ? stretch.root.session : 0;
  stretch.root = new_root(session, now.wall, other ? 0 : stretch.root.session_print);
  stretch.root.previous = previous;
  stretch.day = day;
  stretch.announced = false;
  stretch.open = stretch.calls = 0;
  stretch.last_message = now.boot;
  return stretch;
}

Stretch& Stretches::find(const SessionKey& session) {
  const TableHash::Value key = hash_(session.text, session.route << 2 | static_cast<std::uint64_t>(session.kind));
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    by_use_.splice(by_use_.end(), by_use_, by_use_.iterator_to(found->second));
    return found->second;
  }
  if (by_key_.size() < limits_.sessions) {
    Stretch& stretch = by_key_[key];
    stretch.key = key;
    stretch.kind = session.kind;
    by_use_.push_back(stretch);
    return stretch;
  }
  // Its node becomes the new one's: who still knows the old one sees that the serial is another.
  auto node = by_key_.extract(by_use_.front().key);
  by_use_.pop_front();
  Stretch& stretch = node.mapped() = {};
  node.key() = stretch.key = key;
  stretch.kind = session.kind;
  by_use_.push_back(stretch);
  by_key_.insert(std::move(node));
  return stretch;
}

}  // namespace mcptrace::observe
