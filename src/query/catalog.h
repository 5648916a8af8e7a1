// Sessions out of the spool's records. Pure: fed record by record, file by file; one thread.
//
//   Catalog catalog;
//   catalog.begin_file(7, locked, modified);
//   while (auto record = reader.next()) catalog.add(*record);
//   catalog.settle();                                 // ends, states, sums; may be fed and settled again
//   for (const auto& [key, session] : catalog.sessions()) ...
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
#include <vector>

#include "query/model.h"
#include "spool/record.h"

namespace mcptrace::query {

class Catalog {
 public:
  // Records of another file follow, or further ones of a file that was begun before. `number` is the caller's name for
  // the file; `modified`: its last write, wall. What a file that is no longer locked left open is not open.
  void begin_file(std::uint32_t number, bool locked, Nanos modified);
  void add(const spool::Record& record);

  // Counts from spans, for sessions whose roots do not tell: forgets what was counted before, then takes records of any
  // number of files (announced by begin_file) for these sessions only, each span once.
  void begin_counting(const std::vector<SessionKey>& sessions);
  void count(const spool::Record& record);
  // `complete`: all of their files were read.
  void end_counting(bool complete);

  // Brings start, end, state, class and sums up to date.
  void settle();

  // A session whose opening is in a file that is gone, or that had none, has no stretches.
  [[nodiscard]] const std::map<SessionKey, Session>& sessions() const { return sessions_; }
  [[nodiscard]] const Session* find(const SessionKey& key) const;
  // What stood in a session of its own, and proved to be of another, which moved_to() gives once it has been read.
  [[nodiscard]] bool is_withdrawn(const SessionKey& key) const { return withdrawn_.contains(key); }
  [[nodiscard]] const Session* moved_to(const SessionKey& key) const;
  [[nodiscard]] std::set<SessionKey> withdrawn() const;
  // Somebody may still write to one of the files.
  [[nodiscard]] bool any_locked() const;
  // Of records that could not be understood: a newer layout.
  [[nodiscard]] std::uint64_t unsupported() const { return unsupported_; }

 private:
  struct File {
    bool locked = false;
    Nanos modified{};
    std::unordered_map<std::uint32_t, otlp::Resource> resources;  // by the number in its records
  };
  struct Tally {
    Counts counts;
    Nanos end{};
    std::uint64_t discover = 0, other = 0;
    bool opened = false;                                               // by a request
    std::unordered_set<SpanKey, SpanKeyHash> seen;                     // ended
    std::unordered_map<SpanKey, trace::SpanHeader, SpanKeyHash> open;  // call_open
  };

  Session& session_of(const trace::SpanHeader& header);
  Stretch& stretch_of(Session& session, const trace::SpanHeader& header);
  void withdraw(const SessionKey& key, std::string_view bytes);
  void add_root(spool::RecordType type, const trace::SpanHeader& header, std::string_view bytes);
  static void count_killed_calls(Tally& tally);
  [[nodiscard]] State state_of(const Session& session) const;
  void describe(Session& session, const trace::SpanHeader& header, const otlp::Span& span);

  [[nodiscard]] const otlp::Resource* resource_of(const trace::SpanHeader& header) const;

  std::uint32_t number_ = 0;  // of the file being read
  File* file_ = nullptr;
  std::map<std::uint32_t, File> files_;
  std::map<SessionKey, Session> sessions_;
  std::map<SessionKey, SpanKey> withdrawn_;  // and the root of the session that it proved to be; zero: nobody knows
  std::map<SessionKey, Tally> tallies_;
  std::uint64_t unsupported_ = 0;
};

// Is there anything that only count() can tell?
bool needs_count(const Session& session);
SessionKey session_key(const trace::SpanHeader& header);
// "s-" and 16 hex digits; "" for a session without print.
std::string session_id(std::uint64_t print);

}  // namespace mcptrace::query
