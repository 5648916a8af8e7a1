#include "mcp/call_table.h"

#include <gtest/gtest.h>

#include <string>

namespace mcptrace::mcp {
namespace {

Fact request(std::uint64_t id, std::string_view trace_state) {
  Fact fact;
  fact.message.kind = MessageKind::kRequest;
  fact.message.method = Method::kToolsCall;
  fact.message.id = {IdType::kInteger, id, id};
  fact.trace_state = trace_state;
  return fact;
}

TEST(CallTable, IsFullByTheBytesOfItsTexts) {
  CallTable table(1000, 4096);
  const std::string state(1024, 's');
  for (std::uint64_t id = 1; id <= 4; ++id) {
    EXPECT_FALSE(table.full()) << id;
    table.open(request(id, state));
  }
  EXPECT_TRUE(table.full());
  table.close(table.all().front());
  EXPECT_FALSE(table.full());
  table.set_trace_state(table.all().front(), std::string(4096, 't'));
  EXPECT_TRUE(table.full());
  table.set_trace_state(table.all().front(), {});
  EXPECT_FALSE(table.full());
}

TEST(CallTable, AClosedCallKeepsNoLongText) {
  CallTable table(10);
  OpenCall& call = table.open(request(1, std::string(16384, 's')));
  table.close(call);
  EXPECT_LT(call.trace_state.capacity(), 1024u);
  EXPECT_EQ(table.open(request(2, "ot=rv:1")).trace_state, "ot=rv:1");
}

TEST(CallTable, OfEqualIdsTheNewestIsFoundAndOneOfTheExchangeBeforeAll) {
  CallTable table(10);
  const RequestId id = request(7, "").message.id;
  OpenCall& first = table.open(request(7, ""));
  OpenCall& second = table.open(request(7, ""));
  first.exchange_serial = 1, second.exchange_serial = 2;
  EXPECT_EQ(table.find(Direction::kClientToServer, id), &second);
  EXPECT_EQ(table.find(Direction::kClientToServer, id, 1), &first);
  table.close(second);
  EXPECT_EQ(table.find(Direction::kClientToServer, id, 2), &first);
}

TEST(CallTable, AnIdOfNullIsFoundInItsExchangeAlone) {
  CallTable table(10);
  Fact fact = request(0, "");
  fact.message.id.type = IdType::kNull;
  OpenCall& call = table.open(fact);
  call.exchange_serial = 1;
  EXPECT_EQ(table.find(Direction::kClientToServer, fact.message.id, 1), &call);
  EXPECT_EQ(table.find(Direction::kClientToServer, fact.message.id, 2), nullptr);
}

}  // namespace
}  // namespace mcptrace::mcp
