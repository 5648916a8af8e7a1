// What the deletion of files needs to know of all cursors (reader.h). Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "spool/directory.h"

namespace mcptrace::spool {

using Positions = std::map<std::string, std::uint64_t>;  // file name -> position
// One for each registered cursor that was saved since `since` (wall); one that cannot be read counts as at the start of
// everything.
Result<std::vector<Positions>> read_cursors(const std::string& directory, Nanos since = Nanos::min());
// Have all of them read the file to its end? There is at least one.
bool has_passed(const std::vector<Positions>& cursors, const Entry& entry);

}  // namespace mcptrace::spool
