#include "observe/stretches.h"

#include <gtest/gtest.h>

#include "base/testing.h"

namespace mcptrace::observe {
namespace {

class StretchesTest : public testing::Test {
 protected:
  static Instant at(std::int64_t minutes) {
    return {std::chrono::minutes(30'000'000 + minutes), std::chrono::minutes(60 + minutes)};
  }
  static SessionKey named(std::string_view text) { return {SessionKey::Kind::kTransport, 0, "server", text}; }
  static SessionKey guessed(std::string_view text) { return {SessionKey::Kind::kGuessed, 0, "server", text}; }
  Stretches table(Stretches::Limits limits = {}) { return Stretches(limits, key_, random_); }

  HashKey key_{{1, 2, 3}};
  SeededRandom random_{1};
};

TEST_F(StretchesTest, KeysOfOtherKindsAndRoutesAreOfOtherSessions) {
  Stretches stretches = table();
  Stretch& one = stretches.at(named("a"), at(0), true);
  EXPECT_EQ(&stretches.at(named("a"), at(0), true), &one);
  EXPECT_NE(&stretches.at(guessed("a"), at(0), true), &one);
  EXPECT_NE(&stretches.at({SessionKey::Kind::kTransport, 1, "server", "a"}, at(0), true), &one);
  EXPECT_NE(&stretches.at(named("b"), at(0), true), &one);
}

TEST_F(StretchesTest, TheLeastRecentlyUsedGoesAndComesBackWithItsDerivedIds) {
  Stretches stretches = table({.sessions = 2});
  const mcp::CallContext a = stretches.at(named("a"), at(0), true).root;
  Stretch& b = stretches.at(named("b"), at(0), true);
  const std::uint32_t serial_of_b = b.root.session;
  stretches.at(named("a"), at(1), true);
  Stretch& c = stretches.at(named("c"), at(2), true);
  EXPECT_EQ(&b, &c);
  EXPECT_NE(c.root.session, serial_of_b);
  EXPECT_EQ(stretches.at(named("a"), at(3), true).root.session, a.session);
  stretches.at(named("b"), at(4), true);
  stretches.at(named("c"), at(5), true);
  const mcp::CallContext again = stretches.at(named("a"), at(6), true).root;
  EXPECT_NE(again.session, a.session);
  EXPECT_EQ(again.root_trace_id, a.root_trace_id);
  EXPECT_EQ(again.session_print, a.session_print);
}

TEST_F(StretchesTest, ADerivedOneIsOverWithTheDayAGuessedOneAfterTheGapOrManyCalls) {
  Stretches stretches = table({.calls = 2});
  Stretch& derived = stretches.at(named("a"), at(0), true);
  Stretch& random = stretches.at(guessed("a"), at(0), true);
  derived.announced = random.announced = true;
  const mcp::CallContext first_derived = derived.root, first_random = random.root;
  derived.calls = 2;
  EXPECT_EQ(stretches.at(named("a"), at(100), true).root.session, first_derived.session);
  EXPECT_EQ(stretches.at(named("a"), at(24 * 60), false).root.session, first_derived.session);
  EXPECT_EQ(stretches.at(named("a"), at(24 * 60), true).root.previous, first_derived.session);
  EXPECT_NE(derived.root.root_trace_id, first_derived.root_trace_id);
  EXPECT_EQ(derived.root.session_print, first_derived.session_print);
  EXPECT_EQ(stretches.at(guessed("a"), at(30), true).root.session, first_random.session);
  random.open = 1;
  EXPECT_EQ(stretches.at(guessed("a"), at(31), true).root.session, first_random.session);
  random.open = 0;
  EXPECT_EQ(stretches.at(guessed("a"), at(31), true).root.previous, first_random.session);
  random.announced = true;
  random.calls = 2;
  EXPECT_EQ(stretches.at(guessed("a"), at(31), true).calls, 0u);
}

TEST_F(StretchesTest, AnotherClientBeginsASessionOfItsOwn) {
  Stretches stretches = table();
  const auto initialize = [&](std::uint64_t client) {
    SessionKey key = guessed("a");
    key.client = client;
    Stretch& stretch = stretches.at(key, at(0), true);
    stretch.announced = true;
    return stretch.root;
  };
  const mcp::CallContext first = initialize(7);
  EXPECT_EQ(initialize(7).session, first.session);
  const mcp::CallContext other = initialize(8);
  EXPECT_NE(other.session, first.session);
  EXPECT_NE(other.session_print, first.session_print);
  EXPECT_EQ(other.previous, 0u);
  EXPECT_EQ(stretches.at(guessed("a"), at(1), true).root.session, other.session) << "who it is, is not said";
  const mcp::CallContext again = initialize(7);
  EXPECT_NE(again.session, first.session);
  EXPECT_EQ(again.session_print, first.session_print);
}

TEST_F(StretchesTest, AClientThatSaysLateWhoItIsGoesOn) {
  Stretches stretches = table();
  const mcp::CallContext first = stretches.at(guessed("a"), at(0), true).root;
  SessionKey key = guessed("a");
  key.client = 7;
  EXPECT_EQ(stretches.at(key, at(0), true).root.session, first.session);
}

TEST(TableHash, NoTwoDomainsMeetAndNoSecretGuessesAnother) {
  const HashKey key({1}), foreign({2});
  EXPECT_EQ(TableHash(key)("a", 1), TableHash(key)("a", 1));
  EXPECT_NE(TableHash(key)("a", 1), TableHash(key)("a", 2));
  EXPECT_NE(TableHash(key)("a", 1), TableHash(key)("b", 1));
  EXPECT_NE(TableHash(key)("a", 1), TableHash(foreign)("a", 1));
}

}  // namespace
}  // namespace mcptrace::observe
