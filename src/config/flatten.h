// The making of the flat copy (flat.h). The backend's alone: it reads YAML.
#pragma once

#include <string>

namespace mcptrace::config {

// The copy's text, or that of what is wrong with the file.
std::string flatten(const std::string& file);

// The same, kept in the state directory, which is made if it is missing: in one rename, readable by its owner alone.
// Where it cannot be kept it is given all the same.
std::string flatten_into(const std::string& file, const std::string& state_directory);

}  // namespace mcptrace::config
