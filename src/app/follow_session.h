// trace --follow: prints the calls of a session as they end, until it is over or somebody stops it. The shell around
// query::Follower.
#pragma once

#include "app/commands.h"

namespace mcptrace::app {

// The exit status. `found.session` is set.
int follow_session(World& world, const std::string& directory, const query::Found& found, bool json);

}  // namespace mcptrace::app
