// What a waterfall shows of each span, and in which rows: descriptions, order, indentation, and folding of what is too
// long to read. Pure; the text in it is safe for terminals (text.h).
#pragma once

#include <string>
#include <vector>

#include "query/model.h"
#include "query/tree.h"

namespace mcptrace::query {

struct Description {
  std::string label;  // "mcp.tool_call echo"
  std::string note;   // "✗ rpc_error -32602"; empty: it went well and there is nothing to say
  bool error = false;
  bool running = false;
};
Description describe(const TraceSpan& span, Placed placed = Placed::kByParent);

struct Row {
  std::string guide;  // "│  ├─ "
  std::string label;
  std::string note;
  Nanos begin{};
  Nanos end{};
  bool error = false;
  bool running = false;
  bool root = false;
  std::size_t folded = 0;  // that many spans in this row; then p50 and max tell their durations
  Nanos p50{}, max{};
};

struct RowOptions {
  bool unicode = true;
  std::size_t fold_over = 200;  // children of one span, beyond which runs of good ones are folded
};
// Depth first, siblings in order of time. Beyond fold_over children, runs of equal names that went well and have
// nothing below them become one row; where that is not enough, runs of whatever names.
std::vector<Row> make_rows(const std::vector<TraceSpan>& spans, const Tree& tree, const RowOptions& options);

}  // namespace mcptrace::query
