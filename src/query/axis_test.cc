#include "query/axis.h"

#include <gtest/gtest.h>

namespace mcptrace::query {
namespace {

using namespace std::chrono_literals;

TEST(Axis, StraightWhereItIsBusy) {
  const TimeAxis axis({0s, 10s}, {{0s, 4s}, {6s, 10s}});
  EXPECT_EQ(axis.shortened_gaps(), 0u);
  EXPECT_DOUBLE_EQ(axis.position(5s), 0.5);
  EXPECT_DOUBLE_EQ(axis.position(-1s), 0);
  EXPECT_DOUBLE_EQ(axis.position(11s), 1);
}

TEST(Axis, GapsTakeAtMostHalf) {
  const TimeAxis axis({0s, 3600s}, {{0s, 1s}, {3599s, 3600s}});
  EXPECT_EQ(axis.shortened_gaps(), 1u);
  EXPECT_EQ(axis.shortened_time(), 3598s);
  EXPECT_DOUBLE_EQ(axis.position(1s), 0.25);
  EXPECT_DOUBLE_EQ(axis.position(3599s), 0.75);
  EXPECT_TRUE(axis.shortened(0.3, 0.7));
  EXPECT_FALSE(axis.shortened(0.2, 0.7));
}

TEST(Axis, ShortGapsKeepTheirLength) {
  // Busy 3 s; gaps 1 s and 100 s: the short one stays, the long one gets what is left of 3 s.
  const TimeAxis axis({0s, 104s}, {{0s, 1s}, {2s, 3s}, {103s, 104s}});
  EXPECT_EQ(axis.shortened_gaps(), 1u);
  EXPECT_DOUBLE_EQ(axis.position(2s) - axis.position(1s), axis.position(1s));
  EXPECT_NEAR(axis.position(103s) - axis.position(3s), 2.0 / 6, 1e-9);
}

TEST(Axis, NothingAndMomentsAndNonsense) {
  const TimeAxis empty({5s, 5s}, {});
  EXPECT_DOUBLE_EQ(empty.position(5s), 0);
  const TimeAxis moments({0s, 10s}, {{2s, 2s}, {4s, 4s}});
  EXPECT_DOUBLE_EQ(moments.position(5s), 0.5);
  const TimeAxis backwards({10s, 0s}, {{8s, 3s}});
  EXPECT_DOUBLE_EQ(backwards.position(10s), 0);
  const TimeAxis extreme({Nanos::min(), Nanos::max()}, {{Nanos::min(), 0ns}});
  EXPECT_NEAR(extreme.position(0ns), 0.5, 1e-9);
}

TEST(Axis, TellsNanosecondsOfTodayApart) {
  const Nanos now(1'750'000'000'000'000'000);
  const TimeAxis axis({now, now + 4ns}, {{now, now + 1ns}, {now + 2ns, now + 4ns}});
  EXPECT_EQ(axis.position(now), 0);
  EXPECT_EQ(axis.position(now + 1ns), 0.25);
  EXPECT_EQ(axis.position(now + 3ns), 0.75);
  const TimeAxis instant({now, now + 1ns}, {});
  EXPECT_EQ(instant.position(now), 0);
  EXPECT_EQ(instant.position(now + 1ns), 1);
}

TEST(Axis, NeverGoesBack) {
  const TimeAxis axis({0s, 1000s}, {{10s, 20s}, {15s, 18s}, {20s, 25s}, {500s, 501s}, {900s, 1000s}});
  double last = 0;
  for (int i = 0; i <= 10000; ++i) {
    const double at = axis.position(Nanos(100ms) * i);
    ASSERT_GE(at, last);
    last = at;
  }
  EXPECT_DOUBLE_EQ(last, 1);
}

}  // namespace
}  // namespace mcptrace::query
