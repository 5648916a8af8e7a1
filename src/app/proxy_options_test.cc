// The command line of `mcptrace proxy`.
#include "app/proxy_options.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <map>

#include "base/testing.h"

namespace mcptrace::app {
namespace {

class ProxyOptionsTest : public testing::Test {
 protected:
  Result<ParsedProxy> parse(std::vector<std::string> arguments) {
    const auto environment = [this](std::string_view name) -> std::optional<std::string> {
      const auto found = environment_.find(std::string(name));
      return found == environment_.end() ? std::nullopt : std::optional(found->second);
    };
    const World world{{}, environment, {}, {}, 0, 1, 2, false, false, 0, {}, clock_, random_};
    return parse_proxy(world, arguments, log_);
  }
  // The error of a command line that must be refused.
  std::string refused(std::vector<std::string> arguments) {
    const auto parsed = parse(std::move(arguments));
    return parsed ? "accepted" : parsed.error().message;
  }

  std::map<std::string, std::string> environment_;
  ManualClock clock_;
  SeededRandom random_{1};
  Log log_{-1};
};

TEST_F(ProxyOptionsTest, OneServerIsEnough) {
  const auto parsed = parse({"--upstream", "http://127.0.0.1:3001/base"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  const proxy::ProxyOptions& proxy = parsed->options.proxy;
  ASSERT_EQ(proxy.routes.size(), 1u);
  EXPECT_EQ(proxy.routes[0].prefix, "");
  EXPECT_EQ(proxy.routes[0].upstream.authority, "127.0.0.1:3001");
  EXPECT_EQ(proxy.routes[0].upstream.path, "/base");
  EXPECT_EQ(proxy.listen.host, "127.0.0.1");
  EXPECT_EQ(proxy.listen.port, 0);
  EXPECT_EQ(proxy.inherited_listener, -1);
  EXPECT_EQ(proxy.drain, std::chrono::seconds(25));
  EXPECT_TRUE(proxy.access.has_value());
  EXPECT_FALSE(proxy.certificate.has_value());
  EXPECT_FALSE(proxy.keep_host);
  EXPECT_EQ(parsed->options.inject, observe::InjectMode::kAuto);
  EXPECT_EQ(parsed->options.service_name, "");
}

TEST_F(ProxyOptionsTest, RoutesAreTakenInOrder) {
  const auto parsed = parse({"--route", "/a=http://127.0.0.1:1", "--upstream", "https://example.com/mcp", "--route",
                             "/b/c=http://[::1]:2/x"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  const auto& routes = parsed->options.proxy.routes;
  ASSERT_EQ(routes.size(), 3u);
  EXPECT_EQ(routes[0].name, "default");
  EXPECT_TRUE(routes[0].upstream.tls);
  EXPECT_EQ(routes[1].prefix, "/a");
  EXPECT_EQ(routes[2].prefix, "/b/c");
  EXPECT_EQ(routes[2].upstream.host, "::1");
}

TEST_F(ProxyOptionsTest, AddressesToListenOn) {
  const auto listen = [this](const std::string& text) {
    const auto parsed = parse({"--upstream", "http://h", "--listen", text});
    if (!parsed) return std::string("refused");
    return parsed->options.proxy.listen.host + " " + std::to_string(parsed->options.proxy.listen.port);
  };
  EXPECT_EQ(listen("127.0.0.1:8080"), "127.0.0.1 8080");
  EXPECT_EQ(listen("[::1]:0"), "::1 0");
  EXPECT_EQ(listen("8080"), "127.0.0.1 8080");
  EXPECT_EQ(listen("localhost:9"), "127.0.0.1 9");
  EXPECT_EQ(listen("0.0.0.0:80"), "0.0.0.0 80");
  for (const char* bad : {"", ":", "::1:8080", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "[::1:80", ":80"}) {
    EXPECT_EQ(listen(bad), "refused") << bad;
  }
}

TEST_F(ProxyOptionsTest, WhatCannotBeDoneIsSaidWithTheOption) {
  EXPECT_NE(refused({}).find("mcptrace proxy --upstream"), std::string::npos);
  EXPECT_NE(refused({"--upstream", "ftp://x"}).find("--upstream"), std::string::npos);
  EXPECT_NE(refused({"--upstream", "http://h", "--route", "nothing"}).find("--route"), std::string::npos);
  EXPECT_NE(refused({"--upstream", "http://h", "--tls-cert", "c.pem"}).find("--tls-key"), std::string::npos);
  EXPECT_NE(refused({"--upstream", "http://h", "--host", "other"}).find("--host wants keep"), std::string::npos);
  EXPECT_NE(refused({"--upstream", "http://h", "--drain", "soon"}).find("--drain"), std::string::npos);
  EXPECT_NE(refused({"--upstream", "http://h", "--parent", "x"}).find("--parent wants"), std::string::npos);
  EXPECT_NE(refused({"--upstream", "http://h", "--naming", "x"}).find("--naming"), std::string::npos);
  EXPECT_NE(refused({"--upstream", "http://h", "--foo"}).find("unknown option '--foo'"), std::string::npos);
  EXPECT_NE(refused({"--upstream", "http://h", "stray"}).find("stray"), std::string::npos);
  EXPECT_EQ(refused({"--upstream", "http://h", "--trusted-proxy", "localhost"}),
            "--trusted-proxy: wants an address or a network, like 10.0.0.0/8; got 'localhost'");
}

// Of an address only its origin is ever said: the rest may be a secret.
TEST_F(ProxyOptionsTest, NoErrorSaysMoreThanAnOrigin) {
  for (const std::string url : {"http://me:SECRET@h/x", "http://h/SECRET", "http://h/mcp?key=SECRET", "h/SECRET",
                                "ftp://h/SECRET", "http://h/SECRET b"}) {
    for (const std::vector<std::string>& arguments :
         std::vector<std::vector<std::string>>{{url},
                                               {"--upstrem", url},
                                               {"--upstrem=" + url},
                                               {"--upstream", url, "stray"},
                                               {"--upstream=" + url + "#f"},
                                               {"--route", url},
                                               {"--route", "/a=" + url + "#f"},
                                               {"--route", "/a" + url},
                                               {"--upstream", "http://h", "--listen", url},
                                               {"--upstream", "http://h", "--ready", url},
                                               {"--upstream", "http://h", "--host", url},
                                               {"--upstream", "http://h", "--parent", url},
                                               {"--upstream", "http://h", "--naming", url},
                                               {"--upstream", "http://h", "--drain", url},
                                               {"--upstream", "http://h", "--no-inject=" + url},
                                               {"--upstream", "http://h", "--inject", url},
                                               {"--upstream", "http://h", "--no-inject", "--inject", url},
                                               {"--upstream", "http://h", "--allow-host", url + "#f"},
                                               {"--upstream", "http://h", "--trusted-proxy", url},
                                               {"--upstream", "http://h", "--allow-origin", url + "#f"},
                                               {"--upstream", "http://h", "--upstream-proxy", url + "#f"}}) {
      const std::string said = refused(arguments);
      EXPECT_EQ(said.find("SECRET"), std::string::npos) << said;
      EXPECT_NE(said, "accepted") << arguments.front() << ' ' << arguments.back();
    }
  }
}

TEST_F(ProxyOptionsTest, ServersElsewhereAreReachedThroughTheProxyThatIsGiven) {
  const auto through = [this](std::vector<std::string> arguments) {
    const auto parsed = parse(std::move(arguments));
    if (!parsed) return parsed.error().message;
    std::string text;
    for (const proxy::Route& route : parsed->options.proxy.routes) {
      text += (route.forward_proxy ? route.forward_proxy->authority : "direct") + " ";
    }
    return text;
  };
  const std::vector<std::string> routes = {"--route",     "/a=https://h", "--route",
                                           "/b=http://h", "--route",      "/c=http://127.0.0.1:1"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), routes.begin(), routes.end());
    return through(more);
  };
  EXPECT_EQ(with({}), "direct direct direct ");
  EXPECT_EQ(with({"--upstream-proxy", "http://p:3128"}), "p:3128 p:3128 p:3128 ");
  environment_ = {{"HTTPS_PROXY", "http://s:1"}, {"http_proxy", "p:2"}, {"NO_PROXY", "other"}};
  EXPECT_EQ(with({}), "s:1 p:2 direct ");
  EXPECT_EQ(with({"--upstream-proxy", "none"}), "direct direct direct ");
  EXPECT_EQ(with({"--upstream-proxy", "q:3"}), "q:3 q:3 q:3 ");
  environment_["HTTPS_PROXY"] = "socks5://me:SECRET@s:1";
  EXPECT_TRUE(with({}).starts_with("HTTPS_PROXY: a proxy is http://"));
  EXPECT_EQ(with({}).find("SECRET"), std::string::npos);
  EXPECT_EQ(with({"--upstream-proxy", "none"}), "direct direct direct ");
  EXPECT_TRUE(with({"--upstream-proxy", "https://p"}).starts_with("--upstream-proxy: a proxy is http://"));
}

TEST_F(ProxyOptionsTest, TheRest) {
  const auto parsed = parse({"--upstream",
                             "http://h",
                             "--name",
                             "docs",
                             "--no-inject",
                             "--host",
                             "keep",
                             "--allow-host",
                             "proxy.example.com",
                             "--allow-host",
                             "other.example.com",
                             "--tls-cert",
                             "c",
                             "--tls-key",
                             "k",
                             "--ready",
                             "127.0.0.1:0",
                             "--drain",
                             "2s",
                             "--trust-proxy",
                             "--trusted-proxy",
                             "10.0.0.0/8",
                             "--trusted-proxy",
                             "::1",
                             "--client-address",
                             "--parent",
                             "header",
                             "--conversation-header",
                             "X-Conversation",
                             "--secret-file",
                             "s",
                             "--upstream-ca",
                             "ca.pem"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  const ProxyCommandOptions& options = parsed->options;
  EXPECT_EQ(options.service_name, "docs");
  EXPECT_EQ(options.inject, observe::InjectMode::kNever);
  EXPECT_TRUE(options.proxy.keep_host);
  EXPECT_EQ(options.proxy.certificate->key, "k");
  EXPECT_EQ(options.proxy.ready->host, "127.0.0.1");
  EXPECT_EQ(options.proxy.drain, std::chrono::seconds(2));
  EXPECT_TRUE(options.trust_proxy);
  EXPECT_TRUE(options.trusted_proxies.contains("10.1.1.1"));
  EXPECT_TRUE(options.trusted_proxies.contains("::1"));
  EXPECT_TRUE(options.client_address);
  EXPECT_EQ(options.parent, observe::ParentOrder::kHeaderFirst);
  EXPECT_EQ(options.conversation_headers, std::vector<std::string>{"X-Conversation"});
  EXPECT_EQ(options.secret_file, "s");
  EXPECT_EQ(options.proxy.upstream_ca, "ca.pem");
}

TEST_F(ProxyOptionsTest, AListenerIsTakenOverOnlyIfItIsMeantForThisProcess) {
  environment_["LISTEN_FDS"] = "1";
  EXPECT_EQ(parse({"--upstream", "http://h"})->options.proxy.inherited_listener, -1);
  environment_["LISTEN_PID"] = "1";
  EXPECT_EQ(parse({"--upstream", "http://h"})->options.proxy.inherited_listener, -1);
  environment_["LISTEN_PID"] = std::to_string(getpid());
  EXPECT_EQ(parse({"--upstream", "http://h"})->options.proxy.inherited_listener, 3);
  environment_["LISTEN_FDS"] = "2";
  EXPECT_NE(refused({"--upstream", "http://h"}).find("LISTEN_FDS=2"), std::string::npos);
}

}  // namespace
}  // namespace mcptrace::app
