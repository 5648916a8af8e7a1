// Sessions, as the spool's records tell them: plain data, made by Ledger.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "ledger/entry.h"
#include "trace/span_record.h"

namespace mcptrace::ledger {

struct SpanKey {
  TraceId trace_id;
  SpanId span_id;
  auto operator<=>(const SpanKey&) const = default;
};
inline SpanKey key_of(const trace::SpanHeader& header) { return {header.trace_id, header.span_id}; }
struct SpanKeyHash {
  std::size_t operator()(const SpanKey& key) const {
    return std::hash<TraceId>()(key.trace_id) * 31 + std::hash<SpanId>()(key.span_id);
  }
};

inline constexpr std::size_t kOutcomes = static_cast<std::size_t>(trace::Outcome::kCount);

struct Counts {
  std::int64_t calls = 0;  // tools/call
  std::array<std::int64_t, kOutcomes> outcomes{};
  std::int64_t errors = 0;  // of any request
  std::int64_t requests = 0;
  std::int64_t notifications = 0;
  std::int64_t dropped = 0;
  std::int64_t not_json_lines = 0;
  std::int64_t not_json_bytes = 0;
  std::int64_t not_injected = 0;
  std::map<mcp::Finding, std::int64_t> findings;  // docs/findings.md; none is zero

  [[nodiscard]] std::int64_t of(trace::Outcome outcome) const { return outcomes[static_cast<std::size_t>(outcome)]; }
  Counts& operator+=(const Counts& other);
};

// What readers say of a session: the first that holds (docs/cli.md, State).
enum class State : std::uint8_t {
  kFailed,  // it could not be used: Failure says why
  kKilled,  // it never said that it was over, and no living process holds it; never with derived ids
  kClosed,  // its end was seen
  kOpen,    // a request is open, or a message came within a minute
  kIdle,    // none of these: most clients over HTTP never end a session
};
std::string_view state_text(State state);

enum class Failure : std::uint8_t {
  kNone,
  kNotStarted,   // the server could not be started
  kEndedFirst,   // ... ended before it had answered anything
  kRefused,      // ... refused the handshake, or could not be reached for it
  kNoAnswer,     // ... did not answer it before the client left, or within a minute
  kNeedsSignIn,  // every request was answered by 401 or 403
};
std::string_view failure_text(Failure failure);  // "not_started"; "" for kNone

// docs/cli.md: a probe is how a client finds out which era a server is of; hidden unless asked for, counted nowhere.
enum class Class : std::uint8_t { kAgent, kProbe };

// What the spans of a session tell of how it went; its roots do not.
struct Course {
  std::uint64_t discovers = 0, others = 0;  // spans of server/discover, and all others
  std::uint64_t asked = 0, denied = 0;      // requests of the client that ended; those that 401 or 403 answered
  bool answered = false;                    // one of them was, otherwise
  bool used = false;                        // ... by a result
  bool refused = false, silent = false;     // a handshake was, or nothing answered it
  bool waits = false;                       // a request is open
  std::optional<Nanos> handshake;           // when one began that is open
  std::string auth_scheme;                  // of a challenge
};

// What one process said of a stretch: its root as far as it went. A later one of the same process replaces it; but one
// that starts elsewhere comes on top: the process had forgotten the session, and counts anew from there.
struct Part {
  std::uint32_t file = 0;  // that holds it, as numbered for Ledger::begin_file
  std::string instance;    // service.instance.id
  Nanos start{}, end{};
  Counts counts;
};

// That a file says last of a stretch: it was closed. `seen`: as its end was, and not for silence or want of room.
struct Closing {
  std::uint32_t file = 0;
  bool seen = true;
};

// The part of a session under one root span.
struct Stretch {
  SpanKey root;
  SpanId parent;  // of the root; zero: none
  Nanos start{};
  Nanos end{};           // of the root where it is known, else of the last message seen
  bool derived = false;  // other processes may have written of the same ids
  bool root_seen = false;
  std::string error_type;  // the root's status is ERROR, and why; empty: it is not
  std::vector<Closing> closings;
  std::vector<std::uint32_t> live_files;  // locked files that say: open
  std::vector<Part> parts;
  std::vector<std::string> without_part;  // derived: processes that opened it, and wrote no root of it yet
  std::optional<SpanKey> previous;        // the root of the stretch before

  [[nodiscard]] bool end_was_seen() const { return std::ranges::any_of(closings, &Closing::seen); }
};

struct Session {
  SessionKey key;
  std::string id;       // "s-1f2e3d4c5b6a7988"; empty if it has none
  std::string service;  // service.name
  std::string client_name, client_version, server_name, server_version;
  std::string era, protocol_version, client_process, command, transport;
  std::vector<Stretch> stretches;    // oldest first
  std::vector<std::uint32_t> files;  // where records of it stand, as numbered for Ledger::begin_file
  Nanos start{};
  Nanos end{};       // the last message; where it was killed, the last that was heard of it
  Nanos activity{};  // newest sign of life: what lists are ordered by. At most that, until its spans were looked at
  Nanos written{};   // the newest write to a file in which it was open
  State state = State::kKilled;
  Failure failure = Failure::kNone;  // of kFailed
  Class kind = Class::kAgent;
  bool live = false;      // a living process holds it
  bool guessed = false;   // may hold several clients
  bool counted = false;   // the counts are known (from roots, or from all spans)
  bool at_least = false;  // ... but not every file was looked at
  bool of_roots = false;  // ... and they come from roots: what spans do not tell is among them
  Counts counts;
  std::optional<std::int64_t> exit_status, exit_signal;
  bool tallied = false;  // its spans were looked at; then:
  Course course;
  bool left_open = false;  // something was open when its process was last heard of
  bool opened = true;      // by a request: streams, exchanges and notifications alone are no session yet

  // Nobody has anything of it left to say.
  [[nodiscard]] bool over() const {
    return !live && (stretches.empty() ? !left_open : !stretches.back().closings.empty());
  }
  // Of its roots' errors the last; empty: there is none.
  [[nodiscard]] std::string_view error_type() const;
  // What people know the server by.
  [[nodiscard]] const std::string& server() const { return server_name.empty() ? service : server_name; }
};

}  // namespace mcptrace::ledger
