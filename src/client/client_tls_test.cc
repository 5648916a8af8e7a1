#include <gmock/gmock.h>

#include <filesystem>

#include "client/client_fixture.h"

namespace mcptrace::client {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// Says who asked.
void say_name(Peer& peer) {
  while (!peer.read_request().empty()) {
    const std::string name = peer.certificate_name();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(name.size()) + "\r\n\r\n" + name);
  }
}

class ClientTlsTest : public ClientTest {
 protected:
  void replace(const std::string& from, const std::string& to) {
    std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing);
  }

  TestAuthority authority, other;
  ServerTls settings{.files = authority.issue("server")};
};

TEST_F(ClientTlsTest, AnOwnAuthorityIsTrusted) {
  TestServer server(always(std::string(kOk)), &settings);
  EXPECT_EQ(said({.url = server.url(), .tls = {.ca = authority.ca()}}), "ok");
  EXPECT_EQ(said({.url = server.url(), .tls = {.ca = authority.ca()}}), "ok");
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(ClientTlsTest, NobodyElseIs) {
  TestServer server(always(std::string(kOk)), &settings);
  for (const std::string& ca : {other.ca(), std::string()}) {
    const Failure failure = fail({.url = server.url("/SECRET"), .tls = {.ca = ca}});
    EXPECT_EQ(failure.step, Step::kTls);
    EXPECT_THAT(failure.message, StartsWith("no TLS with " + server.place() + ": SSL certificate problem"));
  }
}

TEST_F(ClientTlsTest, AnOwnAuthorityIsTheOnlyOne) {
  TestServer server(always(std::string(kOk)), &settings);
  variables["SSL_CERT_FILE"] = authority.ca();
  EXPECT_EQ(said({.url = server.url()}), "ok");
  EXPECT_EQ(fail({.url = server.url(), .tls = {.ca = other.ca()}}).step, Step::kTls);
}

TEST_F(ClientTlsTest, TheNameHasToBeTheServers) {
  TestServer server(always(std::string(kOk)), &settings);
  const Failure failure =
      fail({.url = "https://other.localhost:" + std::to_string(server.port()), .tls = {.ca = authority.ca()}});
  EXPECT_EQ(failure.step, Step::kTls);
  EXPECT_THAT(failure.message, HasSubstr("other.localhost"));
}

TEST_F(ClientTlsTest, AnAuthorityThatCannotBeReadIsSaid) {
  EXPECT_EQ(fail({.url = "https://127.0.0.1", .tls = {.ca = authority.path("none")}}).step, Step::kTls);
  EXPECT_THAT(said({.url = "https://127.0.0.1", .tls = {.ca = authority.path("none")}}),
              HasSubstr(authority.path("none")));
  TestServer server(always(std::string(kOk)), &settings);
  EXPECT_EQ(fail({.url = server.url(), .tls = {.ca = settings.files.key}}).step, Step::kTls);
}

TEST_F(ClientTlsTest, AServerMayAskWhoWeAre) {
  settings.client_ca = authority.ca();
  TestServer server(say_name, &settings);
  const TlsFiles me = authority.issue("me"), stranger = other.issue("stranger");
  for (const Tls& tls : {Tls{authority.ca(), stranger.certificate, stranger.key}, Tls{authority.ca()},
                         Tls{authority.ca(), me.certificate, stranger.key}, Tls{authority.ca(), me.certificate}}) {
    const Failure failure = fail({.url = server.url(), .tls = tls});
    EXPECT_EQ(failure.step, Step::kTls) << failure.message;
  }
  EXPECT_EQ(said({.url = server.url(), .tls = {authority.ca(), me.certificate, me.key}}), "me");
  EXPECT_EQ(fail({.url = server.url(), .tls = {authority.ca()}}).step, Step::kTls);
}

TEST_F(ClientTlsTest, ChangedFilesCountFromTheNextRequestOn) {
  settings.client_ca = authority.ca();
  TestServer server(say_name, &settings);
  const TlsFiles one = authority.issue("one"), two = authority.issue("two");
  const TlsFiles used{authority.path("used.pem"), authority.path("used.key")};
  const std::string ca = authority.path("used-ca.pem");
  const Request request{.url = server.url(), .tls = {ca, used.certificate, used.key}};
  replace(authority.ca(), ca);
  replace(one.certificate, used.certificate);
  replace(one.key, used.key);
  EXPECT_EQ(said(request), "one");
  replace(two.certificate, used.certificate);
  replace(two.key, used.key);
  EXPECT_EQ(said(request), "two");
  replace(other.ca(), ca);
  EXPECT_EQ(fail(request).step, Step::kTls);
  replace(authority.ca(), ca);
  EXPECT_EQ(said(request), "two");
}

TEST_F(ClientTlsTest, AHandshakeThatIsCutIsOne) {
  TestServer server([](Peer& peer) {
    std::string hello;
    peer.read_more(hello);
  });
  const Failure failure = fail("https://" + server.place());
  EXPECT_EQ(failure.step, Step::kTls);
  EXPECT_THAT(failure.message, StartsWith("no TLS with " + server.place()));
  TestServer silent(say_nothing);
  const Failure late = fail({.url = "https://" + silent.place(), .timeout = std::chrono::milliseconds(50)});
  EXPECT_EQ(late.message, "no TLS with " + silent.place() + " in 50 ms");
}

TEST_F(ClientTlsTest, OldVersionsAreNotSpoken) {
  settings.most_version = TLS1_1_VERSION;
  TestServer server(always(std::string(kOk)), &settings);
  EXPECT_EQ(fail({.url = server.url(), .tls = {.ca = authority.ca()}}).step, Step::kTls);
}

}  // namespace
}  // namespace mcptrace::client
