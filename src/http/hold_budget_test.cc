#include "http/hold_budget.h"

#include <gtest/gtest.h>

#include <list>
#include <string>

namespace mcptrace::http {
namespace {

constexpr std::size_t kMiB = 1 << 20;

TEST(HoldBudget, BodiesAreHeldWhileThereIsRoomAndLeaveAQuarterToThoseThatAreRead) {
  HoldBudget budget(8 * kMiB);
  const std::string body(kMiB, 'b');
  std::list<HeldBytes> all;
  while (all.emplace_back().append(body, budget)) EXPECT_EQ(all.back().view(), body);
  EXPECT_EQ(all.size(), 7u);
  EXPECT_EQ(budget.used(), 6 * kMiB);
  EXPECT_TRUE(all.back().empty());
  EXPECT_TRUE(budget.take(2 * kMiB));
  EXPECT_FALSE(budget.take(1));
  budget.give(2 * kMiB);
  all.front().release();
  EXPECT_TRUE(all.back().append(body, budget));
  all.clear();
  EXPECT_EQ(budget.used(), 0u);
}

TEST(HoldBudget, WhatFitsIntoWhatABodyHasNeedsNoMore) {
  HoldBudget budget(kMiB);
  HeldBytes held;
  std::string whole;
  for (int i = 0; i < 1000; ++i) {
    const std::string piece(static_cast<std::size_t>(i % 7), static_cast<char>('a' + i % 26));
    ASSERT_TRUE(held.append(piece, budget));
    whole += piece;
  }
  EXPECT_EQ(held.view(), whole);
  ASSERT_TRUE(budget.take(kMiB - budget.used()));  // others have all the rest
  EXPECT_TRUE(held.append("x", budget));
  EXPECT_FALSE(held.append(std::string(kMiB / 4, 'x'), budget));
  EXPECT_EQ(held.view(), whole + "x");
}

TEST(HoldBudget, BeyondItOnlyWhatWasInABufferAnyway) {
  HoldBudget budget(0);
  HeldBytes held;
  EXPECT_FALSE(held.append("x", budget));
  held.append_anyway("buffered");
  EXPECT_EQ(held.view(), "buffered");
  EXPECT_EQ(budget.used(), 0u);
  held.release();
  EXPECT_TRUE(held.empty());
}

TEST(HoldBudget, LibrariesAllocateOnItOrNotAtAll) {
  HoldBudget budget(1000);
  void* const memory = allocate_held(&budget, 500);
  ASSERT_NE(memory, nullptr);
  EXPECT_GE(budget.used(), 500u);
  EXPECT_EQ(allocate_held(&budget, 500), nullptr);
  free_held(&budget, memory);
  free_held(&budget, nullptr);
  EXPECT_EQ(budget.used(), 0u);
}

}  // namespace
}  // namespace mcptrace::http
