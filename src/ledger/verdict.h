// What readers say of a session: its state, and why it failed (docs/cli.md). Pure; Ledger asks it.
#pragma once

#include "ledger/entry.h"
#include "ledger/model.h"

namespace mcptrace::ledger {

// A span that ended.
void note_ended(const Entry& entry, Course& course);
// One that is open, or was when its process died.
void note_open(const trace::SpanHeader& span, Course& course);

// Does it show without a look at its spans that the server answered?
bool shows_answer(const Session& session);
// It held nothing but server/discover.
bool only_discovers(const Session& session);

// Nothing, as long as its spans may tell more than they did. `now`: wall.
Failure failure_of(const Session& session, Nanos now);
// Where it did not fail.
State state_of(const Session& session, Nanos now);

}  // namespace mcptrace::ledger
