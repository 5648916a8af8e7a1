// The programs that mcptrace consists of: where they are, and one of them asked for a little text.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mcptrace::app {

// Where this program lies.
std::string own_directory();

// Where one of libexec/mcptrace may be, in the order to try: beside mcptrace in a build, beside its bin/ where it is
// installed; for one that itself is of libexec/mcptrace, beside it.
std::vector<std::string> program_paths(std::string_view program);

// What `mcptrace-backend config flatten` says (config/flat.h), within 200 ms; else nothing, and it goes on by itself,
// so that the next who asks finds it done. It has none of our descriptors.
std::optional<std::string> ask_backend_to_flatten(const std::string& file, const std::string& state_directory);

}  // namespace mcptrace::app
