// A consumer's place in the spool, on disk (`cursors/<name>` beside the files), as tail sampling needs it: what has
// been told and decided is never told again, what has been told and is still undecided is, after a restart. One process
// at a time, one thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/model.h"

namespace mcptrace::ledger {

class Cursor {
 public:
  struct Place {
    std::uint64_t decided = 0;       // all that stands before it in the file is decided; what expiry asks for
    std::uint64_t read = 0;          // this far it has been told
    bool closed = false;             // nobody writes to it, and what was left open in it has been told
    std::vector<SpanKey> undecided;  // told, and not decided: once for each time
  };

  // Registers `name` (letters, digits, - _) in `directory`, made if missing; goes on where it was left. A line that
  // cannot be read counts as not there: its file is told again.
  static Result<Cursor> open(const std::string& directory, const std::string& name);
  // The same without registering it: for whoever only looks where another process is.
  static Result<Cursor> read(const std::string& directory, const std::string& name);

  // By file name. All zero if the file was never read.
  [[nodiscard]] const Place& place(const std::string& file) const;
  void set(const std::string& file, Place place) { places_[file] = std::move(place); }
  // Stores the places, in one rename, and forgets files that are gone.
  Result<> save();

 private:
  Cursor(std::string directory, std::string name) : directory_(std::move(directory)), name_(std::move(name)) {}

  std::string directory_, name_;
  std::map<std::string, Place> places_;
};

}  // namespace mcptrace::ledger
