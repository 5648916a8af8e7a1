// Where the programs of mcptrace lie: below libexec/mcptrace, beside this program in a build, beside its bin/ where it
// is installed.
#pragma once

#include <string>
#include <vector>

namespace mcptrace::app {

// Of this program's file; empty: unknown.
std::string own_directory();
// In the order in which to look.
std::vector<std::string> program_places(const std::string& own_directory, const std::string& program);

}  // namespace mcptrace::app
