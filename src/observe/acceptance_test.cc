#include "observe/acceptance.h"

#include <gtest/gtest.h>

#include <random>

namespace mcptrace::observe {
namespace {

using Answer = Acceptance::Answer;
using State = Acceptance::State;
using mcp::Method;
using mcp::NotInjected;

class AcceptanceTest : public testing::Test {
 protected:
  static mcp::RequestId id(std::uint64_t number) {
    return {mcp::IdType::kInteger, number * 0x9e3779b97f4a7c15u, number};
  }

  // One request: how it went on.
  NotInjected ask(Method method, std::uint64_t tool = 0) {
    const NotInjected chosen = acceptance_.choose(method, tool);
    acceptance_.sent(id(++last_), method, tool, chosen);
    return chosen;
  }
  // One request and its answer by a server that is strict, or is not; `good`: it would take the arguments.
  NotInjected call(Method method, std::uint64_t tool, bool good, bool strict, Answer refusal = Answer::kRefusal) {
    const NotInjected chosen = ask(method, tool);
    const bool refused = !good || (strict && chosen == NotInjected::kNone);
    refused_ += refused && good;
    became_strict_ |= acceptance_.answered(id(last_), refused ? refusal : Answer::kResult);
    return chosen;
  }
  State state(Method method) {
    Acceptance::Table table;
    acceptance_.server_is(++version_of_nobody_);  // so that there is a change to be taken
    EXPECT_TRUE(acceptance_.take_changes(table, seen_version_));
    return table[static_cast<std::size_t>(method)].state;
  }

  Acceptance acceptance_;
  std::uint64_t last_ = 0, version_of_nobody_ = 0, seen_version_ = 0;
  int refused_ = 0;  // though the arguments were good
  bool became_strict_ = false;
};

constexpr auto kList = Method::kToolsList;
constexpr auto kCall = Method::kToolsCall;
constexpr NotInjected kYes = NotInjected::kNone, kWithout = NotInjected::kDoubted, kNever = NotInjected::kStrict;

TEST_F(AcceptanceTest, AMethodWithoutArgumentsIsStrictAtOnce) {
  EXPECT_EQ(call(kList, 0, true, true), kYes);
  EXPECT_EQ(call(kList, 0, true, true), kWithout);
  EXPECT_TRUE(became_strict_);
  EXPECT_EQ(call(kList, 0, true, true), kNever);
  EXPECT_EQ(call(kCall, 5, true, true), kNever) << "strict in all that are not accepted";
  EXPECT_EQ(refused_, 1);
}

TEST_F(AcceptanceTest, AnAcceptedMethodStaysSoWhereAnotherIsStrict) {
  EXPECT_EQ(call(kCall, 5, true, false), kYes);
  call(kList, 0, true, true);
  call(kList, 0, true, true);
  EXPECT_TRUE(became_strict_);
  EXPECT_EQ(call(kCall, 5, true, false), kYes);
  EXPECT_EQ(call(Method::kPing, 0, true, true), kNever);
}

TEST_F(AcceptanceTest, WithArgumentsThreeAlternationsAreNeeded) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(became_strict_);
    EXPECT_EQ(call(kCall, 5, true, true), kYes);
    EXPECT_EQ(call(kCall, 5, true, true), kWithout);
  }
  EXPECT_TRUE(became_strict_);
  EXPECT_EQ(call(kCall, 5, true, true), kNever);
  EXPECT_EQ(refused_, 3);
}

TEST_F(AcceptanceTest, OneIsEnoughWhereTheRefusalSpeaksOfMeta) {
  EXPECT_EQ(call(kCall, 5, true, true, Answer::kRefusalNamesMeta), kYes);
  EXPECT_EQ(call(kCall, 5, true, true), kWithout);
  EXPECT_TRUE(became_strict_);
}

TEST_F(AcceptanceTest, WrongArgumentsAreNoStrictness) {
  EXPECT_EQ(call(kCall, 5, false, false), kYes);
  EXPECT_EQ(call(kCall, 5, false, false), kWithout);
  EXPECT_EQ(call(kCall, 5, false, false), kYes) << "untried again";
  EXPECT_EQ(call(kCall, 6, false, false), kYes) << "another tool is not doubted";
  EXPECT_EQ(call(kCall, 5, false, false), kWithout);
  EXPECT_EQ(call(kCall, 5, true, false), kYes);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(call(kCall, 5, false, false), kYes) << "accepted";
  EXPECT_EQ(call(kCall, 5, true, false), kYes);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(call(kCall, 5, false, false), kYes) << "in a row";
  EXPECT_EQ(call(kCall, 5, false, false), kYes) << "untried";
  EXPECT_EQ(call(kCall, 5, false, false), kWithout);
  EXPECT_FALSE(became_strict_);
}

TEST_F(AcceptanceTest, ATakenRequestOfTheDoubtedMethodEndsTheDoubt) {
  EXPECT_EQ(call(kCall, 5, false, false), kYes);
  EXPECT_EQ(call(kCall, 6, true, false), kYes);
  EXPECT_EQ(call(kCall, 5, true, false), kYes);
}

TEST_F(AcceptanceTest, WhatSaysNothingChangesNothing) {
  ask(kList);
  EXPECT_FALSE(acceptance_.answered(id(last_), Answer::kNothing));
  EXPECT_EQ(call(kList, 0, true, true), kYes);
  EXPECT_EQ(ask(kList), kWithout);
  acceptance_.answered(id(last_), Answer::kNothing);  // as by a tool that says isError
  EXPECT_EQ(ask(kList), kWithout);                    // this one is never answered
  EXPECT_EQ(call(kList, 0, true, true), kWithout);
  EXPECT_TRUE(became_strict_);
}

TEST_F(AcceptanceTest, AnswersCountForWhatTheirRequestsWereSentFor) {
  // Both went with it, and the second refusal is no answer to what goes without.
  ask(kCall, 5), ask(kCall, 5);
  acceptance_.answered(id(1), Answer::kRefusal);
  EXPECT_EQ(ask(kCall, 5), kWithout);
  acceptance_.answered(id(2), Answer::kRefusal);
  EXPECT_EQ(ask(kCall, 5), kWithout);
  EXPECT_FALSE(acceptance_.answered(id(3), Answer::kResult));
  // The other that went without was for this doubt, and not for the next.
  EXPECT_EQ(ask(kCall, 5), kYes);
  acceptance_.answered(id(5), Answer::kRefusal);
  EXPECT_FALSE(acceptance_.answered(id(4), Answer::kResult));
  EXPECT_EQ(ask(kCall, 5), kWithout);
  EXPECT_FALSE(acceptance_.answered(id(6), Answer::kResult));
  EXPECT_EQ(call(kCall, 5, true, true), kYes);
  EXPECT_EQ(call(kCall, 5, true, true), kWithout);
  EXPECT_TRUE(became_strict_);
}

TEST_F(AcceptanceTest, AnAnswerCountsOnceAndOnlyForWhatWasAsked) {
  EXPECT_FALSE(acceptance_.answered(id(77), Answer::kRefusal));
  ask(kList);
  acceptance_.answered(id(1), Answer::kRefusal);
  EXPECT_EQ(ask(kList), kWithout);
  acceptance_.answered(id(1), Answer::kResult);
  EXPECT_EQ(ask(kList), kWithout);
}

TEST_F(AcceptanceTest, ARequestOfTheSameIdThatWasNotChangedIsNotTakenForOne) {
  call(kCall, 5, true, false);
  for (int i = 0; i < 3; ++i) {
    ask(kCall, 5);
    acceptance_.answered(id(last_), Answer::kResult);
    acceptance_.forget(id(last_));
    acceptance_.answered(id(last_), Answer::kRefusal);
  }
  EXPECT_FALSE(acceptance_.waits());
  // Nor does what nobody will answer any more count as waiting.
  ask(kList);
  EXPECT_TRUE(acceptance_.waits());
  acceptance_.forget(id(last_));
  EXPECT_FALSE(acceptance_.waits());
}

TEST_F(AcceptanceTest, ARefusalWithoutAnIdIsOfTheOnlyRequestThatWaits) {
  ask(kList);
  acceptance_.answered({}, Answer::kRefusal);
  EXPECT_EQ(ask(kList), kWithout);
  ask(Method::kPing);
  EXPECT_FALSE(acceptance_.answered({}, Answer::kRefusal)) << "there are two";
  EXPECT_TRUE(acceptance_.answered(id(2), Answer::kResult));
}

TEST_F(AcceptanceTest, WaitsOnlyWhileAnAnswerMayDecide) {
  EXPECT_FALSE(acceptance_.waits());
  ask(kCall, 5);
  EXPECT_TRUE(acceptance_.waits());
  acceptance_.answered(id(1), Answer::kResult);
  EXPECT_FALSE(acceptance_.waits());
  ask(kCall, 5);
  EXPECT_FALSE(acceptance_.waits());
  acceptance_.answered(id(2), Answer::kRefusal);
  EXPECT_TRUE(acceptance_.waits()) << "a result would end the row";
  call(kCall, 5, true, false);
  EXPECT_FALSE(acceptance_.waits());
}

TEST_F(AcceptanceTest, AnotherVersionIsTriedAnew) {
  acceptance_.server_is(1);
  call(kCall, 5, true, false);
  call(kList, 0, true, true);
  call(kList, 0, true, true);
  acceptance_.server_is(1);
  EXPECT_EQ(call(kCall, 5, true, false), kYes);
  acceptance_.server_is(2);
  EXPECT_EQ(call(kCall, 5, true, true), kNever) << "what is strict stays so";
  Acceptance other;
  other.server_is(7);
  EXPECT_FALSE(other.waits());
}

TEST_F(AcceptanceTest, WhatIsKeptIsRestored) {
  call(kCall, 5, true, true);
  call(kCall, 5, true, true);
  EXPECT_EQ(ask(kCall, 5), kYes);
  acceptance_.answered(id(last_), Answer::kRefusal);
  Acceptance::Table table;
  std::uint64_t version = 0;
  ASSERT_TRUE(acceptance_.take_changes(table, version));
  EXPECT_FALSE(acceptance_.take_changes(table, version));
  Acceptance next;
  next.restore(table, version);
  EXPECT_FALSE(next.take_changes(table, version));
  EXPECT_EQ(next.choose(kCall, 5), kWithout) << "a process is over, a doubt is not";
  EXPECT_EQ(next.choose(kCall, 6), kYes);
}

TEST_F(AcceptanceTest, ManyInFlightAreForgottenWithoutHarm) {
  for (int i = 0; i < 5000; ++i) ask(kCall, 5);
  for (std::uint64_t i = 1; i <= 5000; ++i) acceptance_.answered(id(i), Answer::kResult);
  EXPECT_EQ(call(kCall, 5, true, false), kYes);
  EXPECT_FALSE(acceptance_.waits());
}

TEST_F(AcceptanceTest, WhatAnAnswerSays) {
  mcp::Message message;
  message.kind = mcp::MessageKind::kResult;
  EXPECT_EQ(Acceptance::read(message, 0), Answer::kResult);
  EXPECT_EQ(Acceptance::read(message, 200), Answer::kResult);
  message.flags = mcp::kIsError;
  EXPECT_EQ(Acceptance::read(message, 0), Answer::kNothing);
  message.kind = mcp::MessageKind::kError;
  message.flags = 0;
  EXPECT_EQ(Acceptance::read(message, 0), Answer::kNothing);
  EXPECT_EQ(Acceptance::read(message, 422), Answer::kRefusal);
  EXPECT_EQ(Acceptance::read(message, 500), Answer::kNothing);
  message.flags = mcp::kHasErrorCode;
  for (const std::int64_t code : {-32600, -32602, -32603, -32700}) {
    message.error_code = code;
    EXPECT_EQ(Acceptance::read(message, 0), Answer::kRefusal) << code;
  }
  for (const std::int64_t code : {-32601, -32000, -32002, 0, 1}) {
    message.error_code = code;
    EXPECT_EQ(Acceptance::read(message, 200), Answer::kNothing) << code;
    EXPECT_EQ(Acceptance::read(message, 400), Answer::kRefusal) << code;
  }
  message.flags |= mcp::kErrorNamesMeta;
  EXPECT_EQ(Acceptance::read(message, 415), Answer::kRefusalNamesMeta);
}

// A model that makes up wrong arguments, now and then, of one tool or of many: how often does a server that takes all
// lose its context by it, and how soon is a strict one spared?
struct Outcome {
  int turned_off = 0;  // of the runs
  int most_refused = 0;
};
Outcome simulate(double bad, std::uint64_t tools, bool strict, int runs, int calls) {
  Outcome outcome;
  std::mt19937_64 random(static_cast<std::uint64_t>(bad * 1000) + tools);
  for (int run = 0; run < runs; ++run) {
    Acceptance acceptance;
    int refused = 0;
    bool turned_off = false;
    for (std::uint64_t i = 1; i <= static_cast<std::uint64_t>(calls); ++i) {
      const bool good = std::uniform_real_distribution<>(0, 1)(random) >= bad;
      const std::uint64_t tool = 1 + random() % tools;
      const NotInjected chosen = acceptance.choose(kCall, tool);
      acceptance.sent({mcp::IdType::kInteger, i, i}, kCall, tool, chosen);
      const bool by_us = strict && chosen == NotInjected::kNone;
      refused += by_us && good;
      turned_off |= chosen == kNever;
      acceptance.answered({mcp::IdType::kInteger, i, i}, by_us || !good ? Answer::kRefusal : Answer::kResult);
    }
    outcome.turned_off += turned_off;
    outcome.most_refused = std::max(outcome.most_refused, refused);
  }
  return outcome;
}

TEST(AcceptanceSimulation, WhatAModelMakesUpHardlyEverTurnsInjectionOff) {
  EXPECT_EQ(simulate(0.05, 1, false, 1000, 200).turned_off, 0);
  EXPECT_LE(simulate(0.1, 1, false, 1000, 200).turned_off, 5);
  EXPECT_LE(simulate(0.2, 1, false, 1000, 200).turned_off, 30);
  EXPECT_LE(simulate(0.2, 10, false, 1000, 200).turned_off, 5);
}

TEST(AcceptanceSimulation, AStrictServerRefusesFewRequestsForOurSake) {
  for (const double bad : {0.0, 0.1, 0.3}) {
    const Outcome one = simulate(bad, 1, true, 200, 200);
    EXPECT_EQ(one.turned_off, 200) << bad;
    EXPECT_LE(one.most_refused, 12) << bad;
  }
  EXPECT_EQ(simulate(0, 1, true, 1, 200).most_refused, 3);
  const Outcome many = simulate(0.1, 10, true, 200, 2000);
  EXPECT_EQ(many.turned_off, 200);
}

}  // namespace
}  // namespace mcptrace::observe
