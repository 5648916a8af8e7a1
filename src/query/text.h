// Text for terminals: strings from anywhere made harmless, measured, cut and padded; durations, sizes and times for
// people. Pure functions. Everything that a face prints and that it did not write itself passes display() (or
// display_json()).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace mcptrace::query {

// `text` with everything that could steer a terminal or deceive a reader written as a visible escape: controls (C0,
// DEL, C1), bidirectional marks and all else that is not is_visible() (base/utf8.h), bytes that are not UTF-8, and
// combining marks past the fourth on one character. \x1b for a byte or a character below 0x100, \u{202e} above.
std::string display(std::string_view text);
// The same characters in JSON text as \u escapes; they only occur inside strings there, so the value is unchanged. DEL
// too.
std::string display_json(std::string_view json);

// Columns on a terminal, of text that passed display().
std::size_t columns(std::string_view text);
// At most `limit` columns; what was cut ends in "…".
std::string cut(std::string_view text, std::size_t limit);
// Cut to, or filled up with spaces to, exactly `width` columns.
std::string pad(std::string_view text, std::size_t width, bool right_aligned = false);

// "0.8 µs", "12.3 ms", "4.56 s", "2m 05s", "1h 02m", "3d 04h". "0 s": an instant, be it written as a nanosecond
// (trace::kShortest); and negative ones.
std::string format_duration(Nanos duration);
// "812 B", "1.2 kB", "34.5 MB".
std::string format_bytes(std::uint64_t bytes);
// "1 file", "3 files".
std::string format_count(std::uint64_t count, std::string_view singular);

// How far local time is ahead of UTC at a moment.
using LocalOffset = std::function<std::chrono::seconds(Nanos wall)>;
// "2026-11-23 14:37:22"
std::string format_local(Nanos wall, const LocalOffset& offset);
// "14:37:22.123"
std::string format_clock(Nanos wall, const LocalOffset& offset);
// "2026-11-23T14:37:22.123456789Z"
std::string format_utc(Nanos wall);
// "5s ago", "12m ago", "3h ago"; from a day on "11-21 14:03", in another year "2025-11-21".
std::string format_ago(Nanos wall, Nanos now, const LocalOffset& offset);

}  // namespace mcptrace::query
