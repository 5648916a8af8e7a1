#include "proxy/upstream.h"

#include <gtest/gtest.h>

#include "base/testing.h"
#include "http/testing.h"

namespace mcptrace::proxy {
namespace {

using http::FakeStream;
using http::StreamEnd;
using std::chrono::milliseconds;
using std::chrono::seconds;

class UpstreamPoolTest : public testing::Test {
 protected:
  std::shared_ptr<FakeStream> put(seconds idle_limit = seconds(0)) {
    auto stream = std::make_shared<FakeStream>(io);
    pool.put(stream, idle_limit);
    poll();
    return stream;
  }
  void poll() {
    io.restart();
    io.poll();
  }

  asio::io_context io;
  ManualClock clock;
  Log log{-1};
  UpstreamPool pool{io, clock, *parse_upstream("http://server"), std::nullopt, nullptr, log};
};

TEST_F(UpstreamPoolTest, TheNewestIsUsedFirst) {
  const auto one = put(), other = put();
  EXPECT_EQ(pool.take(), other);
  EXPECT_EQ(pool.take(), one);
  EXPECT_EQ(pool.take(), nullptr);
}

TEST_F(UpstreamPoolTest, OneIsUsedForLessTimeThanServersWait) {
  put();
  clock.advance(milliseconds(3999));
  EXPECT_NE(pool.take(), nullptr);
  const auto old = put();
  clock.advance(seconds(4));
  EXPECT_EQ(pool.take(), nullptr);
  EXPECT_EQ(old->ended(), FakeStream::Ended::kClosed);
}

TEST_F(UpstreamPoolTest, AServerMaySayHowLongItWaits) {
  for (const auto& [said, used] : {std::pair(seconds(3), seconds(2)), std::pair(seconds(3600), seconds(60))}) {
    put(said);
    clock.advance(used - milliseconds(1));
    EXPECT_NE(pool.take(), nullptr);
    put(said);
    clock.advance(used);
    EXPECT_EQ(pool.take(), nullptr);
  }
  EXPECT_EQ(put(seconds(1))->ended(), FakeStream::Ended::kClosed);
}

TEST_F(UpstreamPoolTest, OneThatSaidSomethingOrLeftIsNotUsed) {
  put()->peer_sends("HTTP/1.1 408 Request Timeout\r\n");
  put()->peer_ends(StreamEnd::kFinished);
  put()->peer_ends(StreamEnd::kReset);
  poll();
  EXPECT_EQ(pool.take(), nullptr);
}

TEST_F(UpstreamPoolTest, OneThatIsNotJustUsedIsLookedAtFirst) {
  put()->peer_ends(StreamEnd::kFinished);
  EXPECT_NE(pool.take(), nullptr);
  put()->peer_ends(StreamEnd::kFinished);
  clock.advance(seconds(1));
  EXPECT_EQ(pool.take(), nullptr);
}

TEST_F(UpstreamPoolTest, OneWithAnswerLeftOverIsNotKept) {
  const auto stream = std::make_shared<FakeStream>(io);
  stream->peer_sends("more");
  stream->read_more();
  poll();
  pool.put(stream, seconds(0));
  EXPECT_EQ(stream->ended(), FakeStream::Ended::kClosed);
}

TEST_F(UpstreamPoolTest, WhatIsIdleIsClosedAtTheEnd) {
  const auto one = put();
  pool.close_idle();
  EXPECT_EQ(one->ended(), FakeStream::Ended::kClosed);
  EXPECT_EQ(pool.take(), nullptr);
}

}  // namespace
}  // namespace mcptrace::proxy
