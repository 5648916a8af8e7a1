#include "observe/recollection.h"

#include <gtest/gtest.h>

namespace mcptrace::observe {
namespace {

Recollection::Span span(std::uint8_t number) {
  Recollection::Span span;
  span.span_id.bytes[0] = number;
  return span;
}

TEST(Recollection, AStateIsOfOneSessionAndOneRoute) {
  Recollection known;
  known.remember_state({1, 10, 0}, span(1));
  known.remember_state({1, 20, 0}, span(2));
  known.remember_state({1, 10, 1}, span(3));
  EXPECT_EQ(known.state({1, 10, 0})->span_id, span(1).span_id);
  EXPECT_EQ(known.state({1, 20, 0})->span_id, span(2).span_id);
  EXPECT_EQ(known.state({1, 10, 1})->span_id, span(3).span_id);
  EXPECT_EQ(known.state({1, 30, 0}), nullptr);
  EXPECT_EQ(known.task({1, 10, 0}), nullptr);
}

TEST(Recollection, OfEqualOnesTheNewestCounts) {
  Recollection known;
  for (std::uint8_t i = 0; i < 100; ++i) known.remember_task({1, 10, 0}, span(i));
  EXPECT_EQ(known.task({1, 10, 0})->span_id, span(99).span_id);
  for (std::uint64_t i = 0; i < 256; ++i) known.remember_task({2 + i, 10, 0}, span(0));
  EXPECT_EQ(known.task({1, 10, 0}), nullptr);
}

TEST(Recollection, ALateAnswerIsOfTheNewestCallThatEndedWithoutOne) {
  Recollection known;
  const mcp::RequestId id{mcp::IdType::kInteger, 5, 5};
  const auto ended = [&](std::uint8_t number) {
    EndedCall call;
    call.id = id;
    call.session = 1;
    call.span_id = span(number).span_id;
    call.exchange = number;
    known.ended(std::move(call));
  };
  for (std::uint8_t i = 1; i <= 4; ++i) ended(i);
  EXPECT_EQ(known.take_ended(mcp::Direction::kClientToServer, id, 2)->span_id, span(2).span_id) << "its own exchange's";
  EXPECT_TRUE(known.has_ended(mcp::Direction::kClientToServer, id, 1));
  EXPECT_FALSE(known.has_ended(mcp::Direction::kClientToServer, id, 2));
  for (const int expected : {4, 3, 1}) {
    const auto late = known.take_ended(mcp::Direction::kClientToServer, id, 9);
    ASSERT_TRUE(late);
    EXPECT_EQ(late->span_id, span(static_cast<std::uint8_t>(expected)).span_id);
  }
  EXPECT_FALSE(known.take_ended(mcp::Direction::kClientToServer, id, 9));
}

}  // namespace
}  // namespace mcptrace::observe
