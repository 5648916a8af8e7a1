// What a process says of itself in the spool: how much it wrote, what was lost and why. All is counted since it began,
// so that of two records of one process the larger number is the later one. Pure; any thread.
//
// The payload of a kCounters record: lines of "<name> <value>\n", the first "process <service.instance.id>\n". What is
// zero is not there; names that a reader does not know stay what they are.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace mcptrace::spool {

// Messages that passed untraced: the observer was too slow; there was no memory for them; or for the observer.
inline constexpr std::string_view kDroppedQueueFull = "dropped.queue_full";
inline constexpr std::string_view kDroppedNoMemory = "dropped.no_memory";
inline constexpr std::string_view kDroppedNoObserver = "dropped.no_observer";
// Records: the disk did not take them; open calls for which there was no room at a new file's head.
inline constexpr std::string_view kLostUnwritten = "lost.unwritten";
inline constexpr std::string_view kLostOpenCalls = "lost.open_calls";
// Times that what ships them was not there and could not be started.
inline constexpr std::string_view kShipNotStarted = "ship.not_started";
// Files of the spool that were deleted unread to make room.
inline constexpr std::string_view kExpiredFiles = "expired.files";
// Into the spool.
inline constexpr std::string_view kWrittenRecords = "written.records";
inline constexpr std::string_view kWrittenBytes = "written.bytes";
// Before a finding's code: of those that belong to no session.
inline constexpr std::string_view kFindingPrefix = "finding.";

using NamedCounts = std::map<std::string, std::uint64_t, std::less<>>;

struct ProcessCounters {
  std::string process;
  NamedCounts counts;
};

std::string encode_counters(const ProcessCounters& counters);
// Nothing where it is not of that form, or of more than 256 lines.
std::optional<ProcessCounters> decode_counters(std::string_view payload);

// The later of two of one process.
void take_later(NamedCounts& known, const NamedCounts& other);
void add_up(NamedCounts& sum, const NamedCounts& other);
// Zero: it is not there.
std::uint64_t count_of(const NamedCounts& counts, std::string_view name);

}  // namespace mcptrace::spool
