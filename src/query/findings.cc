#include "query/findings.h"

#include <algorithm>

#include "ledger/root_attributes.h"
#include "query/text.h"
#include "trace/conventions.h"

namespace mcptrace::query {

std::vector<FindingCount> worst_first(const Counts& counts) {
  std::vector<FindingCount> findings(counts.findings.begin(), counts.findings.end());
  std::ranges::sort(findings, [](const FindingCount& a, const FindingCount& b) {
    const trace::Severity of_a = trace::finding_text(a.first).severity, of_b = trace::finding_text(b.first).severity;
    return of_a != of_b ? of_a > of_b : a.first < b.first;
  });
  return findings;
}

std::vector<std::string> finding_lines(const Counts& counts, std::size_t most) {
  std::vector<std::string> lines;
  for (const auto& [finding, count] : worst_first(counts)) {
    std::string line(trace::severity_text(finding));
    line.append(" ").append(trace::finding_code(finding));
    if (count > 1) line.append(", ").append(std::to_string(count)).append(" times");
    lines.push_back(line.append(": ").append(trace::finding_text(finding).meaning));
  }
  if (lines.size() <= most) return lines;
  const std::size_t more = lines.size() - most;
  lines.resize(most);
  lines.push_back("and " + format_count(more, "finding") + " more: --format json");
  return lines;
}

std::vector<NotedFinding> findings_on(const otlp::Span& span) {
  std::vector<NotedFinding> findings;
  const std::string_view key = trace::attr_key(trace::Attr::kFinding);
  for (const otlp::Event& event : span.events) {
    if (event.name != key) continue;
    if (const auto finding = trace::finding_of(ledger::text_attribute(event.attributes, key))) {
      findings.push_back({*finding, event.at});
    }
  }
  return findings;
}

}  // namespace mcptrace::query
