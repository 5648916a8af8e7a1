// What each finding means (mcp/finding.h), for people: docs/findings.md is made of this table.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "mcp/finding.h"

namespace mcptrace::trace {

enum class Severity : std::uint8_t {
  kNotice,   // legal, and worth knowing
  kWarning,  // against the specification
  kError,    // a client hangs, or misreads
};
std::string_view severity_text(Severity severity);  // "error"

struct FindingText {
  Severity severity;
  std::string_view meaning;    // one sentence
  std::string_view mended_by;  // "server", "client", "whoever runs it": who can mend it
  std::string_view remedy;     // one sentence: what to do
  std::string_view source;     // the specification's section; "-" where none speaks of it
};
const FindingText& finding_text(mcp::Finding finding);
inline std::string_view severity_text(mcp::Finding finding) { return severity_text(finding_text(finding).severity); }

// docs/findings.md, whole.
std::string findings_page();

}  // namespace mcptrace::trace
