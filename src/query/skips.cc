#include "query/skips.h"

#include <algorithm>
#include <ranges>
#include <string_view>

#include "query/text.h"

namespace mcptrace::query {
namespace {

struct Loss {
  std::string_view counter, what, why;
};
constexpr std::string_view kMessage = "message";
constexpr Loss kLosses[] = {{spool::kDroppedQueueFull, kMessage, "the observer was too slow"},
                            {spool::kDroppedNoMemory, kMessage, "memory ran out"},
                            {spool::kDroppedNoObserver, kMessage, "the observer was gone"},
                            {spool::kLostUnwritten, "record", "writing failed"},
                            {spool::kLostOpenCalls, "open call", "there were too many"}};

}  // namespace

void Skips::note(const std::string& path, const spool::FileReader& reader) {
  const spool::Skipped& skipped = reader.skipped();
  if (reader.error() && reader.error()->code != Errc::kUnsupported && reader.error()->code != Errc::kNotFound) {
    unreadable_[path] = reader.error()->message;
  }
  if (skipped.places == 0 && skipped.unsupported == 0) return;
  spool::Skipped& known = skipped_[path];
  known.places = std::max(known.places, skipped.places);
  known.bytes = std::max(known.bytes, skipped.bytes);
  known.unsupported = std::max(known.unsupported, skipped.unsupported);
}

spool::Skipped Skips::skipped() const {
  spool::Skipped sum;
  for (const auto& [path, skipped] : skipped_) sum += skipped;
  return sum;
}

Skips::Numbers Skips::numbers() const {
  const spool::Skipped all = skipped();
  Numbers numbers{.deleted_files = expired_.files, .damaged_places = all.places, .unsupported = all.unsupported};
  for (const Loss& loss : kLosses) {
    (loss.what == kMessage ? numbers.messages : numbers.records) += spool::count_of(counters_, loss.counter);
  }
  return numbers;
}

// "telemetry was lost: 12 messages (the observer was too slow), 1 record (writing failed)"; "": none was.
std::string Skips::lost_line() const {
  std::string line;
  for (const Loss& loss : kLosses) {
    const std::uint64_t count = spool::count_of(counters_, loss.counter);
    if (count == 0) continue;
    line.append(line.empty() ? "telemetry was lost: " : ", ").append(format_count(count, loss.what));
    line.append(" (").append(loss.why).append(")");
  }
  return line;
}

std::vector<std::string> Skips::lines() const {
  const spool::Skipped all = skipped();
  const auto files = static_cast<std::uint64_t>(
      std::ranges::count_if(skipped_ | std::views::values, [](const spool::Skipped& one) { return one.places != 0; }));
  std::vector<std::string> lines;
  if (all.places != 0) {
    lines.push_back(format_count(all.places, "damaged place") + " (" + format_bytes(all.bytes) + ") in " +
                    format_count(files, "file") + (all.places == 1 ? " was" : " were") + " passed over");
  }
  if (all.unsupported != 0) {
    lines.push_back(format_count(all.unsupported, "file or record")
                        .append(all.unsupported == 1 ? " of a newer version was" : " of a newer version were") +
                    " passed over");
  }
  for (const auto& [path, why] : unreadable_) lines.push_back(display(why));
  if (expired_.files != 0) {
    lines.push_back("of what was traced before, " + format_count(expired_.files, "file") + " (" +
                    format_bytes(expired_.bytes) + ")" + (expired_.files == 1 ? " was" : " were") +
                    " deleted to make room");
  }
  if (std::string lost = lost_line(); !lost.empty()) lines.push_back(std::move(lost));
  return lines;
}

}  // namespace mcptrace::query
