#include "observe/http_exchanges.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace mcptrace::observe {
namespace {

TEST(HttpExchangesTest, FindsWhatIsThereAndNothingElse) {
  HttpExchanges table(1000);
  std::map<std::uint64_t, std::uint32_t> model;
  std::mt19937 random(1);
  std::uint64_t serial = 0;
  for (int i = 0; i < 20'000; ++i) {
    if (!table.full() && random() % 2 == 0) {
      ++serial;
      model[serial] = table.add(serial).index;
    } else if (!model.empty()) {
      auto gone = model.begin();
      std::advance(gone, random() % model.size());
      table.remove(*table.find(gone->first));
      EXPECT_EQ(table.find(gone->first), nullptr);
      model.erase(gone);
    }
    if (!model.empty()) {
      EXPECT_EQ(table.oldest()->serial, model.begin()->first);
      const auto& last = *model.rbegin();
      ASSERT_NE(table.find(last.first), nullptr);
      EXPECT_EQ(table.find(last.first)->index, last.second);
    }
  }
  EXPECT_EQ(table.find(0), nullptr);
  EXPECT_EQ(table.find(serial + 1), nullptr);
}

TEST(HttpExchangesTest, AnExchangeThatHasEndedGoesWithItsLastCall) {
  HttpExchanges table(10);
  mcp::CallTable calls;
  HttpExchange& exchange = table.add(7);
  mcp::Fact fact;
  fact.message.id = {mcp::IdType::kInteger, 1, 1};
  mcp::OpenCall& one = calls.open(fact);
  table.enter(exchange, one);
  mcp::OpenCall& two = calls.open(fact);
  table.enter(exchange, two);
  mcp::OpenCall& three = calls.open(fact);
  table.enter(exchange, three);
  EXPECT_EQ(exchange.messages, 3u);
  EXPECT_EQ(calls.find(mcp::Direction::kClientToServer, fact.message.id, 7), &three);
  table.leave(two);  // in the middle
  calls.close(two);
  exchange.ended = true;
  table.leave(three);
  calls.close(three);
  ASSERT_NE(table.find(7), nullptr);
  EXPECT_EQ(&exchange.calls.front(), &one);
  EXPECT_EQ(&exchange.calls.back(), &one);
  table.leave(one);
  calls.close(one);
  EXPECT_EQ(table.find(7), nullptr);
}

TEST(HttpExchangesTest, ASseSessionLacksARootUntilSomebodyAsks) {
  HttpExchanges table(10);
  table.ask_in_sse(5);
  EXPECT_FALSE(table.is_sse(5));
  table.begin_sse(5);
  EXPECT_TRUE(table.lacks_root(5));
  table.ask_in_sse(5);
  table.begin_sse(5);
  EXPECT_TRUE(table.is_sse(5));
  EXPECT_FALSE(table.lacks_root(5));
  table.end_sse(5);
  EXPECT_FALSE(table.is_sse(5));
}

TEST(EventRingTest, RemembersTheLastThousandsAndForgetsTheOldest) {
  EventRing ring;
  EXPECT_EQ(ring.find(1), 0u);
  std::mt19937_64 random(1);
  std::vector<std::uint64_t> events;
  for (std::uint64_t i = 1; i <= 200'000; ++i) {
    events.push_back(random() | 1);
    ring.put(events.back(), i);
    ASSERT_EQ(ring.find(events.back()), i);
  }
  std::size_t known = 0;
  for (std::size_t i = events.size() - 4000; i < events.size(); ++i) known += ring.find(events[i]) == i + 1;
  EXPECT_GT(known, 3900u);
  known = 0;
  for (std::size_t i = 0; i < 4000; ++i) known += ring.find(events[i]) != 0;
  EXPECT_LT(known, 40u);
}

}  // namespace
}  // namespace mcptrace::observe
