// What a process that appends to the spool needs of its installation: the key of its fingerprints, and the settings of
// its observer that do not depend on what is traced.
#pragma once

#include <span>
#include <string>

#include "app/trace_options.h"
#include "app/world.h"
#include "base/keyed_hash.h"
#include "base/log.h"
#include "observe/observer.h"

namespace mcptrace::app {

// How long the end of the process waits for the last spans to be appended. A healthy disk takes a few milliseconds.
inline constexpr Nanos kPatience = std::chrono::seconds(1);

// What is said where there can be no telemetry at all.
std::string not_traced(const Error& why);

// From <state directory>/secret. Where there is none to be had, a key of this process alone, and a line in the log.
HashKey installation_key(const std::string& state_directory, Random& random, Log& log);

// `prefix` names the spool's file.
observe::ObserverOptions observer_options(const TraceOptions& options, const std::string& state_directory,
                                          std::string prefix, Random& random);

// 16 hexadecimal digits of the keyed hash of the fields.
std::string print_of(const HashKey& key, std::string_view domain, std::span<const std::string> fields);

}  // namespace mcptrace::app
