#include "spool/counters.h"

#include <algorithm>

#include "base/text.h"

namespace mcptrace::spool {
namespace {

constexpr std::string_view kProcess = "process ";
constexpr std::size_t kMostLines = 256;

}  // namespace

std::string encode_counters(const ProcessCounters& counters) {
  std::string out;
  out.append(kProcess).append(counters.process).append("\n");
  for (const auto& [name, value] : counters.counts) {
    if (value != 0) out.append(name).append(" ").append(std::to_string(value)).append("\n");
  }
  return out;
}

std::optional<ProcessCounters> decode_counters(std::string_view payload) {
  ProcessCounters counters;
  if (!payload.starts_with(kProcess)) return std::nullopt;
  if (!payload.ends_with('\n')) return std::nullopt;
  for (std::size_t lines = 0; !payload.empty(); ++lines) {
    if (lines == kMostLines) return std::nullopt;
    std::string_view value = take_until(payload, '\n');
    if (!value.contains(' ')) return std::nullopt;
    const std::string_view name = take_until(value, ' ');
    if (lines == 0) {
      counters.process = value;
      continue;
    }
    const auto count = parse_number<std::uint64_t>(value);
    if (!count) return std::nullopt;
    counters.counts[std::string(name)] = *count;
  }
  return counters;
}

void take_later(NamedCounts& known, const NamedCounts& other) {
  for (const auto& [name, value] : other) {
    std::uint64_t& count = known[name];
    count = std::max(count, value);
  }
}

void add_up(NamedCounts& sum, const NamedCounts& other) {
  for (const auto& [name, value] : other) sum[name] += value;
}

std::uint64_t count_of(const NamedCounts& counts, std::string_view name) {
  const auto found = counts.find(name);
  return found == counts.end() ? 0 : found->second;
}

}  // namespace mcptrace::spool
