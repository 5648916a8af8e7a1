// References to secrets: what they lead to, read when it is used and never kept in the configuration.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "config/lookup.h"

namespace mcptrace::config {

inline constexpr std::size_t kMostSecret = 64 << 10;

// "env:NAME": the variable; "file:/path": what the file holds, without line ends at its end. The caller wipes it
// (wipe()). Errors name the variable or the file, never what it holds: not set, empty, larger than 64 KiB, unreadable.
Result<std::string> resolve(std::string_view reference, const Lookup& environment);

void wipe(std::string& secret);

}  // namespace mcptrace::config
