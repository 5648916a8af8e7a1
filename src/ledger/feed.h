// What a consumer of the spool (shipping, a store) is told: every span that ended and every log record, in the order of
// its file, and, where a process died, the ends of what it left open. It keeps its place on disk (Cursor): after a
// restart what was decided is not told again, what was told and not decided is. At least once: whoever saves late is
// told again. One thread.
//
//   auto feed = Feed::open(directory, "ship");
//   feed->read([&](const Entry& span) { … });          // again and again, when something may have come
//   feed->save(undecided);                               // now and then: the rest of what was told is done with
//
// Being read deletes nothing. What the spool expired before it was told is lost, and counted there.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "ledger/cursor.h"
#include "ledger/entries.h"
#include "spool/reader.h"

namespace mcptrace::ledger {

struct FeedOptions {
  std::size_t most_open_bytes = 64u << 20;  // of spans that are open; what is open beyond it has no end if it is killed
  // Only what processes wrote whose environment named this one (spool/destinations.h); empty: everything. Files of
  // others are passed by: read as to where they are written to, whatever is in them.
  std::string destination{};
  bool peek = false;  // somebody else is this consumer: its cursor is read and never written; there is no save()
};

class Feed {
 public:
  // `directory`: the spool's. `consumer`: its name, for one process at a time.
  static Result<Feed> open(const std::string& directory, const std::string& consumer, FeedOptions options = {});

  // A span that ended (entry.type is kSpan) or a log record (kLog); entry.bytes are whole. Roots are told each time
  // they are written.
  using Tell = std::function<void(const Entry& entry)>;
  // Tells what came: some `most` of it (a block is never left half told), and then those of what was killed. How many;
  // less than `most`: it was all that there is.
  Result<std::size_t> read(const Tell& tell, std::size_t most = 10'000);
  // While read() has not come to the end of what there is: of what is being written now, as much of it as `most`,
  // before what is older. Nothing of it is told twice.
  // `look`: also at what has come since somebody looked, which costs a look at every file.
  Result<std::size_t> read_ahead(const Tell& tell, std::size_t most, bool look);
  // Nothing is left to be told of what was there at the last read(): not even the ends of what was killed, which are
  // known a round later.
  [[nodiscard]] bool settled() const;
  // The roots of sessions that are open, as they were written last (session_open), with the last sign of their session.
  using SeeRoot = std::function<void(const trace::SpanHeader& header, std::string_view bytes, Nanos last,
                                     std::string_view resource)>;
  void open_roots(const SeeRoot& see) const;
  // `undecided`: of all that was told, spans that have to be told again after a restart, with what is logged of them.
  Result<> save(std::span<const SpanKey> undecided);

  // Its resources are known as long as a span of their file is undecided; its counters, too.
  [[nodiscard]] const Entries& entries() const { return entries_; }
  // What could not be read.
  [[nodiscard]] const spool::Skipped& skipped() const { return skipped_; }
  // Deleted before all of it was told. What of it had been read is not known of files from before our start.
  struct Missed {
    std::uint64_t files = 0, bytes = 0;
  };
  [[nodiscard]] const Missed& missed() const { return missed_; }
  // Open spans that were not kept, for want of room.
  [[nodiscard]] std::uint64_t left_out() const { return left_out_; }

 private:
  struct File {
    std::string path, name;
    std::uint64_t bytes = 0, position = 0;
    Nanos modified{};
    bool held = false;
    bool there = false;
    bool found_ahead = false;    // since the round began: what is older may have grown before it
    bool read_in_round = false;  // to the end that it had at its beginning
    bool missed = false;         // it is gone, and that was noted
    bool read_out = false;       // nobody adds to it, and it was read to its end
    bool closed = false;         // ... and what was left open in it has been told
    // From before our start: it was closed, and up to there told; of that only `wanted` is told again.
    bool was_closed = false;
    bool passed_by = false;  // not of our destination: only its first record is ever read
    std::uint64_t told = 0;
    std::unordered_multiset<SpanKey, SpanKeyHash> wanted;  // as often as it was told

    void grow(const spool::FileInfo& info) {
      bytes = info.bytes;
      modified = info.modified;
      if (passed_by) position = bytes;
    }
  };
  struct Open {
    trace::SpanHeader header;
    std::string bytes;
    SessionKey session;
    std::uint32_t resource = kNoResource;
    std::set<std::uint32_t> files;  // that say it is open
  };
  struct OpenSession {
    std::size_t spans = 0;  // that are open
    Nanos last{};           // its last sign
  };
  struct Told {
    SpanKey key;
    std::uint32_t file = 0;
    std::uint64_t position = 0;  // before its record
  };

  Feed(std::string directory, Cursor cursor, FeedOptions options)
      : directory_(std::move(directory)), cursor_(std::move(cursor)), options_(std::move(options)) {}

  Result<> look();
  Result<> look_ahead();
  void note_missed(File& file);
  File* find_or_begin(const spool::FileInfo& info);
  std::size_t read_file(std::uint32_t number, const Tell& tell, std::size_t most);
  bool take(std::uint64_t position, const Entry& entry, const Tell& tell);
  bool tell_if_new(bool old, std::uint64_t position, const Entry& entry, const Tell& tell);
  void keep_open(std::uint64_t position, const Entry& entry);
  bool end_open(const SpanKey& key);
  std::size_t end_what_was_left(const Tell& tell);
  [[nodiscard]] bool is_left(const Open& open) const;
  void forget_files();

  std::string directory_;
  Cursor cursor_;
  FeedOptions options_;
  Entries entries_;
  std::map<std::uint32_t, File> files_;  // by number: the oldest first
  // Ends that were read ahead of an older file, which may say that these were open: kept until the round after, which
  // has read all that is older.
  struct EndedAhead {
    std::uint32_t file = 0;
    std::uint64_t position = 0, round = 0;
  };
  std::unordered_map<SpanKey, EndedAhead, SpanKeyHash> ended_ahead_;
  std::uint64_t rounds_ = 0;
  bool ahead_ = false;     // read_ahead() reads
  bool in_round_ = false;  // the last read() left some of what was there
  std::map<std::string, std::uint32_t, std::less<>> numbers_;
  std::uint32_t next_number_ = 0;
  std::map<SpanKey, Open> open_;
  std::map<SpanId, SpanKey> starting_;  // of those that have no session yet
  std::map<SessionKey, OpenSession> sessions_;
  std::size_t open_bytes_ = 0;
  std::uint64_t left_out_ = 0;
  Missed missed_;
  spool::Skipped skipped_;
  std::vector<Told> told_;  // and not known to be decided
};

}  // namespace mcptrace::ledger
