// What a process that appends does so that it is shipped: leaves the destination that its environment names, starts
// `ship`, and waits for it at the end where that was asked for.
//
//   Shipping shipping(world, options, state, key, log);
//   shipping.attach(observer_options);                  // from here on the observer's thread calls it
//   …observer.finish(…);  shipping.flush(observer.first_file());
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "app/flush.h"
#include "app/ship_starter.h"
#include "app/trace_options.h"
#include "app/world.h"
#include "base/keyed_hash.h"
#include "base/log.h"
#include "observe/observer.h"

namespace mcptrace::app {

class Shipping {
 public:
  // The world and the log must outlive this.
  Shipping(const World& world, const TraceOptions& options, std::string state, const HashKey& key, Log& log);
  Shipping(const Shipping&) = delete;
  Shipping& operator=(const Shipping&) = delete;

  // This must outlive the observer.
  void attach(observe::ObserverOptions& observer);
  // At the end, for what is written to be delivered.
  [[nodiscard]] bool waits() const { return is_wanted() && flush_; }
  // After the observer's end: waits, and says where that was not enough.
  void flush(const std::string& first_file);

 private:
  [[nodiscard]] bool is_wanted() const { return starter_.has_value(); }
  void want(const std::vector<std::string>& variables);
  void look_at_configuration();
  void leave_destination();
  void appended();
  void wait_for_delivery(const FlushOptions& options);

  const World& world_;
  Log& log_;
  std::string state_;
  std::string name_, variables_;  // of the environment's destination; empty: none
  std::vector<std::string> destinations_;
  std::optional<std::chrono::seconds> flush_;
  std::vector<std::string> arguments_;               // of `ship`
  std::optional<config::FlatSource> configuration_;  // where it may change meanwhile
  Nanos look_at_{};                                  // boot
  std::optional<ShipStarter> starter_;               // nothing: there is no destination at all
};

}  // namespace mcptrace::app
