// The tag of a span's record in the spool: what readers of one trace skip by.
#pragma once

#include <cstdint>

#include "base/ids.h"

namespace mcptrace::otlp {

// The first four bytes of the trace id, little endian.
inline std::uint32_t spool_tag(const TraceId& trace_id) {
  return static_cast<std::uint32_t>(trace_id.bytes[0]) | static_cast<std::uint32_t>(trace_id.bytes[1]) << 8 |
         static_cast<std::uint32_t>(trace_id.bytes[2]) << 16 | static_cast<std::uint32_t>(trace_id.bytes[3]) << 24;
}

}  // namespace mcptrace::otlp
