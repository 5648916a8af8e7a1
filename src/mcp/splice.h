// Context injection as a splice: which bytes of a message to put our context into, leaving every other byte as it was.
//
//   undo(apply(line, edits), edits) == line, byte for byte (mcp/testing.h).
//
// A splice inserts what is missing (params, _meta, or the members in _meta), or replaces the values of a traceparent
// and tracestate that are there; it never re-serialises. Source: docs/spans.md, SEP-414.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "mcp/fact.h"

namespace mcptrace::mcp {

// A half-open range of offsets in the line; empty and zero where there is none.
struct Range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  [[nodiscard]] bool present() const { return end != 0; }
};

// Where things stand in one message, found by MessageScanner. Offsets from the line's first byte.
struct SpliceMap {
  Range root;                // the whole object
  Range params;              // the value of the top-level "params"; unless it is an object, only its begin is right
  Range meta;                // the value of params._meta; likewise
  Range traceparent;         // the value of params._meta.traceparent, with its quotes, and
  Range traceparent_member;  // from the end of the member before it (or after the brace) to its end: what goes when it
                             // is dropped
  Range tracestate;          // likewise
  Range tracestate_member;
  bool params_is_object = false;
  bool params_is_empty = false;  // {}: nothing but white space inside
  bool meta_is_object = false;
  bool meta_is_empty = false;
  bool context_is_odd = false;  // a traceparent or tracestate is neither a string nor null
};

// What to write. `tracestate` empty = there shall be none.
struct Injection {
  std::string_view traceparent;  // 55 characters
  std::string_view tracestate;   // level-2 valid; `"` and `\\` in it are escaped on the way
};

// `inserted` replaces the `removed_size` bytes at `offset` of the original.
struct Edit {
  std::uint64_t offset = 0;
  std::uint64_t removed_size = 0;
  std::string inserted;
};
// In order of offset, not overlapping. At most three. Reused between messages, so that nothing is allocated.
struct Edits {
  std::array<Edit, 3> edit;
  std::size_t count = 0;
};

// May this message be injected at all? kNone = yes.
NotInjected may_inject(const Message& message, const SpliceMap& map);

// Plans the edits. `map` must have passed may_inject().
void plan_splice(const SpliceMap& map, const Injection& injection, Edits& edits);

}  // namespace mcptrace::mcp
