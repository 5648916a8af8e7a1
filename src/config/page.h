// docs/configuration.md, made of the table. Pure.
#pragma once

#include <string>

namespace mcptrace::config {

std::string configuration_page();

}  // namespace mcptrace::config
