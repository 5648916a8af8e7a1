// What is not shown because it is not there: passed over in files, or deleted to make room. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "spool/expiry.h"
#include "spool/reader.h"

namespace mcptrace::query {

class Skips {
 public:
  // What was passed over; a file that is read twice counts once.
  void note(const std::string& path, const spool::FileReader& reader);
  // What was deleted to make room.
  void note(const spool::Expired& expired) { expired_ = expired; }

  // "3 damaged places (1.2 kB) in 1 file were passed over"; one line for each thing to say.
  [[nodiscard]] std::vector<std::string> lines() const;

 private:
  std::map<std::string, spool::Skipped> skipped_;
  std::map<std::string, std::string> unreadable_;
  spool::Expired expired_;
};

}  // namespace mcptrace::query
