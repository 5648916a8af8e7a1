#include "proxy/exchange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/address.hpp>
#include <optional>
#include <vector>

#include "base/testing.h"
#include "http/connection.h"
#include "http/testing.h"

namespace mcptrace::proxy {
namespace {

using http::FakeStream;
using http::StreamEnd;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;
using Ended = FakeStream::Ended;

// Notes what it is shown.
class FakeTap final : public ExchangeTap {
 public:
  FakeTap(std::vector<std::string>& notes, const BodyWish& wish, const Rewrite& rewrite)
      : notes_(notes), wish_(wish), rewrite_(rewrite) {}

  void begin(const http::RequestHead& head, std::string_view target, std::size_t, const http::PeerAddress&,
             Instant) override {
    note(head.method, target);
  }
  [[nodiscard]] BodyWish body_wish() const override { return wish_; }
  Rewrite whole_body(std::string_view body, Instant) override {
    note("whole", body);
    return rewrite_;
  }
  void not_held(mcp::NotInjected why) override {
    note("not held:", why == mcp::NotInjected::kTooLarge ? "too large" : "no room");
  }
  void body_piece(std::string_view bytes) override { note("piece", std::to_string(bytes.size())); }
  void body_end(Instant) override { note("body", "end"); }
  void leads_away() override { note("leads", "away"); }
  void endpoint_leads_away() override { note("endpoint leads", "away"); }
  void bad_head(std::string_view why) override { note("bad head:", why); }
  void client_left(Instant) override { note("client's side", "ended"); }
  void response(const http::ResponseHead& head, Instant) override { note("answer", std::to_string(head.status)); }
  void response_piece(std::string_view bytes, Instant) override { note("got", bytes); }
  void end(ExchangeEnd how, std::string_view error_type, Instant) override {
    static constexpr std::string_view kHow[] = {"complete", "client closed", "server closed",
                                                "failed",   "stopped",       "client left"};
    note(kHow[static_cast<int>(how)], error_type);
  }

 private:
  void note(std::string_view what, std::string_view which) {
    notes_.push_back(std::string(what).append(which.empty() ? "" : " ").append(which));
  }

  std::vector<std::string>& notes_;
  const BodyWish& wish_;
  const Rewrite& rewrite_;
};

class FakeTaps final : public TapSource {
 public:
  std::unique_ptr<ExchangeTap> tap() override { return std::make_unique<FakeTap>(notes, wish, rewrite); }
  http::HoldBudget& budget() override { return hold; }
  void wake() override {}

  std::vector<std::string> notes;
  BodyWish wish = BodyWish::kPieces;
  Rewrite rewrite;
  http::HoldBudget hold{4 << 20};
};

// A client and, in the pool, one server.
class ExchangeTest : public testing::Test {
 protected:
  ExchangeTest() {
    context.tracing = &taps;
    context.pools.push_back(
        std::make_unique<UpstreamPool>(io, clock, context.routes[0].upstream, std::nullopt, nullptr, log));
    connect();
    add_server();
  }

  void connect() {
    over = false;
    client = std::make_shared<FakeStream>(io);
    connection.emplace(context.http, client, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 5000));
    asio::co_spawn(io.get_executor(), connection->run(), [this](const std::exception_ptr&) { over = true; });
    poll();
  }
  void add_server() {
    server = std::make_shared<FakeStream>(io);
    context.pools[0]->put(server, std::chrono::seconds(0));
  }
  void poll() {
    io.restart();
    io.poll();
  }
  // What the one gets for what the other sends.
  std::string ask(std::string_view bytes) {
    client->peer_sends(bytes);
    poll();
    return server->take_written();
  }
  std::string answer(std::string_view bytes) {
    server->peer_sends(bytes);
    poll();
    return client->take_written();
  }
  std::string end_server(StreamEnd how) {
    server->peer_ends(how);
    poll();
    return client->take_written();
  }
  void end_client(StreamEnd how) {
    client->peer_ends(how);
    poll();
  }
  bool server_is_kept() { return context.pools[0]->take() == server; }

  asio::io_context io;
  ManualClock clock;
  Log log{-1};
  FakeTaps taps;
  Context context{.http = {io, clock,
                           [this](http::Stream& stream, http::Signal& signal, const http::PeerAddress& peer) {
                             return std::make_unique<Exchange>(context, stream, signal, peer);
                           }},
                  .log = log,
                  .routes = *RouteTable::make({*parse_route("/=http://server:3000")}),
                  .pools = {},
                  .access = *http::Access::make({}, {})};
  std::shared_ptr<FakeStream> client, server;
  std::optional<http::Connection> connection;
  bool over = false;
};

constexpr std::string_view kGet = "GET /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n";
constexpr std::string_view kGetSent = "GET /mcp HTTP/1.1\r\nHost: server:3000\r\n\r\n";
constexpr std::string_view kPostHead = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\n";
constexpr std::string_view kPostSent = "POST /mcp HTTP/1.1\r\nHost: server:3000\r\nContent-Length: 6\r\n\r\n";
constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
constexpr std::string_view kEvents = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";

TEST_F(ExchangeTest, RequestAndAnswerGoOnAndTheServerIsAskedAgain) {
  EXPECT_EQ(ask(kGet), kGetSent);
  EXPECT_EQ(answer(kOk), kOk);
  EXPECT_THAT(taps.notes, ElementsAre("GET /mcp", "body end", "answer 200", "got ok", "complete"));
  EXPECT_EQ(ask(kGet), kGetSent);
  EXPECT_EQ(answer(kOk), kOk);
  EXPECT_TRUE(server_is_kept());
}

TEST_F(ExchangeTest, RequestsThatCameTogetherGoOnOneAfterTheOther) {
  EXPECT_EQ(ask(std::string(kPostHead).append("abcdef").append(kGet)), std::string(kPostSent) + "abcdef");
  EXPECT_EQ(answer(kOk), kOk);
  EXPECT_EQ(server->take_written(), kGetSent);
  EXPECT_EQ(answer(kOk), kOk);
}

TEST_F(ExchangeTest, EachPieceGoesOnAsItComes) {
  EXPECT_EQ(ask(kPostHead), kPostSent);
  EXPECT_EQ(ask("abc"), "abc");
  EXPECT_EQ(ask("def"), "def");
  EXPECT_EQ(answer(kOk.substr(0, 20)), "");
  EXPECT_EQ(answer(kOk.substr(20, kOk.size() - 21)), kOk.substr(0, kOk.size() - 1));
  EXPECT_EQ(answer("k"), "k");
  EXPECT_THAT(taps.notes,
              ElementsAre("POST /mcp", "piece 3", "piece 3", "body end", "answer 200", "got o", "got k", "complete"));
}

TEST_F(ExchangeTest, WhatIsRefusedReachesNoServer) {
  for (const auto& [request, status] : {std::pair("GET / HTTP/1.1\r\nHost: evil\r\n\r\n", "HTTP/1.1 403 "),
                                        std::pair("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "HTTP/1.1 400 ")}) {
    connect();
    EXPECT_EQ(ask(request), "");
    EXPECT_THAT(client->written(), StartsWith(status));
    EXPECT_EQ(client->ended(), Ended::kFinished);
  }
  EXPECT_TRUE(taps.notes.empty());
}

// --- the body is held ---

TEST_F(ExchangeTest, AHeldBodyGoesOnChangedOnceItIsWhole) {
  taps.wish = BodyWish::kWhole;
  mcp::Edits edits;
  edits.count = 1;
  edits.edit[0] = {.offset = 3, .removed_size = 1, .inserted = "XYZ"};
  taps.rewrite = {.edits = &edits, .traceparent = "00-1", .tracestate = {}};
  EXPECT_EQ(ask(kPostHead), "");
  EXPECT_EQ(ask("abc"), "");
  EXPECT_EQ(ask("def"),
            "POST /mcp HTTP/1.1\r\nHost: server:3000\r\ntraceparent: 00-1\r\nContent-Length: 8\r\n\r\nabcXYZef");
  EXPECT_EQ(answer(kOk), kOk);
  EXPECT_THAT(taps.notes, ElementsAre("POST /mcp", "whole abcdef", "answer 200", "got ok", "complete"));
  EXPECT_EQ(taps.hold.used(), 0u);
}

TEST_F(ExchangeTest, WhatIsTooLargeToBeHeldGoesOnAsItComes) {
  taps.wish = BodyWish::kWhole;
  const std::size_t size = kHoldBytes + 1;
  ask("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n");
  const std::string sent = ask(std::string(size, 'x'));
  EXPECT_THAT(sent, EndsWith("\r\n\r\n" + std::string(size, 'x')));
  EXPECT_EQ(answer(kOk), kOk);
  EXPECT_EQ(taps.notes[1], "not held: too large");
  EXPECT_EQ(taps.hold.used(), 0u);
}

TEST_F(ExchangeTest, WhereThereIsNoRoomABodyIsNotHeld) {
  taps.wish = BodyWish::kWhole;
  ASSERT_TRUE(taps.hold.take(4 << 20));
  const std::string half(50'000, 'x');
  EXPECT_EQ(ask("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n"), "");
  EXPECT_EQ(ask(half), "");
  EXPECT_THAT(ask(half), EndsWith("\r\n\r\n" + half + half));
  EXPECT_EQ(answer(kOk), kOk);
  EXPECT_EQ(taps.notes[1], "not held: no room");
}

TEST_F(ExchangeTest, AHeldBodyThatBreaksOffReachesNoServer) {
  taps.wish = BodyWish::kWhole;
  constexpr std::string_view kChunked =
      "POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
  EXPECT_EQ(ask(std::string(kChunked) + "zz\r\n"), "");
  EXPECT_THAT(client->written(), StartsWith("HTTP/1.1 400 "));
  connect();
  ask(kChunked);
  end_client(StreamEnd::kReset);
  EXPECT_TRUE(over);
  connect();
  ask(kChunked);
  connection->stop();
  poll();
  EXPECT_TRUE(over);
  EXPECT_EQ(server->written(), "");
  EXPECT_THAT(taps.notes, ElementsAre("POST /mcp", "answer 400", "complete", "POST /mcp", "client's side ended",
                                      "client closed", "POST /mcp", "stopped"));
}

// --- answers ---

TEST_F(ExchangeTest, WhatComesBeforeTheAnswerGoesOn) {
  ask(kGet);
  EXPECT_EQ(answer("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"), "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
  EXPECT_EQ(answer(std::string("HTTP/1.1 100 Continue\r\n\r\n").append(kOk)),
            std::string("HTTP/1.1 100 Continue\r\n\r\n").append(kOk));
  EXPECT_TRUE(server_is_kept());
}

TEST_F(ExchangeTest, NobodyChangesTheProtocol) {
  ask(kGet);
  EXPECT_THAT(answer("HTTP/1.1 101 Switching Protocols\r\n\r\n"), StartsWith("HTTP/1.1 502 "));
  EXPECT_FALSE(server_is_kept());
}

TEST_F(ExchangeTest, AnAnswerWithoutALengthEndsWithTheConnection) {
  ask(kGet);
  EXPECT_EQ(answer("HTTP/1.1 200 OK\r\n\r\nabc"), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc");
  EXPECT_EQ(answer("def"), "def");
  EXPECT_EQ(client->ended(), Ended::kNo);
  end_server(StreamEnd::kFinished);
  EXPECT_EQ(client->ended(), Ended::kFinished);
  EXPECT_EQ(taps.notes.back(), "complete");
  EXPECT_FALSE(server_is_kept());
}

TEST_F(ExchangeTest, AnAnswerThatIsCutDoesNotLookWhole) {
  for (const auto& [head, server_end, client_end] :
       {std::tuple("HTTP/1.1 200 OK\r\n\r\nabc", StreamEnd::kReset, Ended::kAborted),
        std::tuple("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", StreamEnd::kFinished, Ended::kClosed),
        std::tuple("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", StreamEnd::kFinished,
                   Ended::kClosed),
        std::tuple("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", StreamEnd::kReset, Ended::kAborted)}) {
    connect();
    add_server();
    ask(kGet);
    EXPECT_THAT(answer(head), HasSubstr("abc"));
    EXPECT_EQ(end_server(server_end), "");
    EXPECT_EQ(client->ended(), client_end) << head;
    EXPECT_TRUE(over);
    EXPECT_EQ(taps.notes.back(), server_end == StreamEnd::kReset ? "server closed reset" : "server closed truncated");
  }
}

TEST_F(ExchangeTest, WithoutAnAnswerTheClientIsToldWhy) {
  for (const auto& [sent, end, note] : {std::tuple("", StreamEnd::kFinished, "failed closed"),
                                        std::tuple("HTTP/1.1 200", StreamEnd::kReset, "failed reset"),
                                        std::tuple("SSH-2.0-x\r\n\r\n", StreamEnd::kOpen, "failed bad_head")}) {
    connect();
    add_server();
    ask(kGet);
    server->peer_sends(sent);
    EXPECT_THAT(end_server(end), StartsWith("HTTP/1.1 502 "));
    EXPECT_EQ(client->ended(), Ended::kFinished);
    EXPECT_EQ(taps.notes.back(), note);
    EXPECT_FALSE(server_is_kept());
  }
}

TEST_F(ExchangeTest, WhatIsInOrderGoesOnBeforeABodyBreaks) {
  ask(kGet);
  EXPECT_THAT(answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n"), EndsWith("abc\r\n"));
  EXPECT_EQ(client->ended(), Ended::kClosed);
  EXPECT_EQ(taps.notes.back(), "server closed bad_framing");
}

TEST_F(ExchangeTest, AnAnswerMayComeBeforeTheRequestIsWhole) {
  EXPECT_EQ(ask(std::string(kPostHead) + "abc"), std::string(kPostSent) + "abc");
  EXPECT_EQ(answer("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"),
            "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(client->ended(), Ended::kFinished);
  EXPECT_FALSE(server_is_kept());
  EXPECT_EQ(taps.notes.back(), "complete");
}

TEST_F(ExchangeTest, AnEarlyAnswersStreamGoesOnWhileTheRequestDoes) {
  ask(std::string(kPostHead) + "abc");
  EXPECT_THAT(answer(std::string(kEvents) + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
              EndsWith("3\r\nabc\r\n"));
  EXPECT_EQ(ask("def"), "def");
  EXPECT_EQ(answer("0\r\n\r\n"), "0\r\n\r\n");
  EXPECT_EQ(client->ended(), Ended::kFinished);
}

// --- back-pressure ---

TEST_F(ExchangeTest, OfASlowClientsAnswerLittleIsHeld) {
  constexpr std::size_t kSize = 4 << 20;
  ask(kGet);
  client->peer_takes(1000);
  answer("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kSize) + "\r\n\r\n");
  answer(std::string(kSize, 'x'));
  EXPECT_GT(server->unsent(), kSize - (256 << 10));
  std::size_t got = client->take_written().size();
  for (int i = 0; i < 10'000 && taps.notes.back() != "complete"; ++i) {
    client->peer_takes(64 << 10);
    poll();
    got += client->take_written().size();
  }
  EXPECT_EQ(taps.notes.back(), "complete");
  EXPECT_GE(got + 1000, kSize);
  EXPECT_TRUE(server_is_kept());
}

TEST_F(ExchangeTest, OfASlowServersRequestLittleIsHeld) {
  constexpr std::size_t kSize = 4 << 20;
  server->peer_takes(1000);
  ask("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(kSize) + "\r\n\r\n");
  ask(std::string(kSize, 'x'));
  EXPECT_GT(client->unsent(), kSize - (256 << 10));
  for (int i = 0; i < 10'000 && client->unsent() != 0; ++i) {
    server->peer_takes(64 << 10);
    poll();
  }
  server->peer_takes(kSize);
  poll();
  EXPECT_EQ(answer(kOk), kOk);
  EXPECT_EQ(taps.notes.back(), "complete");
}

// --- somebody leaves ---

TEST_F(ExchangeTest, AClientThatHasFinishedIsAnsweredAllTheSame) {
  EXPECT_EQ(ask(kGet), kGetSent);
  end_client(StreamEnd::kFinished);
  EXPECT_EQ(server->ended(), Ended::kFinished);
  EXPECT_EQ(answer(kOk), kOk);
  EXPECT_TRUE(over);
  EXPECT_EQ(taps.notes.back(), "client left");
  EXPECT_EQ(server->ended(), Ended::kClosed);
}

TEST_F(ExchangeTest, AClientThatHasFinishedMayBeGoneAltogether) {
  for (const auto& [then, note] :
       {std::pair(http::Receipt::kReset, "client closed"), std::pair(http::Receipt::kTaken, "client left")}) {
    connect();
    add_server();
    client->peer_receives(http::Receipt::kUnclear);
    ask(kGet);
    end_client(StreamEnd::kFinished);
    EXPECT_EQ(answer(kOk), kOk);
    EXPECT_EQ(client->ended(), Ended::kFinished) << "at once";
    EXPECT_EQ(server->ended(), Ended::kClosed);
    EXPECT_FALSE(over);
    client->peer_receives(then);
    while (!over) io.run_one();
    EXPECT_EQ(taps.notes.back(), note);
  }
}

TEST_F(ExchangeTest, OfAClientThatSaysNothingMoreASecondIsEnough) {
  client->peer_receives(http::Receipt::kUnclear);
  ask(kGet);
  end_client(StreamEnd::kFinished);
  answer(kOk);
  clock.advance(std::chrono::seconds(1));
  while (!over) io.run_one();
  EXPECT_EQ(taps.notes.back(), "client left");
}

TEST_F(ExchangeTest, TheProxysEndDoesNotWaitForAClientThatHasLeft) {
  client->peer_receives(http::Receipt::kUnclear);
  ask(kGet);
  end_client(StreamEnd::kFinished);
  answer(kOk);
  connection->drain();
  poll();
  EXPECT_TRUE(over);
  EXPECT_EQ(taps.notes.back(), "client left");
}

TEST_F(ExchangeTest, AServerThatLeavesAFinishedClientLetItGo) {
  ask(kGet);
  end_client(StreamEnd::kFinished);
  EXPECT_EQ(end_server(StreamEnd::kFinished), "");
  EXPECT_EQ(client->ended(), Ended::kClosed);
  EXPECT_EQ(taps.notes.back(), "client closed");
}

TEST_F(ExchangeTest, AClientsResetGoesOnToTheServer) {
  for (const std::string& request : {std::string(kGet), std::string(kPostHead) + "abc"}) {
    connect();
    add_server();
    ask(request);
    end_client(StreamEnd::kReset);
    EXPECT_EQ(server->ended(), Ended::kAborted);
    EXPECT_EQ(client->ended(), Ended::kAborted);
    EXPECT_EQ(taps.notes.back(), "client closed");
  }
}

TEST_F(ExchangeTest, AClientsEndInTheMiddleOfItsBodyIsTheServersToSee) {
  ask(std::string(kPostHead) + "abc");
  end_client(StreamEnd::kFinished);
  EXPECT_EQ(server->ended(), Ended::kClosed);
  EXPECT_EQ(client->ended(), Ended::kClosed);
  EXPECT_EQ(taps.notes.back(), "client closed");
}

TEST_F(ExchangeTest, ABrokenBodyIsNeverTakenForTheWhole) {
  ask("POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n");
  EXPECT_THAT(client->written(), StartsWith("HTTP/1.1 400 "));
  EXPECT_EQ(server->ended(), Ended::kClosed);
  EXPECT_EQ(taps.notes.back(), "client closed");
}

// --- the end of the proxy ---

TEST_F(ExchangeTest, WhatIsUnderWayIsStopped) {
  for (const std::string& sent : {std::string(), std::string(kEvents) + "\r\ndata: 1\n\n"}) {
    connect();
    add_server();
    ask(kGet);
    answer(sent);
    connection->stop();
    poll();
    EXPECT_TRUE(over);
    EXPECT_EQ(server->ended(), Ended::kClosed);
    EXPECT_EQ(taps.notes.back(), "stopped");
  }
}

TEST_F(ExchangeTest, TheLastAnswerSaysSo) {
  ask(kGet);
  context.http.draining = true;
  connection->drain();
  EXPECT_EQ(answer(kOk), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
  EXPECT_EQ(client->ended(), Ended::kFinished);
}

TEST_F(ExchangeTest, ASessionsStreamIsNotWaitedForUnlessItResumes) {
  for (const auto& [fields, waits] :
       {std::pair("Mcp-Session-Id: s\r\n", false), std::pair("Mcp-Session-Id: s\r\nLast-Event-ID: 1\r\n", true),
        std::pair("", true)}) {
    connect();
    add_server();
    ask(std::string("GET /mcp HTTP/1.1\r\nHost: localhost\r\n").append(fields).append("\r\n"));
    answer(std::string(kEvents) + "\r\ndata: 1\n\n");
    connection->drain();
    poll();
    EXPECT_NE(over, waits) << fields;
    connection->stop();
    poll();
  }
}

TEST_F(ExchangeTest, AServerThatCannotBeReachedIsNamed) {
  ASSERT_TRUE(server_is_kept());
  http::Socket bound(io.get_executor(), asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  const UpstreamUrl nowhere = *parse_upstream("http://127.0.0.1:" + std::to_string(bound.local_endpoint().port()));
  context.pools[0] = std::make_unique<UpstreamPool>(io, clock, nowhere, std::nullopt, nullptr, log);
  ask(kGet);
  while (client->written().empty()) io.run_one();
  EXPECT_THAT(client->written(), StartsWith("HTTP/1.1 502 "));
  EXPECT_EQ(taps.notes.back(), "failed refused");
}

TEST_F(ExchangeTest, WhileTheServerIsBeingReachedTheClientMayLeave) {
  ASSERT_TRUE(server_is_kept());
  http::Acceptor silent(io.get_executor(), asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  const UpstreamUrl url = *parse_upstream("https://127.0.0.1:" + std::to_string(silent.local_endpoint().port()));
  TlsClient tls = *TlsClient::make("");
  context.pools[0] = std::make_unique<UpstreamPool>(io, clock, url, std::nullopt, &tls, log);
  ask(kGet);
  end_client(StreamEnd::kReset);
  EXPECT_TRUE(over);
  EXPECT_EQ(taps.notes.back(), "client closed");
  connect();
  ask(kGet);
  connection->stop();
  poll();
  EXPECT_TRUE(over);
  EXPECT_EQ(taps.notes.back(), "stopped");
}

}  // namespace
}  // namespace mcptrace::proxy
