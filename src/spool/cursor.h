// How far the spool's consumers are, as far as the deletion of files asks: each keeps a file `cursors/<name>` beside
// the spool's (ledger/cursor.h), of lines "<file name> <position> …", where all before the position is dealt with. What
// follows on the line is the consumer's own. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "spool/directory.h"

namespace mcptrace::spool {

std::string cursors_of(const std::string& directory);
bool is_cursor_name(std::string_view name);  // letters, digits, - and _

using Positions = std::map<std::string, std::uint64_t>;  // file name -> position
// One for each cursor that was saved since `since` (wall); one that cannot be read counts as at the start of
// everything.
Result<std::vector<Positions>> read_cursors(const std::string& directory, Nanos since = Nanos::min());
// One by its name; nothing is passed where it cannot be read.
Positions read_cursor(const std::string& directory, const std::string& name);
// Where the consumer is no more: its files wait for it no longer.
void remove_cursor(const std::string& directory, const std::string& name);
// Have all of them read the file to its end? There is at least one.
bool has_passed(const std::vector<Positions>& cursors, const Entry& entry);

}  // namespace mcptrace::spool
