// The first process of a container, or of any pid namespace, gets the children of whoever dies, and is the only one who
// can take their ends: else they stay as zombies, each with a pid.
#pragma once

#include <sys/types.h>

namespace mcptrace {

// Are we that process?
bool adopts_orphans();
// Takes the ends of all children that have ended; that of `own` is left to who waits for it (-1: there is none).
void reap_orphans(pid_t own);

}  // namespace mcptrace
