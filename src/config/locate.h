// Where the configuration file is. Looks at files, opens none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/lookup.h"

namespace mcptrace::config {

// Which content a file has: two of the same file are equal until it is written or replaced.
struct FileStamp {
  std::int64_t size = 0, mtime_ns = 0;
  std::uint64_t inode = 0;
  bool operator==(const FileStamp&) const = default;
};
// Nothing: it cannot be looked at; errno says why.
std::optional<FileStamp> stamp_of(const std::string& path);

// In place of a path: there is no file, wherever one may lie.
inline constexpr std::string_view kNoFile = "none";

struct Search {
  Lookup environment;
  std::string home;   // the user's home directory; empty: unknown
  std::string given;  // --config; empty: not given
  std::string system = "/etc/mcptrace/mcptrace.yaml";
};

struct FoundFile {
  std::string path;  // empty: there is none
  bool named =
      false;  // by --config or $MCPTRACE_CONFIG: then it is looked for nowhere else, and may be missing, or none
};

// --config, $MCPTRACE_CONFIG, <home>/.config/mcptrace/mcptrace.yaml, $XDG_CONFIG_HOME/mcptrace/mcptrace.yaml, the
// system's: the first that is named or can be seen; the name "none" is for no file. One that can be seen and not read
// is found, too; what lies below a directory that is closed to us is not (another user's home).
FoundFile find_file(const Search& search);

// What `Search::given` has to be to find it again from elsewhere; empty: nothing, as it was not named.
std::string given_for(const FoundFile& file);

}  // namespace mcptrace::config
