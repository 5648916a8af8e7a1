// What the relay decides for a client's message, where golden cases cannot reach: derived ids, bounds, replicas.
#include "observe/placement.h"

#include <gtest/gtest.h>

#include "base/testing.h"

namespace mcptrace::observe {
namespace {

using mcp::NotInjected;
using mcp::Text;

class PlacementTest : public testing::Test {
 protected:
  static mcp::Message modern(std::string_view conversation) {
    mcp::Message message;
    message.kind = mcp::MessageKind::kRequest;
    message.method = mcp::Method::kToolsCall;
    message.flags = mcp::kModern | mcp::kJsonrpc2 | mcp::kNamesMcp;
    message[Text::kConversation] = conversation;
    return message;
  }
  static Instant at(std::int64_t hours) { return {std::chrono::hours(500'000 + hours), std::chrono::hours(1 + hours)}; }

  HashKey key_{{1, 2, 3}};
  SeededRandom random_{1}, other_random_{2};
  Activity activity_;
};

TEST_F(PlacementTest, ReplicasWithOneSecretAndNameDeriveTheSameIds) {
  PlacementOptions options;
  options.name = "files";
  Placement one(options, key_, random_, activity_), two(options, key_, other_random_, activity_);
  const auto a = one.place(modern("openai/session=c1"), NotInjected::kNone, at(0)).context;
  const auto b = two.place(modern("openai/session=c1"), NotInjected::kNone, at(1)).context;
  EXPECT_TRUE(a.derived);
  EXPECT_EQ(a.root_trace_id, b.root_trace_id);
  EXPECT_EQ(a.root_span_id, b.root_span_id);
  EXPECT_EQ(a.session_print, b.session_print);
  EXPECT_NE(a.span_id, b.span_id);
  options.name = "other";
  Placement three(options, key_, random_, activity_);
  EXPECT_NE(three.place(modern("openai/session=c1"), NotInjected::kNone, at(0)).context.root_trace_id, a.root_trace_id);
  const HashKey foreign({9});
  options.name = "files";
  Placement four(options, foreign, random_, activity_);
  EXPECT_NE(four.place(modern("openai/session=c1"), NotInjected::kNone, at(0)).context.root_trace_id, a.root_trace_id);
}

TEST_F(PlacementTest, ADerivedSessionBeginsANewStretchWithTheDay) {
  Placement placement({}, key_, random_, activity_);
  const auto first = placement.place(modern("k=v"), NotInjected::kNone, at(0)).context;
  const auto next = placement.place(modern("k=v"), NotInjected::kNone, at(24)).context;
  EXPECT_EQ(first.session_print, next.session_print);
  EXPECT_NE(first.root_trace_id, next.root_trace_id);
  EXPECT_EQ(next.previous, first.session);
}

TEST_F(PlacementTest, AMillionConversationsTakeBoundedMemoryAndKeepTheirIds) {
  Placement placement({}, key_, random_, activity_);
  const auto first = placement.place(modern("k=0"), NotInjected::kNone, at(0)).context;
  for (int i = 1; i < 5000; ++i) {
    const std::string key = "k=" + std::to_string(i);
    placement.place(modern(key), NotInjected::kNone, at(0));
  }
  const auto again = placement.place(modern("k=0"), NotInjected::kNone, at(0)).context;
  EXPECT_EQ(again.root_trace_id, first.root_trace_id);
  EXPECT_EQ(again.root_span_id, first.root_span_id);
}

TEST_F(PlacementTest, AGapWithSomethingOpenBeginsNothing) {
  Placement placement({}, key_, random_, activity_);
  const auto first = placement.place(modern(""), NotInjected::kNone, at(0)).context;
  activity_.open_requests = 1;
  EXPECT_EQ(placement.place(modern(""), NotInjected::kNone, at(2)).context.session, first.session);
  activity_.open_requests = 0;
  activity_.last_server_message = Nanos(at(4).boot - std::chrono::minutes(29)).count();
  EXPECT_EQ(placement.place(modern(""), NotInjected::kNone, at(4)).context.session, first.session);
  const auto second = placement.place(modern(""), NotInjected::kNone, at(6)).context;
  EXPECT_NE(second.session, first.session);
  EXPECT_EQ(second.previous, first.session);
  EXPECT_EQ(second.session_print, first.session_print);
}

TEST_F(PlacementTest, AStretchWithRandomIdsHasAtMost5000Calls) {
  Placement placement({}, key_, random_, activity_);
  const auto call = [&] { return placement.place(modern(""), NotInjected::kNone, at(0)).context; };
  activity_.open_requests = 1;  // that is no matter
  const auto first = call();
  for (int i = 2; i < 4999; ++i) call();
  EXPECT_EQ(call().session, first.session) << "4,999";
  EXPECT_EQ(call().session, first.session) << "5,000";
  mcp::Message answer = modern("");
  answer.kind = mcp::MessageKind::kResult;
  EXPECT_EQ(placement.place(answer, NotInjected::kNone, at(0)).context.session, first.session);
  EXPECT_TRUE(placement.place(modern("k=v"), NotInjected::kNone, at(0)).context.derived);
  const auto next = call();
  EXPECT_NE(next.session, first.session) << "5,001";
  EXPECT_EQ(next.previous, first.session);
  EXPECT_EQ(next.session_print, first.session_print);
  EXPECT_NE(next.root_trace_id, first.root_trace_id);
  for (int i = 2; i <= 5000; ++i) EXPECT_EQ(call().session, next.session);
  EXPECT_EQ(call().previous, next.session);
}

// Whatever else is said counts nothing, but begins the next stretch.
TEST_F(PlacementTest, OnlyCallsFillAStretchAndAnyRequestBeginsTheNext) {
  PlacementOptions options;
  options.stretch_calls = 2;
  Placement placement(options, key_, random_, activity_);
  const auto place = [&](mcp::Method method) {
    mcp::Message message = modern("");
    message.method = method;
    return placement.place(message, NotInjected::kNone, at(0)).context.session;
  };
  const auto first = place(mcp::Method::kToolsList);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(place(mcp::Method::kPing), first);
  EXPECT_EQ(place(mcp::Method::kToolsCall), first);
  EXPECT_EQ(place(mcp::Method::kToolsCall), first);
  const auto next = place(mcp::Method::kPing);
  EXPECT_NE(next, first);
  EXPECT_EQ(place(mcp::Method::kToolsCall), next);
}

TEST_F(PlacementTest, AConversationsStretchIsNeverFull) {
  PlacementOptions options;
  options.stretch_calls = 2;
  Placement placement(options, key_, random_, activity_);
  const auto place = [&] { return placement.place(modern("k=v"), NotInjected::kNone, at(0)).context.session; };
  const auto first = place();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(place(), first);
}

TEST_F(PlacementTest, WithInjectionOffNothingIsInjectedAndWhyIsSaid) {
  PlacementOptions options;
  options.inject = false;
  Placement placement(options, key_, random_, activity_);
  const auto& placed = placement.place(modern(""), NotInjected::kNone, at(0));
  EXPECT_FALSE(placed.inject);
  EXPECT_EQ(placed.context.not_injected, NotInjected::kOff);
  EXPECT_FALSE(placed.context.span_id.is_zero());
}

mcp::Message request(mcp::Method method, std::uint32_t flags) {
  mcp::Message message;
  message.kind = mcp::MessageKind::kRequest;
  message.method = method;
  message.flags = flags;
  return message;
}

TEST_F(PlacementTest, WhatIsNotOfMcpIsNotTouchedUntilMcpIsSpoken) {
  Placement placement({}, key_, random_, activity_);
  const auto place = [&](mcp::Method method, std::uint32_t flags) {
    return placement.place(request(method, flags), NotInjected::kNone, at(0));
  };
  const auto foreign = [&](mcp::Method method, std::uint32_t flags) {
    const auto& placed = place(method, flags);
    EXPECT_EQ(placed.inject, placed.context.not_injected == NotInjected::kNone);
    return placed.context.not_injected == NotInjected::kForeign;
  };
  EXPECT_TRUE(foreign(mcp::Method::kUnknown, mcp::kJsonrpc2));
  EXPECT_TRUE(foreign(mcp::Method::kInitialize, mcp::kJsonrpc2));  // of LSP, or of ACP
  EXPECT_TRUE(foreign(mcp::Method::kToolsCall, mcp::kNamesMcp));   // JSON-RPC 1.0
  EXPECT_TRUE(foreign(mcp::Method::kPing, 0));
  EXPECT_EQ(place(mcp::Method::kPing, mcp::kJsonrpc2).context.not_injected, NotInjected::kNotRequest);
  EXPECT_TRUE(place(mcp::Method::kInitialize, mcp::kJsonrpc2 | mcp::kNamesMcp).inject);
  EXPECT_TRUE(place(mcp::Method::kUnknown, mcp::kJsonrpc2).inject);
  EXPECT_TRUE(foreign(mcp::Method::kUnknown, 0));
}

}  // namespace
}  // namespace mcptrace::observe
