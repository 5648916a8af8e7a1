// What is not shown because it is not there: passed over in files, deleted to make room, or lost before it was written.
// One thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "spool/counters.h"
#include "spool/expiry.h"
#include "spool/reader.h"

namespace mcptrace::query {

class Skips {
 public:
  // What was passed over; a file that is read twice counts once.
  void note(const std::string& path, const spool::FileReader& reader);
  // What was deleted to make room.
  void note(const spool::Expired& expired) { expired_ = expired; }
  // What processes lost.
  void note(spool::NamedCounts counters) { counters_ = std::move(counters); }

  // "3 damaged places (1.2 kB) in 1 file were passed over"; one line for each thing to say.
  [[nodiscard]] std::vector<std::string> lines() const;
  // The same in numbers.
  struct Numbers {
    std::uint64_t messages = 0, records = 0;  // that passed untraced; that could not be written
    std::uint64_t deleted_files = 0, damaged_places = 0, unsupported = 0;
  };
  [[nodiscard]] Numbers numbers() const;

 private:
  [[nodiscard]] spool::Skipped skipped() const;
  [[nodiscard]] std::string lost_line() const;

  std::map<std::string, spool::Skipped> skipped_;
  std::map<std::string, std::string> unreadable_;
  spool::Expired expired_;
  spool::NamedCounts counters_;
};

}  // namespace mcptrace::query
