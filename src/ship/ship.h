// All destinations of an installation: who is sent to, as the configuration changes. One thread.
//
//   Ship ship(place);
//   ship.set(wanted);                            // at the start, and whenever that changes
//   while (!ship.done()) { ship.pump(changed, hurry); client.run(…until ship.next_deadline()); }
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ship/shipper.h"

namespace mcptrace::ship {

struct Wanted {
  Settings settings;
  std::string only;  // Shipper::open
  bool operator==(const Wanted&) const = default;
};

class Ship {
 public:
  explicit Ship(Place& place) : place_(place) {}

  // Names are unique. Those that are wanted no more end once what is under way is answered; what they did not deliver
  // stays in the spool for whoever is called so next.
  void set(std::vector<Wanted> wanted);
  // Credentials may have changed, or a network has come back: nobody waits for a next try.
  void try_again();
  void pump(bool changed, bool hurry);
  [[nodiscard]] std::optional<Nanos> next_deadline() const;

  // Everything is delivered.
  [[nodiscard]] bool done() const;
  // Nothing was refused since we began.
  [[nodiscard]] bool all_taken() const;
  [[nodiscard]] bool has_more() const;
  // All that is not delivered is of destinations that fail.
  [[nodiscard]] bool only_failures_left() const;
  [[nodiscard]] const Shipper* find(const std::string& name) const;
  // Of those that could not begin, once: a sentence each.
  std::vector<std::string> take_errors() { return std::exchange(errors_, {}); }
  void save();

 private:
  void begin_missing();

  Place& place_;
  std::vector<Wanted> wanted_;
  std::vector<std::unique_ptr<Shipper>> shippers_, ending_;
  std::vector<std::string> errors_;
};

}  // namespace mcptrace::ship
