// The configuration of a process that lives long: read again when the file, or a secret's file, was written.
//
//   config::Source source({.environment = …, .home = …, .given = …});
//   MCPTRACE_TRY(Config config, source.reload());
//   if (source.changed()) { auto next = source.reload(); … }      // every few seconds, and at SIGHUP: reload() alone
//
// One thread.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/config.h"
#include "config/locate.h"

namespace mcptrace::config {

class Source {
 public:
  explicit Source(Search search, std::vector<Given> flags = {});

  // Since the last reload(): another file is found now, it was written, or one that a reference names was. A few
  // stat(2).
  [[nodiscard]] bool changed() const;

  // Reads it. After an error the old values hold, and changed() is false until something is written again: so an error
  // is said once.
  Result<Config> reload();

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  using Stamps = std::vector<std::pair<std::string, std::optional<FileStamp>>>;

  Search search_;
  std::vector<Given> flags_;
  std::string path_;
  std::optional<FileStamp> stamp_;
  Stamps secrets_;  // the files that references name
};

}  // namespace mcptrace::config
