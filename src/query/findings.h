// Findings as readers are told of them: a session's, the worst first, and those on one span. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "query/model.h"
#include "trace/findings.h"

namespace mcptrace::query {

using FindingCount = std::pair<mcp::Finding, std::int64_t>;
std::vector<FindingCount> worst_first(const Counts& counts);
// "error id_mismatch, 3 times: An answer's id differs …"; at most `most` of them, and how many more there are.
std::vector<std::string> finding_lines(const Counts& counts, std::size_t most);

// That an event of a span tells of.
struct NotedFinding {
  mcp::Finding finding;
  Nanos at;
};
std::vector<NotedFinding> findings_on(const otlp::Span& span);

}  // namespace mcptrace::query
