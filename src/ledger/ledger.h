// Sessions out of the spool's records: which there are, who holds them, what was killed, and how the counts of several
// roots add up. Pure: fed record by record, file by file, in any order of files; may be fed on at any time. One thread.
//
//   Ledger ledger;
//   ledger.begin_file(7, held, modified);
//   while (auto record = reader.next()) if (auto entry = ledger.read(*record)) ledger.add(*entry);
//   ledger.settle(now);                               // ends, states, sums; may be fed and settled again
//   for (const auto& [key, session] : ledger.sessions()) ...
//
// add() needs no ended spans, so that blocks, which hold nothing else, can be passed over: where session_close
// repeats the root it has the counts. What that leaves open (a session that runs or was killed; a close without them;
// is it but a probe?) is learnt by count(), from all records of a session.
#pragma once

#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "ledger/entries.h"
#include "ledger/model.h"
#include "otlp/decode.h"

namespace mcptrace::ledger {

class Ledger {
 public:
  // Records of another file follow, or further ones of a file that was begun before. `number` is the caller's name for
  // the file; `held`: a living process writes to it; `modified`: its last write, wall. What a file that is no longer
  // held left open is not open.
  void begin_file(std::uint32_t number, bool held, Nanos modified);
  std::optional<Entry> read(const spool::Record& record) { return entries_.read(record); }
  [[nodiscard]] const Entries& entries() const { return entries_; }
  void add(const Entry& entry);

  // Counts from spans, for sessions whose roots do not tell: forgets what was counted before, then takes entries of any
  // number of files (announced by begin_file) for these sessions only, each span once.
  void begin_counting(const std::vector<SessionKey>& sessions);
  void count(const Entry& entry);
  // `complete`: all of their files were read.
  void end_counting(bool complete);

  // Brings start, end, state, class and sums up to date. `now`: wall.
  void settle(Nanos now);

  // A session whose opening is in a file that is gone, or that had none, has no stretches.
  [[nodiscard]] const std::map<SessionKey, Session>& sessions() const { return sessions_; }
  [[nodiscard]] const Session* find(const SessionKey& key) const;
  // The session that one that was starting proved to be; null: it is not known (yet).
  [[nodiscard]] const SessionKey* started_as(const SessionKey& starting) const;

 private:
  struct Tally {
    Counts counts;
    Course course;
    Nanos end{};                                                       // the last message
    Nanos heard{};                                                     // the last that any record tells of
    bool opened = false;                                               // by a request
    std::unordered_set<SpanKey, SpanKeyHash> seen;                     // ended
    std::unordered_map<SpanKey, trace::SpanHeader, SpanKeyHash> open;  // call_open
  };

  Session& session_of(const Entry& entry);
  Stretch& stretch_of(Session& session, const Entry& entry, const SpanKey& root);
  void add_root(const Entry& entry);
  void add_part(const Entry& entry, const otlp::Span* span, Stretch& stretch);
  void add_starting(const Entry& entry);
  static void count_killed_calls(Tally& tally);
  [[nodiscard]] bool is_live(const Session& session) const;
  [[nodiscard]] bool was_followed(const Session& session) const;
  void judge(Session& session, Nanos now) const;
  void describe(Session& session, const Entry& entry, const otlp::Span& span);

  Entries entries_;
  std::set<std::uint32_t> held_;
  std::map<SessionKey, Session> sessions_;
  std::map<SessionKey, SessionKey> started_;
  std::map<SessionKey, Tally> tallies_;
  // By what started them: client process and command.
  std::map<std::pair<std::string, std::string>, std::set<SessionKey>> launched_;
};

// Is there anything that only count() can tell?
bool needs_count(const Session& session);
// "s-" and 16 hex digits; "" for a session without print.
std::string session_id(std::uint64_t print);

}  // namespace mcptrace::ledger
