// The list of sessions as a table for a terminal, and as JSON. Pure.
#pragma once

#include <string>
#include <vector>

#include "query/waterfall.h"

namespace mcptrace::query {

// Those of one agent (mcp.client.process) together, where the newest of them stands; otherwise the order stays.
std::vector<Session> grouped_by_agent(std::vector<Session> sessions);

// A header line, then a line a session. Ids are cut to what tells them apart in this list, at least 8 digits.
std::string sessions_table(const std::vector<Session>& sessions, const TextOptions& options);

}  // namespace mcptrace::query
