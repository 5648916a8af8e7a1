#include <gmock/gmock.h>

#include "client/client_fixture.h"

namespace mcptrace::client {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class ClientProxyTest : public ClientTest {
 protected:
  // Goes to `server`, whatever name is asked for.
  TestServer::Serve tunnel(const TestServer& server) {
    return [this, &server](Peer& peer) {
      asked = peer.read_request();
      peer.write("HTTP/1.1 200 Connected\r\nProxy-Agent: x\r\n\r\n");
      peer.tunnel_to(server.port());
    };
  }

  std::string asked;
  TestAuthority authority;
  ServerTls settings{.files = authority.issue("server")};
};

TEST_F(ClientProxyTest, APlainRequestGoesToTheProxy) {
  TestServer proxy([&](Peer& peer) {
    asked = peer.read_request();
    peer.write(kOk);
  });
  variables["http_proxy"] = "http://me:pw@" + proxy.place();
  // Its name needs not be known here.
  EXPECT_EQ(said({.url = "http://server.invalid:4318/path", .headers = {{"Key", "value"}}}), "ok");
  EXPECT_THAT(asked, StartsWith("POST http://server.invalid:4318/path HTTP/1.1\r\n"));
  EXPECT_THAT(asked, HasSubstr("\r\nProxy-Authorization: Basic bWU6cHc=\r\n"));
  EXPECT_THAT(asked, HasSubstr("\r\nKey: value\r\n"));
}

TEST_F(ClientProxyTest, WhatIsExceptedOrHereGoesWithout) {
  const DeadPort dead;
  TestServer server(always(std::string(kOk)));
  variables["http_proxy"] = "http://127.0.0.1:" + std::to_string(dead.port());
  EXPECT_EQ(said({.url = server.url()}), "ok");
  variables["no_proxy"] = "server.invalid";
  EXPECT_THAT(fail({.url = "http://server.invalid", .timeout = std::chrono::seconds(2)}).message,
              HasSubstr("cannot find server.invalid"));
}

TEST_F(ClientProxyTest, TlsGoesThroughATunnel) {
  TestServer server(always(std::string(kOk)), &settings);
  TestServer proxy(tunnel(server));
  const Request request{.url = server.url("/path"),
                        .headers = {{"Key", "SECRET"}},
                        .tls = {.ca = authority.ca()},
                        .proxy = "http://me:pw@" + proxy.place()};
  EXPECT_EQ(said(request), "ok");
  EXPECT_EQ(said(request), "ok");
  EXPECT_EQ(proxy.connections(), 1);
  EXPECT_THAT(asked, StartsWith("CONNECT " + server.place() + " HTTP/1.1\r\n"));
  EXPECT_THAT(asked, AllOf(HasSubstr("Proxy-Authorization: Basic bWU6cHc=\r\n"), Not(HasSubstr("SECRET"))));
}

TEST_F(ClientProxyTest, AProxyMaySpeakTlsItself) {
  variables["SSL_CERT_FILE"] = authority.ca();
  TestServer proxy(always(std::string(kOk)), &settings);
  EXPECT_EQ(said({.url = "http://server.invalid", .proxy = "https://" + proxy.place()}), "ok");
  variables.clear();
  const Failure failure = fail({.url = "http://server.invalid", .proxy = "https://" + proxy.place()});
  EXPECT_EQ(failure.step, Step::kTls);
  EXPECT_THAT(failure.message, StartsWith("no TLS with the proxy " + proxy.place() + ": "));
}

TEST_F(ClientProxyTest, AProxyMayRefuse) {
  TestServer proxy(always("HTTP/1.1 407 Who are you?\r\nContent-Length: 0\r\n\r\n"));
  const Failure failure =
      fail({.url = "https://server.invalid/SECRET", .proxy = "http://SECRET:SECRET@" + proxy.place()});
  EXPECT_EQ(failure.step, Step::kProxy);
  EXPECT_EQ(failure.message, "the proxy " + proxy.place() + " refuses a way to server.invalid:443: status 407");
  // Of a request that needs no tunnel its answer is the answer.
  const Answer answer = ask({.url = "http://server.invalid", .proxy = "http://" + proxy.place()});
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 407);
}

TEST_F(ClientProxyTest, AProxyMayFail) {
  const DeadPort dead;
  const std::string place = "127.0.0.1:" + std::to_string(dead.port());
  const Failure refused = fail({.url = "https://server.invalid", .proxy = "http://SECRET:SECRET@" + place});
  EXPECT_EQ(refused.step, Step::kConnect);
  EXPECT_EQ(refused.message, "cannot connect to the proxy " + place + ": Connection refused");
  TestServer cut([](Peer& peer) { peer.read_request(); });
  const Failure failure = fail({.url = "https://server.invalid", .proxy = "http://SECRET@" + cut.place()});
  EXPECT_EQ(failure.step, Step::kProxy);
  EXPECT_THAT(failure.message, StartsWith("no way through the proxy " + cut.place()));
  EXPECT_EQ(fail({.url = "http://server.invalid", .proxy = "socks5://p"}).step, Step::kProxy);
}

TEST_F(ClientProxyTest, AnotherClientsCredentialsAreItsOwn) {
  TestServer proxy([&](Peer& peer) {
    while (!(asked = peer.read_request()).empty()) peer.write(kOk);
  });
  EXPECT_EQ(said({.url = "http://server.invalid", .proxy = "http://one:pw@" + proxy.place()}), "ok");
  EXPECT_THAT(asked, HasSubstr("Basic b25lOnB3\r\n"));
  EXPECT_EQ(said({.url = "http://server.invalid", .proxy = "http://" + proxy.place()}), "ok");
  EXPECT_THAT(asked, Not(HasSubstr("Basic")));
}

}  // namespace
}  // namespace mcptrace::client
