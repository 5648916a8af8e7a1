// One record of the spool, decoded once: of which session it is, who made it, and whether somebody may still add to its
// file. Made by Entries; borrowed until the next record.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/ids.h"
#include "spool/record.h"
#include "trace/span_record.h"

namespace mcptrace::ledger {

// Whose a record is: a session's by its print; of one that starts, and has none yet, by the span id of its initialize;
// of what belongs to no session by its trace.
struct SessionKey {
  std::uint64_t print = 0;  // the print, or the span id
  TraceId trace_id{};       // zero unless print is
  bool starting = false;
  auto operator<=>(const SessionKey&) const = default;
};
SessionKey session_key(const trace::SpanHeader& header);
// What whoever starts under that span id is kept under.
SessionKey starting_key(const SpanId& initialize);

// The last moment that the header tells of, wall.
Nanos end_of(const trace::SpanHeader& header);

inline constexpr std::uint32_t kNoResource = ~0u;

struct Entry {
  spool::RecordType type{};  // never kResource, kCounters or kDestination
  trace::SpanHeader header{};
  std::string_view bytes{};  // OTLP Span, or of a kLog LogRecord; empty: a session_close that repeats nothing
  SessionKey session{};
  std::uint32_t resource = kNoResource;  // its place in Entries::resources()
  std::uint32_t file = 0;                // as numbered for Entries::begin_file()
  bool held = false;                     // a living process writes to the file
  Nanos modified{};                      // the file's last write, wall

  // Of a span, not of what is logged of one.
  [[nodiscard]] bool is_span() const { return type != spool::RecordType::kLog; }
  // A session's root, whatever record says it.
  [[nodiscard]] bool is_root() const {
    return header.has(trace::kRootSpan) || type == spool::RecordType::kSessionOpen ||
           type == spool::RecordType::kSessionClose;
  }
  // Of a span that has not ended by then.
  [[nodiscard]] bool is_open() const {
    return type == spool::RecordType::kSessionOpen || type == spool::RecordType::kCallOpen;
  }
};

}  // namespace mcptrace::ledger
