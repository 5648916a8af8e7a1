// The environment, as this folder is handed it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace mcptrace::config {

// The value of an environment variable; nothing if it is not set.
using Lookup = std::function<std::optional<std::string>(std::string_view name)>;

// An empty variable counts as not set: then "".
inline std::string value_of(const Lookup& environment, std::string_view name) {
  return environment(name).value_or(std::string());
}

}  // namespace mcptrace::config
