#include "http/connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/address.hpp>
#include <optional>

#include "base/testing.h"
#include "http/testing.h"

namespace mcptrace::http {
namespace {

using Ended = FakeStream::Ended;
using testing::HasSubstr;
using testing::StartsWith;

// Says what it was asked, with the body, once that is whole; where the target is /hold, when it is told to.
class Echo final : public Handler {
 public:
  Echo(Stream& client, Signal& signal) : client_(client), signal_(signal) {}

  Async<After> run(RequestParser& parser, std::size_t head_size, Instant at) override {
    first_byte = at;
    std::string said = std::string(parser.head().method).append(" ").append(parser.head().target).append(" ");
    After after = parser.head().keep_alive ? After::kReuse : After::kFinish;
    if (said == "GET /reset ") after = After::kReset;
    client_.consume(head_size);
    for (ParseEvent event = ParseEvent::kHead; event != ParseEvent::kEnd;) {
      std::size_t used = 0;
      event = parser.next(client_.unread(), used);
      if (event == ParseEvent::kBody) said += parser.body();
      client_.consume(used);
      if (event != ParseEvent::kNeedMore) continue;
      if (stopped || client_.read_end() != StreamEnd::kOpen) co_return After::kClose;
      client_.read_more();
      if (!signal_.take()) co_await signal_.wait();
    }
    while (said == "GET /hold " && !released && !stopped) {
      if (!signal_.take()) co_await signal_.wait();
    }
    client_.write(said + "\n");
    co_return after;
  }
  void drain() override { drained = true; }
  void stop() override { stopped = true; }
  void release() {
    released = true;
    signal_.fire();
  }

  Instant first_byte;
  bool drained = false, stopped = false, released = false;

 private:
  Stream& client_;
  Signal& signal_;
};

class ConnectionTest : public testing::Test {
 protected:
  ConnectionTest() { connect(); }

  void connect() {
    over = false;
    client = std::make_shared<FakeStream>(io);
    connection.emplace(context, client, asio::ip::tcp::endpoint(asio::ip::make_address("::ffff:192.0.2.7"), 5000));
    asio::co_spawn(io.get_executor(), connection->run(), [this](const std::exception_ptr&) { over = true; });
    poll();
  }
  void poll() {
    io.restart();
    io.poll();
  }
  // What the client gets for what it sends.
  std::string send(std::string_view bytes) {
    client->peer_sends(bytes);
    poll();
    return client->take_written();
  }

  asio::io_context io;
  ManualClock clock;
  Echo* handler = nullptr;
  std::string peer;
  Context context{io, clock, [this](Stream& stream, Signal& signal, const PeerAddress& from) {
                    auto made = std::make_unique<Echo>(stream, signal);
                    handler = made.get();
                    peer = std::string(from.address) + " " + std::to_string(from.port);
                    return made;
                  }};
  std::shared_ptr<FakeStream> client;
  std::optional<Connection> connection;
  bool over = false;
};

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr std::string_view kPost = "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz";
constexpr std::string_view kHold = "GET /hold HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr std::string_view kBad = "GET /a HTTP/1.1\r\nHost : h\r\n\r\n";

TEST_F(ConnectionTest, TheHandlerKnowsWhoseRequestsItAnswers) { EXPECT_EQ(peer, "192.0.2.7 5000"); }

TEST_F(ConnectionTest, RequestsThatCameTogetherAreHandledOneAfterTheOther) {
  EXPECT_EQ(send(std::string(kGet).append(kPost).append("\r\n").append(kGet)), "GET /a \nPOST /b xyz\nGET /a \n");
  EXPECT_FALSE(over);
}

TEST_F(ConnectionTest, NoneIsHandledBeforeTheOneBefore) {
  EXPECT_EQ(send(std::string(kHold).append(kGet)), "");
  handler->release();
  EXPECT_EQ(client->take_written(), "GET /hold \nGET /a \n");
}

TEST_F(ConnectionTest, ARequestMayComeInAnyTwoPieces) {
  for (std::size_t cut = 1; cut < kPost.size(); ++cut) {
    EXPECT_EQ(send(kPost.substr(0, cut)), "");
    clock.advance(std::chrono::seconds(1));
    EXPECT_EQ(send(kPost.substr(cut)), "POST /b xyz\n") << cut;
  }
}

TEST_F(ConnectionTest, ARequestIsAsOldAsItsFirstByte) {
  const Instant begun = clock.now();
  send(kGet.substr(0, 1));
  clock.advance(std::chrono::seconds(3));
  send(kGet.substr(1));
  EXPECT_EQ(handler->first_byte.boot, begun.boot);
}

TEST_F(ConnectionTest, WhatIsNoRequestIsRefusedAndTheClientMayFinish) {
  const std::string answer = send(std::string(kBad).append(kGet));
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_THAT(answer, HasSubstr("a field name is not a token"));
  EXPECT_EQ(client->ended(), Ended::kFinished);
  EXPECT_EQ(send(kGet), "");
  EXPECT_EQ(client->unsent(), 0u);
  EXPECT_FALSE(over);
  client->peer_ends(StreamEnd::kFinished);
  poll();
  EXPECT_TRUE(over);
  EXPECT_EQ(client->ended(), Ended::kClosed);
}

TEST_F(ConnectionTest, ARefusalHasItsBodyWhateverWasAskedBefore) {
  EXPECT_EQ(send("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n"), "HEAD /a \n");
  EXPECT_THAT(send(kBad), HasSubstr("\"reason\""));
}

TEST_F(ConnectionTest, WhoIsRefusedAndGoesOnSendingIsLeft) {
  send(kBad);
  send(std::string(5 << 20, 'x'));
  EXPECT_TRUE(over);
}

TEST_F(ConnectionTest, AClientThatEndsWithoutARequestGetsNoAnswer) {
  for (const std::string_view begun : {std::string_view(), kGet.substr(0, 10), kPost.substr(0, kPost.size() - 2)}) {
    for (const StreamEnd end : {StreamEnd::kFinished, StreamEnd::kReset}) {
      connect();
      send(begun);
      client->peer_ends(end);
      poll();
      EXPECT_TRUE(over);
      EXPECT_EQ(client->written(), "");
      EXPECT_EQ(client->ended(), Ended::kClosed);
    }
  }
}

TEST_F(ConnectionTest, AClientThatHasFinishedIsAnsweredWhatItAskedBefore) {
  client->peer_sends(kPost);
  client->peer_ends(StreamEnd::kFinished);
  poll();
  EXPECT_EQ(client->written(), "POST /b xyz\n");
  EXPECT_TRUE(over);
}

TEST_F(ConnectionTest, TheHandlerSaysHowItGoesOn) {
  EXPECT_EQ(send("GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), "GET /a \n");
  EXPECT_EQ(client->ended(), Ended::kFinished);
  connect();
  send("GET /reset HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client->ended(), Ended::kAborted);
  EXPECT_TRUE(over);
}

TEST_F(ConnectionTest, ItIsIdleWhileItWaitsForARequest) {
  EXPECT_EQ(connection->idle_since(), clock.boot());
  send(kGet.substr(0, 5));
  EXPECT_EQ(connection->idle_since(), Nanos::max());
  send(kGet.substr(5));
  EXPECT_EQ(connection->idle_since(), clock.boot());
  send(kHold);
  EXPECT_EQ(connection->idle_since(), Nanos::max());
}

TEST_F(ConnectionTest, ARequestThatIsOnItsWayIsHandledThoughTheServerEnds) {
  context.draining = true;
  connection->drain();
  EXPECT_TRUE(handler->drained);
  EXPECT_EQ(send(kPost), "POST /b xyz\n");
}

TEST_F(ConnectionTest, ItIsStoppedWhateverItIsDoing) {
  for (const std::string_view sent :
       {std::string_view(), kGet, kGet.substr(0, 10), kPost.substr(0, kPost.size() - 2), kHold, kBad}) {
    connect();
    send(sent);
    EXPECT_FALSE(over);
    connection->stop();
    EXPECT_TRUE(handler->stopped);
    poll();
    EXPECT_TRUE(over) << sent;
    EXPECT_EQ(client->ended(), Ended::kClosed);
  }
}

}  // namespace
}  // namespace mcptrace::http
