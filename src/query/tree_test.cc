#include "query/tree.h"

#include <gtest/gtest.h>

#include <set>

#include "base/random.h"
#include "base/testing.h"

namespace mcptrace::query {
namespace {

TraceId trace(std::uint8_t n) {
  TraceId id;
  id.bytes.fill(n);
  return id;
}
SpanId span_id(std::uint8_t n) {
  SpanId id;
  if (n != 0) id.bytes.fill(n);
  return id;
}

TraceSpan span(std::uint8_t id, std::uint8_t parent, std::uint8_t of_trace = 1) {
  TraceSpan out;
  out.header.trace_id = trace(of_trace);
  out.header.span_id = span_id(id);
  out.header.parent_id = span_id(parent);
  out.header.session_print = 7;
  out.header.start = Nanos(id);
  return out;
}
TraceSpan root(std::uint8_t id, std::uint8_t of_trace = 1) {
  TraceSpan out = span(id, 0, of_trace);
  out.header.flags = trace::kRootSpan;
  return out;
}

// Every span is reached from the tops once.
void expect_whole(const Tree& tree, std::size_t spans) {
  std::set<std::uint32_t> seen;
  std::vector<std::uint32_t> way(tree.tops);
  while (!way.empty()) {
    const std::uint32_t at = way.back();
    way.pop_back();
    ASSERT_TRUE(seen.insert(at).second);
    way.insert(way.end(), tree.children[at].begin(), tree.children[at].end());
  }
  EXPECT_EQ(seen.size(), spans);
}

TEST(Tree, NestsByParent) {
  const Tree tree = build_tree({root(1), span(2, 1), span(3, 2), span(4, 1)});
  EXPECT_EQ(tree.tops, (std::vector<std::uint32_t>{0}));
  EXPECT_EQ(tree.children[0], (std::vector<std::uint32_t>{1, 3}));
  EXPECT_EQ(tree.children[1], (std::vector<std::uint32_t>{2}));
}

TEST(Tree, MissingParentGoesUnderTheRoot) {
  const Tree tree = build_tree({root(1), span(2, 99)});
  EXPECT_EQ(tree.parents[1], 0u);
  EXPECT_EQ(tree.placed[1], Placed::kOrphan);
}

TEST(Tree, CallersTraceGoesUnderTheRootWithAMark) {
  const Tree tree = build_tree({root(1), span(2, 50, 9), span(3, 2, 9)});
  EXPECT_EQ(tree.parents[1], 0u);
  EXPECT_EQ(tree.placed[1], Placed::kForeign);
  EXPECT_EQ(tree.parents[2], 1u);
  EXPECT_EQ(tree.placed[2], Placed::kByParent);
}

TEST(Tree, SpanOfASecondStretchGoesUnderItsRoot) {
  const Tree tree = build_tree({root(1), span(2, 1), root(10, 2), span(11, 80, 9)});
  EXPECT_EQ(tree.tops, (std::vector<std::uint32_t>{0, 2}));
  EXPECT_EQ(tree.parents[3], 2u);
}

TEST(Tree, SelfParentAndLoopsEnd) {
  const Tree tree = build_tree({root(1), span(2, 2), span(3, 4), span(4, 5), span(5, 3), span(6, 5)});
  expect_whole(tree, 6);
  EXPECT_EQ(tree.parents[1], 0u);
  EXPECT_EQ(tree.placed[1], Placed::kLoop);
  EXPECT_EQ(tree.parents[5], 4u);
}

TEST(Tree, WithoutRootLoopsStandAtTheTop) {
  const Tree tree = build_tree({span(3, 4), span(4, 3), span(5, 9)});
  expect_whole(tree, 3);
  EXPECT_EQ(tree.tops.size(), 2u);
}

TEST(Tree, ARootWithAParentInItsOwnTreeStaysAtTheTop) {
  TraceSpan top = root(1);
  top.header.parent_id = span_id(2);
  const Tree tree = build_tree({top, span(2, 1)});
  expect_whole(tree, 2);
  EXPECT_EQ(tree.tops, (std::vector<std::uint32_t>{0}));
}

TEST(Tree, RandomParentsAlwaysGiveAWholeTree) {
  SeededRandom random(3);
  for (int round = 0; round < 300; ++round) {
    std::vector<TraceSpan> spans;
    const std::uint8_t size = static_cast<std::uint8_t>(1 + random.u64() % 30);
    for (std::uint8_t i = 1; i <= size; ++i) {
      spans.push_back(span(i, static_cast<std::uint8_t>(random.u64() % (size + 2u)),
                           static_cast<std::uint8_t>(1 + random.u64() % 2)));
      if (random.u64() % 8 == 0) spans.back().header.flags = trace::kRootSpan;
    }
    expect_whole(build_tree(spans), spans.size());
  }
}

TEST(Tree, ADeepChainIsNoRecursion) {
  std::vector<TraceSpan> spans(100'000);
  for (std::size_t i = 0; i < spans.size(); ++i) {
    for (int b = 0; b < 4; ++b)
      spans[i].header.span_id.bytes[4 + static_cast<std::size_t>(b)] = static_cast<std::uint8_t>((i + 1) >> (8 * b));
    if (i > 0) spans[i].header.parent_id = spans[i - 1].header.span_id;
    spans[i].header.trace_id = trace(1);
  }
  expect_whole(build_tree(spans), spans.size());
}

}  // namespace
}  // namespace mcptrace::query
