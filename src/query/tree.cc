#include "query/tree.h"

#include <algorithm>
#include <unordered_map>

namespace mcptrace::query {
namespace {

// The session's root that a span without a parent here goes under: of its trace, else the last of its session that
// began before it.
class Roots {
 public:
  explicit Roots(const std::vector<TraceSpan>& spans) : spans_(spans) {
    for (std::uint32_t i = 0; i < spans.size(); ++i) {
      if (spans[i].is_root()) by_session_[spans[i].header.session_print].push_back(i);
    }
  }

  [[nodiscard]] std::uint32_t of(std::uint32_t span) const {
    const auto it = by_session_.find(spans_[span].header.session_print);
    if (it == by_session_.end()) return kNoParent;
    const auto& roots = it->second;
    for (const std::uint32_t root : roots) {
      if (spans_[root].header.trace_id == spans_[span].header.trace_id) return root;
    }
    const auto after = std::ranges::upper_bound(roots, spans_[span].header.start, {},
                                                [&](std::uint32_t root) { return spans_[root].header.start; });
    return after == roots.begin() ? roots.front() : *std::prev(after);
  }

 private:
  const std::vector<TraceSpan>& spans_;
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> by_session_;
};

void place(const std::vector<TraceSpan>& spans, const Roots& roots, Tree& tree) {
  std::unordered_map<SpanKey, std::uint32_t, SpanKeyHash> index;
  for (std::uint32_t i = 0; i < spans.size(); ++i) index.try_emplace(spans[i].key(), i);
  for (std::uint32_t i = 0; i < spans.size(); ++i) {
    const trace::SpanHeader& header = spans[i].header;
    if (spans[i].is_root()) continue;
    const auto it = index.find({header.trace_id, header.parent_id});
    if (it != index.end() && it->second != i) {
      tree.parents[i] = it->second;
      continue;
    }
    const std::uint32_t root = roots.of(i);
    tree.parents[i] = root;
    if (it != index.end()) {
      tree.placed[i] = Placed::kLoop;
    } else if (root != kNoParent && spans[root].header.trace_id != header.trace_id) {
      tree.placed[i] = Placed::kForeign;
    } else if (!header.parent_id.is_zero()) {
      tree.placed[i] = Placed::kOrphan;
    }
  }
}

// Walks up from every span; a span met again on its own way up is cut off there.
void cut_loops(const Roots& roots, Tree& tree) {
  enum : std::uint8_t { kNew, kOnTheWay, kDone };
  std::vector<std::uint8_t> seen(tree.parents.size(), kNew);
  for (std::uint32_t start = 0; start < tree.parents.size(); ++start) {
    std::vector<std::uint32_t> way;
    std::uint32_t at = start;
    while (at != kNoParent && seen[at] == kNew) {
      seen[at] = kOnTheWay;
      way.push_back(at);
      at = tree.parents[at];
    }
    if (at != kNoParent && seen[at] == kOnTheWay) {
      tree.parents[at] = roots.of(at);
      tree.placed[at] = Placed::kLoop;
    }
    for (const std::uint32_t done : way) seen[done] = kDone;
  }
}

}  // namespace

Tree build_tree(const std::vector<TraceSpan>& spans) {
  Tree tree;
  tree.parents.assign(spans.size(), kNoParent);
  tree.placed.assign(spans.size(), Placed::kByParent);
  tree.children.resize(spans.size());
  const Roots roots(spans);
  place(spans, roots, tree);
  cut_loops(roots, tree);
  for (std::uint32_t i = 0; i < spans.size(); ++i) {
    (tree.parents[i] == kNoParent ? tree.tops : tree.children[tree.parents[i]]).push_back(i);
  }
  return tree;
}

}  // namespace mcptrace::query
