// One session, or the known part of a trace, as text for a terminal. Pure.
#pragma once

#include <string>

#include "query/model.h"
#include "query/text.h"

namespace mcptrace::query {

struct TextOptions {
  std::size_t width = 100;
  bool color = false;
  bool unicode = true;
  bool full = false;  // fold nothing
  Nanos now{};        // wall
  LocalOffset offset;
};

// Who spoke with whom, when, how it went: a few lines, each ending in a newline.
std::string session_summary(const Session& session, const TextOptions& options);
// The summary and the tree of spans with bars.
std::string waterfall(const TraceView& view, const TextOptions& options);
// "14:37:22.123  mcp.tool_call echo   1.2 ms  ✗ tool_error": one ended span, for --follow.
std::string span_line(const TraceSpan& span, const TextOptions& options);

}  // namespace mcptrace::query
