// What --help of `run` and `proxy` says of their options, made of the table. Pure.
#pragma once

#include <cstdint>
#include <string>

namespace mcptrace::config {

// A row an option, in the table's order; `command`: kRun or kProxy.
std::string options_help(std::uint8_t command);

}  // namespace mcptrace::config
