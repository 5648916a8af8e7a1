// From the spool's files to the read model: the only file of this folder that reads. It reads the newest files first
// and no more than it must; what it could not read it says (Skips).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/ledger.h"
#include "query/model.h"
#include "query/skips.h"
#include "spool/reader.h"

namespace mcptrace::query {

struct SessionQuery {
  Nanos now{};  // wall: states are told by it
  std::size_t limit = 20;
  std::optional<Nanos> since;  // wall: with a sign of life from then on
  bool errors = false;         // with errors only: of requests, or of the session
  bool all = false;            // probes too
  std::string server;          // service.name or the server's own name; empty: any
};

struct SessionList {
  std::vector<Session> sessions;    // newest activity first
  std::uint64_t hidden_probes = 0;  // met on the way to the limit
  bool more = false;                // there are others that fit
  bool empty_spool = false;
  Skips skips;
};
Result<SessionList> load_sessions(const std::string& directory, const SessionQuery& query);

// A session found by what a user typed.
struct Found {
  std::optional<Session> session;  // none: the id is of a trace that sessions joined
  std::vector<TraceId> traces;     // its stretches; or that trace
  std::optional<TraceId> joined;   // the trace that was asked for: all of it, whoever took part
  std::uint64_t others = 0;        // sessions beside it, where no id was given
  std::vector<std::string> paths;  // the files that hold it
  std::set<std::string> held;      // those of them that a living process writes to
};
// `id`: a trace id, a session id with or without "s-", or a prefix of either of at least 4 digits; empty: the newest
// session. Errors: kInvalidArgument (no id), kNotFound, kAmbiguous (the message names the candidates).
Result<Found> find_session(const std::string& directory, std::string_view id, Nanos now, Skips& skips);

Result<TraceView> load_spans(const Found& found, Nanos now, Skips& skips);

// Sessions that somebody may go on with, by the records of files that a living process holds; and which files of theirs
// it has let go.
struct LiveSessions {
  std::uint64_t count = 0;
  spool::InUse in_use;
};
Result<LiveSessions> live_sessions(const std::string& directory);

}  // namespace mcptrace::query
