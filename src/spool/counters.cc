#include "spool/counters.h"

#include <algorithm>
#include <charconv>

namespace mcptrace::spool {
namespace {

constexpr std::string_view kProcess = "process ";
constexpr std::size_t kMostLines = 256;

bool parse_value(std::string_view text, std::uint64_t& value) {
  const char* const end = text.data() + text.size();
  const auto number = std::from_chars(text.data(), end, value);
  return number.ec == std::errc() && number.ptr == end;
}

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
  for (std::size_t lines = 0; !payload.empty(); ++lines) {
    const std::size_t end = payload.find('\n');
    if (end == payload.npos || lines == kMostLines) return std::nullopt;
    const std::string_view line = payload.substr(0, end), name = line.substr(0, line.find(' '));
    if (name.size() == line.size()) return std::nullopt;
    const std::string_view value = line.substr(name.size() + 1);
    payload.remove_prefix(end + 1);
    if (lines == 0) {
      counters.process = value;
    } else if (!parse_value(value, counters.counts[std::string(name)])) {
      return std::nullopt;
    }
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
