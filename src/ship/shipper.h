// Sends what the spool tells to one destination: reads it by a feed of its own, so that no destination waits for
// another, and keeps on disk what was delivered. Requests go out by a client that all share; it calls back on the same
// thread.
//
//   auto shipper = Shipper::open(settings, place);
//   shipper->pump(changed, hurry);       // again and again: when the spool changed, when a deadline came, after
//   answers
//
// At least once: what was under way when the process died is sent again. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "client/client.h"
#include "ledger/feed.h"
#include "ship/compress.h"
#include "ship/outbox.h"
#include "ship/request.h"
#include "ship/roots.h"
#include "ship/settings.h"
#include "ship/status.h"

namespace mcptrace::ship {

// What all shippers of an installation share; outlives them.
struct Place {
  std::string state;  // directory
  const HashKey& key;
  const Clock& clock;
  Random& random;
  client::Client& client;
  Compressor& compressor;
  Resolve resolve;
};

// <state>/ship/<name>.
std::string directory_of(const std::string& state, const std::string& name);

class Shipper {
 public:
  // `only`: but for what processes wrote whose environment named this destination, nothing is sent; empty: all is.
  static Result<std::unique_ptr<Shipper>> open(Settings settings, Place& place, const std::string& only);
  Shipper(const Shipper&) = delete;
  Shipper& operator=(const Shipper&) = delete;

  // `changed`: the spool may hold more. `hurry`: nothing waits for company.
  void pump(bool changed, bool hurry);
  // boot: when pump() may have something to do that nobody announces.
  [[nodiscard]] std::optional<Nanos> next_deadline() const;
  // Everything that the spool holds is decided, and that is on disk.
  [[nodiscard]] bool done() const { return !more_ && outbox_.empty() && !unsaved_; }
  // It holds more than what is read.
  [[nodiscard]] bool has_more() const { return more_ && outbox_.wants() && !stopped_; }
  // Nothing is in its way.
  [[nodiscard]] bool does_well() const { return outbox_.pace().is_good(); }
  // The receiver has refused nothing since we began.
  [[nodiscard]] bool all_taken() const { return refused() == refused_before_; }
  // Nothing more is sent; what is under way comes to its end.
  void stop() { stopped_ = true; }
  [[nodiscard]] bool stopped() const { return stopped_ && outbox_.sending() == 0; }
  // Credentials may have changed.
  void try_again() { outbox_.try_again(); }
  void save();

  [[nodiscard]] const Settings& settings() const { return settings_; }
  [[nodiscard]] const Status& status() const { return status_; }

 private:
  Shipper(Settings settings, Place& place, ledger::Feed feed);

  [[nodiscard]] std::uint64_t refused() const { return outbox_.counts().rejected + outbox_.counts().set_aside; }
  void read();
  bool read_ahead();
  void take(const ledger::Entry& entry);
  void take_root(const ledger::Entry& entry);
  void take_open_roots();
  void add(const ledger::SpanKey& told, const trace::SpanHeader& header, std::string_view resource,
           std::string_view bytes);
  bool is_wanted(const trace::SpanHeader& header);
  void send(const Batch& batch);
  void answered(const Batch& batch, const client::Answer& answer, const Secrets& secrets);
  void judged(const Batch& batch, Judgement judgement);
  void note_error(std::string sentence);

  Settings settings_;
  Place& place_;
  std::string directory_;
  ledger::Feed feed_;
  Roots roots_;
  Outbox outbox_;
  Status status_, written_;             // written_: on disk
  ledger::Feed::Missed missed_before_;  // our start
  std::uint64_t refused_before_ = 0;
  std::string scratch_;
  bool more_ = true;  // the spool has not been read to its end
  bool stopped_ = false;
  bool unsaved_ = false;  // something was told or decided since save()
  std::size_t told_ = 0;  // since save()
  double fresh_due_ = 0;  // requests of what is new
  bool has_backlog_ = false;
  Nanos saved_at_{}, looked_at_{}, looked_ahead_at_{};  // boot
  const std::shared_ptr<Shipper*> self_;  // what requests hold of us while they are under way; null when we are gone
};

}  // namespace mcptrace::ship
