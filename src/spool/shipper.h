// The one process of an installation that ships what is in the spool: who it is, what it serves, and how others ask it
// to hurry. Three files of the state directory:
//
//   ship.lock    held by it while it lives (as spool files are, directory.h); never removed. Holds its pid, for people.
//
//   ship.serves  which destinations it has a cursor for, one a line: those of the lock's holder, as it begins with
//   none.
//
//   ship.hurry   touched by whoever waits until all is delivered: what is gathered is to be sent now.
//
// A shipper that is about to end lets go of the lock, looks once more whether a file is held or anything is to be
// shipped, and then takes the lock again or ends: whoever appends does so first, and looks at the lock then.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"

namespace mcptrace::spool {

class ShipLock {
 public:
  // Nothing: another process holds it. Error: kIo, the file cannot be made.
  static Result<std::optional<ShipLock>> take(const std::string& state);

  // Replaces what is said to be served. To be called when the cursor of each is there.
  Result<> serve(std::span<const std::string> destinations) const;

 private:
  ShipLock(std::string state, UniqueFd fd) : state_(std::move(state)), fd_(std::move(fd)) {}
  std::string state_;
  UniqueFd fd_;  // let go of when this goes
};

// Does a living process hold the lock? Yes also where the system cannot say.
bool has_shipper(const std::string& state);
// Nothing: there is no shipper, or it has not said yet.
std::optional<std::vector<std::string>> served(const std::string& state);

// What a destination's cursor is called, beside those of other consumers.
std::string ship_cursor(std::string_view destination);

Result<> ask_to_hurry(const std::string& state);
// When it was asked last (wall); zero: never.
Nanos hurry_asked(const std::string& state);

}  // namespace mcptrace::spool
