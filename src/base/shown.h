// What somebody gave us, as it may be said back to people: in an error, in a line on stderr. Where it is, or may be, an
// address, its path, its query and its user may be secrets: of it only scheme, host and port are shown. Pure.
//
//   shown("https://me:pw@host:8443/mcp?key=K")   -> "https://host:8443/…"
//   shown("--upstrem=http://host/k")             -> "--upstrem=http://host/…"
//   shown("--key=K")                             -> "--key=…"
//   shown("file")                                -> "file"
#pragma once

#include <string>
#include <string_view>

namespace mcptrace {

std::string shown(std::string_view text);

}  // namespace mcptrace
