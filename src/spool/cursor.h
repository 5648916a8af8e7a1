// What the deletion of files needs to know of all cursors (reader.h). Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace mcptrace::spool {

using Positions = std::map<std::string, std::uint64_t>;  // file name -> position
// One for each registered cursor; one that cannot be read counts as at the start of everything.
Result<std::vector<Positions>> read_cursors(const std::string& directory);

}  // namespace mcptrace::spool
