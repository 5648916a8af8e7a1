#include "query/follow.h"

#include <gtest/gtest.h>

#include "query/testing.h"

namespace mcptrace::query {
namespace {

using namespace std::chrono_literals;

// Feeds what came to a file since the last time.
struct Following {
  MemoryFile file;
  Sample sample{file.sink()};
  std::size_t fed = 0;
  std::vector<std::string> shown;
  Follower follower;

  Following() : Following(SessionKey{.print = Sample({}).print()}) {}
  explicit Following(const SessionKey& session)
      : follower(session, {}, [this](const TraceSpan& span) {
          shown.push_back(otlp::decode_span(span.bytes)->name + " " + format_duration(span.header.duration));
        }) {}

  bool visit(bool held) {
    follower.begin_file(0, held, {});
    while (fed < file.records.size()) follower.add(file.records[fed++].record());
    return follower.over();
  }
};

TEST(Follower, ShowsCallsAsTheyEndAndStopsWithTheSession) {
  Following it;
  it.sample.open();
  it.sample.initialize(0s, 1ms);
  EXPECT_FALSE(it.visit(true));
  EXPECT_EQ(it.shown, (std::vector<std::string>{"mcp.initialize 1.00 ms"}));
  SampleCall slow;
  slow.tool = "slow";
  slow.at = 1s;
  slow.duration = 3s;
  slow.span_id.bytes.fill(7);
  slow.open = true;
  it.sample.call(slow);
  EXPECT_FALSE(it.visit(true));
  EXPECT_EQ(it.shown.size(), 1u);
  slow.open = false;
  it.sample.call(slow);
  EXPECT_FALSE(it.visit(true));
  EXPECT_EQ(it.shown.back(), "mcp.tool_call 3.00 s");
  it.sample.close(5s);
  EXPECT_TRUE(it.visit(true));
  EXPECT_EQ(it.shown.size(), 2u);
  const Session session = std::move(it.follower).finish({}).value();
  EXPECT_EQ(session.state, State::kClosed);
  EXPECT_EQ(session.counts.calls, 1);
}

TEST(Follower, StopsWhenTheProcessDied) {
  Following it;
  it.sample.open();
  it.sample.call("echo", 0s, 1ms);
  EXPECT_FALSE(it.visit(true));
  EXPECT_TRUE(it.visit(false));
  const Session session = std::move(it.follower).finish({}).value();
  EXPECT_EQ(session.state, State::kKilled);
  EXPECT_EQ(session.counts.calls, 1);
}

SampleCall starting() {
  SampleCall initialize;
  initialize.method = mcp::Method::kInitialize;
  initialize.span_id.bytes.fill(7);
  initialize.flags = trace::kStarting;
  initialize.open = true;
  return initialize;
}

TEST(Follower, GoesOnInTheSessionThatItsInitializeProvedToBe) {
  SampleCall initialize = starting();
  Following it(ledger::starting_key(initialize.span_id));
  SampleOptions options;
  options.seed = 9;
  Sample told(it.file.sink(), options);
  it.sample.call(initialize);
  EXPECT_FALSE(it.visit(true));
  told.open();
  initialize.flags = trace::kStarted;
  told.call(initialize);
  EXPECT_FALSE(it.visit(true));
  initialize.open = false;
  initialize.duration = 3s;
  told.call(initialize);
  EXPECT_FALSE(it.visit(true));
  told.call("echo", 4s, 1ms);
  told.close(5s);
  EXPECT_TRUE(it.visit(true));
  EXPECT_EQ(it.shown, (std::vector<std::string>{"mcp.initialize 3.00 s", "mcp.tool_call 1.00 ms"}));
  const auto session = std::move(it.follower).finish({});
  ASSERT_TRUE(session);
  EXPECT_EQ(session->id, told.id());
  EXPECT_EQ(session->counts.calls, 1);
}

TEST(Follower, EndsWithAProcessThatNeverToldWhatItsInitializeWas) {
  Following it(ledger::starting_key(starting().span_id));
  it.sample.call(starting());
  EXPECT_FALSE(it.visit(true));
  EXPECT_TRUE(it.visit(false));
  EXPECT_EQ(std::move(it.follower).finish({})->state, State::kKilled);
}

TEST(Follower, EndsWhereAnInitializeProvedToBeOfNoSession) {
  SampleCall initialize = starting();
  Following it(ledger::starting_key(initialize.span_id));
  it.sample.call(initialize);
  EXPECT_FALSE(it.visit(true));
  initialize.flags = trace::kStarted;
  it.sample.options().print = 0;
  it.sample.call(initialize);
  EXPECT_TRUE(it.visit(true));
  EXPECT_FALSE(std::move(it.follower).finish({}));
}

TEST(Follower, GoesOnInTheNextFile) {
  Following it;
  it.sample.open();
  EXPECT_FALSE(it.visit(true));
  MemoryFile next;
  Sample again(next.sink());
  again.open();
  again.call("echo", 0s, 1ms);
  it.follower.begin_file(1, true, {});
  for (const auto& kept : next.records) it.follower.add(kept.record());
  EXPECT_FALSE(it.visit(false));
  EXPECT_EQ(it.shown.size(), 1u);
}

TEST(Follower, NothingOfOthers) {
  Following it;
  it.sample.open();
  SampleOptions options;
  options.seed = 9;
  Sample other(it.file.sink(), options);
  other.open();
  other.call("echo", 0s, 1ms);
  EXPECT_FALSE(it.visit(true));
  EXPECT_TRUE(it.shown.empty());
}

TEST(Follower, UnknownSessionIsOver) {
  Following it;
  EXPECT_TRUE(it.visit(true));
  EXPECT_FALSE(std::move(it.follower).finish({}));
}

}  // namespace
}  // namespace mcptrace::query
