// Destinations that processes were given by their environment, as files `destinations/<name>` of the state directory
// (0600): lines "NAME=value", the variables as they were. A process leaves one before its first record, and touches it
// as long as it appends; whoever ships removes it when nobody has for long. The name says what is in it: the same
// variables, the same name. Any process, any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace mcptrace::spool {

// "otel-" and 16 hexadecimal digits.
std::string destination_name(std::uint64_t print);
bool is_destination_name(std::string_view name);

// Makes it, or touches it where it is. Error: kIo.
Result<> leave_destination(const std::string& state, const std::string& name, std::string_view text);

struct LeftDestination {
  std::string name;
  std::string text;
  Nanos touched{};  // wall: when a process was last that named it
};
// By name. One that cannot be read is not there.
std::vector<LeftDestination> left_destinations(const std::string& state);

// Removes it, unless a process touched it at `since` (wall) or later; whoever does so meanwhile finds it again. True:
// it is gone.
bool forget_destination(const std::string& state, const std::string& name, Nanos since);

}  // namespace mcptrace::spool
