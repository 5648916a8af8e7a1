// What waits for one destination: spans become batches, batches are sent, at most two at a time, and come back with a
// judgement. Pure: told the time, it does no I/O. Bounded: it wants no more while two full batches wait. One thread.
//
//   while (outbox.wants()) outbox.add(told, resource, span, now);
//   while (const Batch* batch = outbox.next(now, hurry)) send(*batch);     // it stays the outbox's
//   outbox.done(*batch, judgement, now, refused);                          // of each, once
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <vector>

#include "ship/batch.h"
#include "ship/judge.h"
#include "ship/pace.h"
#include "ship/settings.h"

namespace mcptrace::ship {

struct OutboxCounts {
  std::uint64_t delivered = 0;  // spans
  std::uint64_t rejected = 0;   // spans that the receiver said it did not take, of requests that it took
  std::uint64_t set_aside = 0;  // spans that it always refuses
};

class Outbox {
 public:
  Outbox(const Settings& settings, Random& random);

  [[nodiscard]] bool wants() const;
  void add(const ledger::SpanKey& told, std::string_view resource, std::string_view span, Nanos now);
  // The batch that is to be sent now; null: none. `hurry`: one that is not full need not wait.
  const Batch* next(Nanos now, bool hurry);
  // What the receiver always refuses is appended to `refused`; it is counted as set aside, and decided.
  void done(const Batch& batch, const Judgement& judgement, Nanos now, std::vector<Batch>& refused);

  // When next() may have something that it has not now; nothing: only after add() or done().
  [[nodiscard]] std::optional<Nanos> next_deadline() const;
  [[nodiscard]] bool empty() const { return filling_.empty() && waiting_.empty() && sending_.empty(); }
  [[nodiscard]] std::size_t sending() const { return sending_.size(); }
  // All that was added and is not decided.
  [[nodiscard]] std::vector<ledger::SpanKey> undecided() const;
  [[nodiscard]] const OutboxCounts& counts() const { return counts_; }
  // Of a restart.
  void go_on_from(const OutboxCounts& counts) { counts_ = counts; }
  [[nodiscard]] const Pace& pace() const { return pace_; }
  // The configuration or a credential has changed: what was refused may be taken.
  void try_again() { pace_.good(); }

 private:
  void close_filling();
  void put_back(Batch batch);
  void halve(Batch batch);
  void refuse(Batch batch, Nanos now, std::vector<Batch>& refused);

  Limits limits_;
  Nanos delay_;
  Pace pace_;
  std::size_t batch_bytes_;  // what has been learnt of the receiver's limit
  std::uint64_t spans_read_ = 0;
  Batch filling_;
  Nanos filling_since_{};
  std::list<Batch> waiting_, sending_;
  std::size_t refused_in_row_ = 0;
  OutboxCounts counts_;
};

}  // namespace mcptrace::ship
