#include "client/client.h"

#include <gmock/gmock.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zlib.h>

#include <atomic>
#include <functional>
#include <thread>

#include "base/check.h"
#include "client/client_fixture.h"

namespace mcptrace::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;
using testing::StartsWith;

// Endless zeros, by gzip.
class Bomb {
 public:
  static constexpr std::size_t kPiece = 1 << 20;
  Bomb() { MCPTRACE_CHECK(deflateInit2(&zip_, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) == Z_OK); }
  ~Bomb() { deflateEnd(&zip_); }
  std::string next(int flush = Z_SYNC_FLUSH) {
    std::string zeros(kPiece, 0), out(kPiece, 0);
    zip_.next_in = reinterpret_cast<Bytef*>(zeros.data());
    zip_.avail_in = kPiece;
    zip_.next_out = reinterpret_cast<Bytef*>(out.data());
    zip_.avail_out = kPiece;
    deflate(&zip_, flush);
    out.resize(kPiece - zip_.avail_out);
    return out;
  }

 private:
  z_stream zip_{};
};

TEST_F(ClientTest, ARequestIsSentAsItWasGiven) {
  std::string seen;
  TestServer server([&](Peer& peer) {
    seen = peer.read_request();
    peer.write(kOk);
  });
  const Answer answer =
      ask({.url = server.url("/a/../b?c=d"), .headers = {{"Content-Type", "x/y"}, {"Empty", ""}}, .body = "body"});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body, "ok");
  EXPECT_EQ(seen, "POST /a/../b?c=d HTTP/1.1\r\nHost: " + server.place() +
                      "\r\nAccept-Encoding: gzip\r\nContent-Type: x/y\r\nEmpty:\r\nContent-Length: 4\r\n\r\nbody");
}

TEST_F(ClientTest, OtherMethodsHaveNoBody) {
  std::string seen;
  TestServer server([&](Peer& peer) {
    for (std::string request; !(request = peer.read_request()).empty(); peer.write(kOk)) {
      seen += request.substr(0, request.find("\r\n")) + "; ";
    }
  });
  for (const char* method : {"GET", "DELETE"}) {
    const Answer answer = ask({.method = method, .url = server.url()});
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->body, "ok");
  }
  EXPECT_EQ(seen, "GET / HTTP/1.1; DELETE / HTTP/1.1; ");
  TestServer head([](Peer& peer) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n");
  });
  EXPECT_TRUE(ask({.method = "HEAD", .url = head.url()}));
}

TEST_F(ClientTest, AnAnswerHasHeadersAndTrailers) {
  TestServer server(
      always("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\nRetry-After:  7 \r\n"
             "Trailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n"));
  for (int again = 0; again < 2; ++again) {
    const Answer answer = ask(server.url());
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->status, 202);
    EXPECT_EQ(answer->body, "abc");
    EXPECT_THAT(answer->headers, Contains(Pair("retry-after", "7")));
    EXPECT_THAT(answer->trailers, Contains(Pair("x-sum", "9")));
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(ClientTest, EveryStatusIsAnAnswerAndNoneIsFollowed) {
  for (const int status : {204, 301, 307, 401, 404, 407, 413, 429, 500, 503}) {
    TestServer server(always("HTTP/1.1 " + std::to_string(status) +
                             " X\r\nLocation: /elsewhere\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"));
    const Answer answer = ask(server.url());
    ASSERT_TRUE(answer) << status << answer.error().message;
    EXPECT_EQ(answer->status, status);
  }
}

TEST_F(ClientTest, CookiesAreNotKept) {
  std::string second;
  TestServer server([&](Peer& peer) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n");
    second = peer.read_request();
    peer.write(kOk);
  });
  ASSERT_TRUE(ask(server.url()));
  ASSERT_TRUE(ask(server.url()));
  EXPECT_THAT(second, AllOf(HasSubstr("POST /"), Not(HasSubstr("ookie"))));
}

TEST_F(ClientTest, WhatCannotBeSentIsRefused) {
  EXPECT_EQ(fail("file:///etc/passwd").step, Step::kUrl);
  EXPECT_EQ(fail("http://").step, Step::kUrl);
  EXPECT_EQ(fail({.method = "G\r\n", .url = "http://127.0.0.1"}).step, Step::kSend);
  EXPECT_EQ(fail({.url = "http://127.0.0.1", .headers = {{"a b", "c"}}}).step, Step::kSend);
  const Failure value = fail({.url = "http://127.0.0.1", .headers = {{"key", "SECRET\r\nx: y"}}});
  EXPECT_EQ(value.step, Step::kSend);
  EXPECT_EQ(value.message, "the header key has a value that cannot be sent");
}

TEST_F(ClientTest, WhoDoesNotListenIsNamedWithoutPathAndUser) {
  const DeadPort dead;
  const std::string place = "127.0.0.1:" + std::to_string(dead.port());
  const Failure failure = fail("http://me:SECRET@" + place + "/SECRET?SECRET");
  EXPECT_EQ(failure.step, Step::kConnect);
  EXPECT_EQ(failure.message, "cannot connect to " + place + ": Connection refused");
  EXPECT_EQ(fail("http://localhost:" + std::to_string(dead.port())).step, Step::kConnect);
}

TEST_F(ClientTest, LocalhostNeedsNoNameServer) {
  TestServer server(always(std::string(kOk)));
  EXPECT_TRUE(ask("http://localhost:" + std::to_string(server.port())));
  EXPECT_TRUE(ask("http://a.LOCALHOST.:" + std::to_string(server.port())));
}

TEST_F(ClientTest, ANameThatDoesNotExist) {
  // Where no name server can be reached, that is found out no sooner.
  const Failure failure = fail({.url = "http://nothing.invalid/SECRET", .timeout = seconds(2)});
  EXPECT_TRUE(failure.step == Step::kResolve || failure.step == Step::kTimeout);
  EXPECT_THAT(failure.message, AllOf(HasSubstr("nothing.invalid"), Not(HasSubstr("SECRET"))));
}

TEST_F(ClientTest, ATimeoutIsFromStartToEnd) {
  TestServer silent(say_nothing);
  const Failure failure = fail({.url = silent.url("/SECRET"), .timeout = milliseconds(50)});
  EXPECT_EQ(failure.step, Step::kTimeout);
  EXPECT_EQ(failure.message, "no whole answer from " + silent.place() + " in 50 ms");
  TestServer slow([](Peer& peer) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\na");
    peer.read_request();
  });
  EXPECT_EQ(fail({.url = slow.url(), .timeout = milliseconds(50)}).step, Step::kTimeout);
}

TEST_F(ClientTest, AnAnswerThatEndsEarlyIsNone) {
  for (const char* part : {"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
                           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", "not HTTP\r\n\r\n"}) {
    TestServer server([&](Peer& peer) {
      peer.read_request();
      peer.write(part);
    });
    const Failure failure = fail(server.url());
    EXPECT_EQ(failure.step, Step::kReceive) << part;
    EXPECT_THAT(failure.message, StartsWith("no whole answer from " + server.place() + ": ")) << part;
  }
  TestServer server([](Peer& peer) {
    peer.read_request();
    peer.reset();
  });
  EXPECT_EQ(fail(server.url()).message,
            "no whole answer from " + server.place() + ": Recv failure: Connection reset by peer");
}

TEST_F(ClientTest, ATooLargeAnswerIsStopped) {
  TestServer server([](Peer& peer) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
    const std::string piece(65536, 'x');
    std::string rest;
    for (int i = 0; i < 16'000; ++i) peer.write(piece);
  });
  const Failure failure = fail({.url = server.url(), .most_response = 100'000});
  EXPECT_EQ(failure.step, Step::kTooLarge);
  EXPECT_EQ(failure.message, "too large an answer from " + server.place());
}

TEST_F(ClientTest, AnAnswerOfExactlyTheMostIsTaken) {
  TestServer server(always(std::string(kOk)));
  EXPECT_TRUE(ask({.url = server.url(), .most_response = 2}));
  EXPECT_EQ(fail({.url = server.url(), .most_response = 1}).step, Step::kTooLarge);
}

TEST_F(ClientTest, ABombIsStopped) {
  std::atomic<bool> over = false;
  TestServer server([&](Peer& peer) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n");
    Bomb bomb;
    while (peer.write(bomb.next())) {
    }
    over = true;
    peer.read_request();
  });
  EXPECT_EQ(fail(server.url()).step, Step::kTooLarge);
  while (!over) std::this_thread::yield();
}

TEST_F(ClientTest, AnEncodedAnswerIsDecoded) {
  Bomb bomb;
  const std::string zeros = bomb.next(Z_FINISH);
  TestServer server(always("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: " +
                           std::to_string(zeros.size()) + "\r\n\r\n" + zeros));
  const Answer answer = ask(server.url());
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->body, std::string(Bomb::kPiece, 0));
}

TEST_F(ClientTest, SoAreHeadsAndTrailers) {
  const auto endless = [](std::string begin) {
    return [begin](Peer& peer) {
      peer.read_request();
      peer.write(begin);
      for (int i = 0; i < 100'000; ++i) peer.write("field: value\r\n");
    };
  };
  TestServer head(endless("HTTP/1.1 200 OK\r\n"));
  EXPECT_EQ(fail(head.url()).step, Step::kTooLarge);
  TestServer trailers(endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"));
  EXPECT_EQ(fail(trailers.url()).step, Step::kTooLarge);
  TestServer line([](Peer& peer) {
    peer.read_request();
    peer.write("HTTP/1.1 200 OK\r\nfield: ");
    for (int i = 0; i < 1000; ++i) peer.write(std::string(65536, 'x'));
  });
  EXPECT_EQ(fail(line.url()).step, Step::kTooLarge);
}

TEST_F(ClientTest, HundredRequestsAtOnceShareEightConnections) {
  TestServer server(always(std::string(kOk)));
  int answers = 0;
  for (int i = 0; i < 100; ++i) {
    client.start({.url = server.url(), .body = "body"}, [&](const Answer& answer) {
      EXPECT_TRUE(answer) << answer.error().message;
      ++answers;
    });
  }
  EXPECT_EQ(client.under_way(), 100u);
  while (answers < 100) client.run(seconds(10));
  EXPECT_EQ(client.under_way(), 0u);
  EXPECT_LE(server.most_at_once(), 8);
  EXPECT_LE(server.connections(), 8);
}

TEST_F(ClientTest, AnAnswerMayStartTheNextRequest) {
  TestServer server(always(std::string(kOk)));
  int left = 5;
  std::function<void(Answer)> next = [&](const Answer& answer) {
    EXPECT_TRUE(answer);
    if (--left > 0) client.start({.url = server.url()}, next);
  };
  client.start({.url = server.url()}, next);
  while (left > 0) client.run(seconds(10));
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(ClientTest, AConnectionThatWasClosedMeanwhileIsNotUsedAgain) {
  TestServer server([](Peer& peer) {
    peer.read_request();
    peer.write(kOk);
  });
  for (int i = 0; i < 5; ++i) {
    const Answer answer = ask(server.url());
    ASSERT_TRUE(answer) << answer.error().message;
  }
  EXPECT_EQ(server.connections(), 5);
}

TEST_F(ClientTest, WhoRefusesNeedNotReadAll) {
  TestServer server([](Peer& peer) {
    std::string begin;
    peer.read_more(begin);
    peer.write("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    while (peer.read_more(begin)) begin.clear();
  });
  const Answer answer = ask({.url = server.url(), .body = std::string(50'000'000, 'x')});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 413);
}

TEST_F(ClientTest, ADescriptorEndsTheWait) {
  const UniqueFd wake(eventfd(1, EFD_CLOEXEC));
  client.run(std::chrono::hours(1), wake.get());
  client.run(Nanos(0));
}

TEST_F(ClientTest, WhatIsUnderWayIsDroppedWithTheClient) {
  TestServer silent(say_nothing);
  {
    Client other([](std::string_view) { return std::nullopt; });
    for (int i = 0; i < 20; ++i) {
      other.start({.url = silent.url()}, [](const Answer&) { FAIL() << "called"; });
    }
    other.run(Nanos(0));
    EXPECT_EQ(other.under_way(), 20u);
    other.start({.url = silent.url()}, [](const Answer&) { FAIL() << "called"; });
  }
}

}  // namespace
}  // namespace mcptrace::client
