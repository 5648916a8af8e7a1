#include "observe/sessions.h"

#include <gtest/gtest.h>

#include "observe/traced_test_support.h"

namespace mcptrace::observe {
namespace {

using spool::RecordType;

TEST(Sessions, OneIsOpenFromItsClientsFirstMessageUntilTheGap) {
  TracedParts parts({.gap = std::chrono::minutes(1)});
  Sessions& sessions = parts.sessions;
  EXPECT_EQ(sessions.find(7), nullptr);
  EXPECT_EQ(sessions.next_deadline(), Nanos::max());
  Session& session = sessions.open_for(TracedParts::request(7, 1, 0));
  EXPECT_EQ(sessions.find(7), &session);
  EXPECT_FALSE(session.closed);
  EXPECT_EQ(sessions.next_deadline(), TracedParts::at(60).boot + Nanos(1));
  sessions.on_time(TracedParts::at(60).boot);
  EXPECT_FALSE(session.closed);
  sessions.on_time(TracedParts::at(61).boot);
  EXPECT_TRUE(session.closed);
  EXPECT_EQ(parts.kept.count(RecordType::kSessionOpen), 1u);
  EXPECT_EQ(parts.kept.count(RecordType::kSessionClose), 1u);
  sessions.open_for(TracedParts::request(7, 2, 100));
  EXPECT_FALSE(session.closed);
  EXPECT_EQ(parts.kept.count(RecordType::kSessionOpen), 2u);
}

TEST(Sessions, WhatWaitsForAnAnswerHasNoGap) {
  TracedParts parts({.gap = std::chrono::minutes(1)});
  Session& session = parts.sessions.open_for(TracedParts::request(7, 1, 0));
  session.open = 1;
  parts.sessions.on_time(TracedParts::at(1000).boot);
  EXPECT_FALSE(session.closed);
  session.open = 0;
  parts.sessions.rest(session);
  parts.sessions.on_time(TracedParts::at(1000).boot);
  EXPECT_TRUE(session.closed);
}

TEST(Sessions, TheOneSilentLongestMakesRoomUnlessSomethingOfItIsOpen) {
  TracedParts parts({.max_sessions = 4});
  for (std::uint32_t serial = 1; serial <= 4; ++serial) {
    parts.sessions.open_for(TracedParts::request(serial, 1, serial)).touch(TracedParts::at(serial));
  }
  parts.sessions.find(1)->listens = 1;
  parts.sessions.open_for(TracedParts::request(5, 1, 5));
  EXPECT_NE(parts.sessions.find(1), nullptr);
  EXPECT_EQ(parts.sessions.find(2), nullptr);
  EXPECT_NE(parts.sessions.find(3), nullptr);
  EXPECT_EQ(parts.kept.count(RecordType::kSessionClose), 1u);
  parts.sessions.close(*parts.sessions.find(4));
  parts.sessions.open_for(TracedParts::request(6, 1, 6));
  EXPECT_NE(parts.sessions.find(3), nullptr);  // what is closed goes before what is silent
  EXPECT_EQ(parts.sessions.find(4), nullptr);
}

TEST(Sessions, TheProcesssOwnIsTheOneThatIsThereWhereNoneWasBegun) {
  mcp::CallContext first;
  first.session = 1;
  TracedParts parts({.first = first});
  EXPECT_EQ(parts.sessions.present(), nullptr);
  Session& own = parts.sessions.process(TracedParts::at(0));
  EXPECT_TRUE(own.closed);
  EXPECT_EQ(parts.sessions.present(), &own);
  Session& named = parts.sessions.open_for(TracedParts::request(2, 1, 0));
  EXPECT_EQ(parts.sessions.present(), &named);
  parts.sessions.open_for(TracedParts::request(3, 1, 0));
  EXPECT_EQ(parts.sessions.present(), &own);
}

}  // namespace
}  // namespace mcptrace::observe
