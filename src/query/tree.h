// Spans in a tree, whatever their parents say: loops, missing parents and spans that are their own parent end somewhere
// sensible, and every span stands in it once. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include "query/model.h"

namespace mcptrace::query {

inline constexpr std::uint32_t kNoParent = ~0u;

// Why a node stands where it does.
enum class Placed : std::uint8_t {
  kByParent,  // under the span that it names; or it names none and is a root
  kForeign,   // its parent is in a caller's trace: shown under its session's root
  kOrphan,    // its parent was not received
  kLoop,      // its parents lead back to itself
};

struct Tree {
  std::vector<std::uint32_t> parents;                // by span index; kNoParent: at the top
  std::vector<Placed> placed;                        // by span index
  std::vector<std::vector<std::uint32_t>> children;  // by span index, in order of time
  std::vector<std::uint32_t> tops;                   // in order of time
};

// `spans` are in order of their start (TraceView).
Tree build_tree(const std::vector<TraceSpan>& spans);

}  // namespace mcptrace::query
