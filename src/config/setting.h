// One value of the configuration as it was said, and where. Plain data.
#pragma once

#include <cstdint>
#include <string>

namespace mcptrace::config {

struct Option;

struct Place {
  int line = 0, column = 0;  // from 1; 0: unknown
};

enum class Origin : std::uint8_t { kDefault, kFile, kVariable, kFlag };

struct Setting {
  std::string key;   // "spool.size", "destinations[0].headers.X-Team"
  std::string text;  // as it was written; of a list an element a setting ("capture[0].what[1]")
  Origin origin = Origin::kDefault;
  std::string variable;            // of kVariable: its name
  Place place;                     // of kFile
  const Option* option = nullptr;  // its row of the table, never null
};

}  // namespace mcptrace::config
