// What goes to keep the spool within its bounds, and how much that was so far: a reader that finds less than it looks
// for can say why. Any process, any thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"

namespace mcptrace::spool {

struct Expired {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
};

// Deletes unlocked files until the rest are at most `total_bytes` and `total_files`, and temporaries that their process
// has left since before `now` - 1 minute: first files that every cursor has passed that moved in the last 7 days, then
// others, the oldest of each first. What of it had not been passed, or, without such a cursor, all: it is counted, too.
// `path`: of `directory`, which is open.
Expired expire(int directory, const std::string& path, std::uint64_t total_bytes, std::uint64_t total_files, Nanos now);

// Has somebody looked for what is to go within `lately` before `now`? A look takes the longer the more files there are,
// and processes start often: the first small file of one need not have its own. A file beside the others, `looked`.
bool looked_lately(int directory, Nanos now, Nanos lately);
void note_look(int directory, Nanos now);

// The count, since it was forgotten last. It is a little too low where processes died, or met, while they counted.
Expired read_expired(const std::string& path);
void forget_expired(const std::string& path);

}  // namespace mcptrace::spool
