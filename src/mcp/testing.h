// For tests: a line with the edits made that injection plans, and back.
#pragma once

#include <string>
#include <string_view>

#include "base/check.h"
#include "mcp/splice.h"

namespace mcptrace::mcp {

inline std::string apply(std::string_view line, const Edits& edits) {
  std::string out;
  std::uint64_t done = 0;
  for (std::size_t i = 0; i < edits.count; ++i) {
    const Edit& edit = edits.edit[i];
    MCPTRACE_CHECK(edit.offset >= done && edit.offset + edit.removed_size <= line.size());
    out += line.substr(done, edit.offset - done);
    out += edit.inserted;
    done = edit.offset + edit.removed_size;
  }
  out += line.substr(done);
  return out;
}

// `original_removed`: the removed ranges of the original, concatenated in order.
inline std::string undo(std::string_view spliced, const Edits& edits, std::string_view original_removed) {
  std::string out;
  std::uint64_t done = 0;
  for (std::size_t i = 0; i < edits.count; ++i) {
    const Edit& edit = edits.edit[i];
    MCPTRACE_CHECK(edit.offset >= out.size() && edit.removed_size <= original_removed.size());
    const std::uint64_t same = edit.offset - out.size();
    out += spliced.substr(done, same);
    out += original_removed.substr(0, edit.removed_size);
    original_removed.remove_prefix(edit.removed_size);
    done += same + edit.inserted.size();
  }
  out += spliced.substr(done);
  return out;
}

}  // namespace mcptrace::mcp
