#include "observe/calls.h"

#include <gtest/gtest.h>

#include "observe/traced_test_support.h"

namespace mcptrace::observe {
namespace {

using spool::RecordType;

mcp::Fact server_request(std::uint64_t id, std::int64_t seconds) {
  mcp::Fact fact = TracedParts::request(1, id, seconds, mcp::Method::kSamplingCreateMessage);
  fact.message.direction = mcp::Direction::kServerToClient;
  return fact;
}

TEST(Calls, AnOpenOneIsInAllCountsAndAnEndedOneInNone) {
  TracedParts parts;
  mcp::OpenCall& call = parts.open(TracedParts::request(1, 1, 0));
  Session& session = *parts.sessions.find(1);
  EXPECT_EQ(session.open, 1u);
  EXPECT_EQ(parts.activity.open_requests, 1);
  EXPECT_EQ(parts.calls.only_nestable(nullptr), &call);
  mcp::OpenCall& listen = parts.open(TracedParts::request(1, 2, 0, mcp::Method::kSubscriptionsListen));
  EXPECT_EQ(session.listens, 1u);
  EXPECT_EQ(parts.activity.open_requests, 1);
  parts.calls.end(call, {}, TracedParts::at(1).boot);
  parts.calls.end(listen, {}, TracedParts::at(1).boot);
  EXPECT_EQ(session.open + session.listens, 0u);
  EXPECT_EQ(parts.activity.open_requests, 0);
  EXPECT_EQ(parts.calls.only_nestable(nullptr), nullptr);
  EXPECT_EQ(parts.calls.table().size(), 0u);
  EXPECT_EQ(parts.calls.next_deadline(), Nanos::max());
  EXPECT_EQ(parts.kept.count(RecordType::kSpan), 2u);
}

TEST(Calls, WhatIsNestedEndsWithItsParent) {
  TracedParts parts;
  mcp::OpenCall& parent = parts.open(TracedParts::request(1, 1, 0));
  for (std::uint64_t id = 1; id <= 3; ++id) {
    mcp::OpenCall& child = parts.calls.open(*parts.sessions.find(1), parts.stdio, server_request(id, 0));
    child.parent = &parent;
    parent.children.push_back(child);
  }
  parts.calls.end(parent.children.front(), {}, TracedParts::at(1).boot);
  EXPECT_EQ(parts.calls.table().size(), 3u);
  std::size_t seen = 0;
  parts.calls.for_each(parts.calls.table().all(), [&](mcp::OpenCall& call) {
    ++seen;
    parts.calls.end(call, {}, TracedParts::at(2).boot);
  });
  EXPECT_EQ(seen, 1u);  // the others had ended when it was their turn
  EXPECT_EQ(parts.calls.table().size(), 0u);
  EXPECT_EQ(parts.sessions.find(1)->open, 0u);
}

TEST(Calls, IsWrittenAsOpenAfterASecondAndOnlyOnce) {
  TracedParts parts;
  mcp::OpenCall& call = parts.open(TracedParts::request(1, 1, 0));
  EXPECT_EQ(parts.calls.next_deadline(), TracedParts::at(1).boot);
  parts.calls.on_time(TracedParts::at(1).boot - Nanos(1));
  EXPECT_EQ(parts.kept.count(RecordType::kCallOpen), 0u);
  parts.calls.on_time(TracedParts::at(1).boot);
  parts.calls.on_time(TracedParts::at(2).boot);
  EXPECT_EQ(parts.kept.count(RecordType::kCallOpen), 1u);
  EXPECT_TRUE(call.was_reported());
  parts.calls.write_open(TracedParts::at(3).boot);
  EXPECT_EQ(parts.kept.count(RecordType::kCallOpen), 2u);
}

TEST(Calls, TheOldestMakesRoom) {
  TracedParts parts({.max_open = 2});
  parts.open(TracedParts::request(1, 1, 0));
  mcp::OpenCall& second = parts.open(TracedParts::request(1, 2, 0));
  parts.calls.make_room();
  EXPECT_EQ(parts.calls.table().size(), 1u);
  EXPECT_EQ(&parts.calls.table().all().front(), &second);
}

TEST(Calls, OneWhoseStreamWasCutWaitsFiveMinutesUnlessItIsResumed) {
  TracedParts parts({.routes = {{"a", {}, 0}}});
  HttpExchange& exchange = parts.exchanges.add(1);
  const mcp::Fact fact = TracedParts::request(1, 1, 0);
  mcp::OpenCall& call = parts.calls.open(parts.sessions.open_for(fact), exchange, fact);
  parts.calls.cut(call, TracedParts::at(0).boot, false);
  parts.calls.resume(exchange);
  parts.calls.on_time(TracedParts::at(400).boot);
  EXPECT_TRUE(call.open);
  parts.calls.cut(call, TracedParts::at(400).boot, false);
  EXPECT_EQ(parts.calls.next_deadline(), TracedParts::at(700).boot);
  EXPECT_EQ(parts.calls.overdue(TracedParts::at(699).boot), nullptr);
  EXPECT_EQ(parts.calls.overdue(TracedParts::at(700).boot), &call);
  // That its client has left was known late.
  const mcp::Fact other = TracedParts::request(1, 2, 100);
  mcp::OpenCall& left = parts.calls.open(parts.sessions.open_for(other), exchange, other);
  parts.calls.cut(left, TracedParts::at(200).boot, true);
  EXPECT_EQ(parts.calls.overdue(TracedParts::at(500).boot), &left);
}

TEST(Calls, WhatMayHaveBeenAnsweredByALostFactIsGivenUp) {
  TracedParts parts;
  mcp::OpenCall& before = parts.open(TracedParts::request(1, 1, 0));
  mcp::OpenCall& after = parts.open(TracedParts::request(1, 2, 20));
  parts.calls.add_dropped(TracedParts::at(10).boot);
  parts.calls.on_time(TracedParts::at(309).boot);
  EXPECT_TRUE(before.open);
  parts.calls.on_time(TracedParts::at(310).boot);
  EXPECT_FALSE(before.open);
  EXPECT_TRUE(after.open);
  EXPECT_EQ(parts.calls.next_deadline(), Nanos::max());
}

}  // namespace
}  // namespace mcptrace::observe
