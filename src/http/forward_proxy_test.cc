#include "http/forward_proxy.h"

#include <gtest/gtest.h>

#include <map>

#include "http/authority.h"

namespace mcptrace::http {
namespace {

std::string parsed(std::string_view url) {
  const auto proxy = parse_forward_proxy(url);
  if (!proxy) return "refused";
  return proxy->authority + (proxy->authorization.empty() ? "" : " " + proxy->authorization);
}

TEST(ForwardProxy, IsReadFromAUrl) {
  EXPECT_EQ(parsed("http://Proxy.Example:3128"), "proxy.example:3128");
  EXPECT_EQ(parsed("proxy.example:3128"), "proxy.example:3128");
  EXPECT_EQ(parsed("HTTP://proxy/"), "proxy:80");
  EXPECT_EQ(parsed("http://[FD00::1]:8080"), "[fd00::1]:8080");
  EXPECT_EQ(parse_forward_proxy("http://[fd00::1]")->host, "fd00::1");
  EXPECT_EQ(parsed("http://Aladdin:open%20sesame@proxy:1"), "proxy:1 Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  EXPECT_EQ(parsed("a:b@proxy"), "proxy:80 Basic YTpi");
  EXPECT_EQ(parsed("http://a@proxy"), "proxy:80 Basic YTo=");
  EXPECT_EQ(parsed("http://a:b%40:c@d@proxy"), "proxy:80 Basic YTpiQDpjQGQ=");
}

TEST(ForwardProxy, WhatCannotBeUsedIsRefusedWithoutSayingIt) {
  for (const char* url :
       {"", "http://", "https://SECRET@proxy", "socks5://SECRET@proxy:1080", "http://proxy/SECRET",
        "http://proxy?SECRET", "http://SECRET:p/w@proxy", "http://proxy:SECRET", "http://SECRET%@proxy",
        "http://SECRET%g0@proxy", "http://proxy:0", "http://proxy:99999", "http://pro xy", "SECRET@"}) {
    const auto proxy = parse_forward_proxy(url);
    ASSERT_FALSE(proxy) << url;
    EXPECT_EQ(proxy.error().message.find("SECRET"), std::string::npos) << proxy.error().message;
    EXPECT_TRUE(proxy.error().message.starts_with("a proxy is http://[user:password@]host[:port]; "));
  }
}

ProxiedServer server(std::string_view url) {
  const UrlOrigin origin = *split_url(url);
  const Authority authority = *parse_authority(origin.authority);
  const std::uint16_t port = authority.port != 0 ? authority.port : origin.tls ? 443 : 80;
  return {origin.tls, authority.is_ipv6() ? authority.host.substr(1, authority.host.size() - 2) : authority.host, port};
}

bool excepted(std::string_view list, std::string_view url) { return is_excepted(list, server(url)); }

TEST(NoProxy, NamesNamesAndAllBelowThem) {
  for (const std::string_view list :
       {"*", "example.com", ".example.com", "*.example.com", "EXAMPLE.com", "a,example.com", "a, example.com",
        "a example.com", ",,example.com,", "example.com:443", "example.com.", "com"}) {
    EXPECT_TRUE(excepted(list, "https://example.com/mcp")) << list;
    EXPECT_TRUE(excepted(list, "https://API.example.com")) << list;
  }
  for (const std::string_view list :
       {"", " ", ",", "xample.com", "a.example.com", "example.com:80", "example", "example.co", "example.com.evil",
        "*example.com", ".", "*.", "10.0.0.0/8", "https://example.com", "0.0.0.0/0", "::/0"}) {
    EXPECT_FALSE(excepted(list, "https://example.com")) << list;
  }
}

TEST(NoProxy, NamesAddressesAndBlocks) {
  for (const std::string_view list :
       {"10.1.2.3", "10.1.2.3:8080", "10.0.0.0/8", "10.1.2.3/32", "0.0.0.0/0", "10.1.2.2/31", "::ffff:10.1.2.3"}) {
    EXPECT_TRUE(excepted(list, "http://10.1.2.3:8080")) << list;
  }
  for (const std::string_view list :
       {"10.1.2.4", "10.1.2.3:80", "11.0.0.0/8", "10.1.2.4/31", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "10.0.0.0/-1",
        "::/0", "2.3", ".2.3", "10.1.2.3.", "3"}) {
    EXPECT_FALSE(excepted(list, "http://10.1.2.3:8080")) << list;
  }
  for (const std::string_view list : {"fd00::1", "[fd00::1]", "[fd00::1]:8080", "fd00:0:0::1", "fd00::/8", "::/0"}) {
    EXPECT_TRUE(excepted(list, "http://[fd00::1]:8080")) << list;
  }
  for (const std::string_view list : {"fd00::2", "[fd00::1]:80", "fc00::/8", "0.0.0.0/0", "fd00::/129"}) {
    EXPECT_FALSE(excepted(list, "http://[fd00::1]:8080")) << list;
  }
}

// Which proxy the variables give, or "direct".
std::string chosen(std::map<std::string, std::string> variables, std::string_view url) {
  const auto get = [&](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(std::string(name));
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
  const auto named = named_proxy(get, server(url));
  return named ? named->url : "direct";
}

TEST(ForwardProxy, IsTheVariableOfTheScheme) {
  EXPECT_EQ(chosen({}, "https://h"), "direct");
  EXPECT_EQ(chosen({{"HTTPS_PROXY", "s:1"}, {"HTTP_PROXY", "p:1"}}, "https://h"), "s:1");
  EXPECT_EQ(chosen({{"HTTPS_PROXY", "s:1"}, {"HTTP_PROXY", "p:1"}}, "http://h"), "p:1");
  EXPECT_EQ(chosen({{"HTTPS_PROXY", "s:1"}}, "http://h"), "direct");
  EXPECT_EQ(chosen({{"HTTP_PROXY", "p:1"}}, "https://h"), "direct");
  EXPECT_EQ(chosen({{"https_proxy", "small:1"}, {"HTTPS_PROXY", "s:1"}}, "https://h"), "small:1");
  EXPECT_EQ(chosen({{"https_proxy", ""}, {"HTTPS_PROXY", "s:1"}}, "https://h"), "s:1");
  EXPECT_EQ(chosen({{"ALL_PROXY", "a:1"}}, "https://h"), "a:1");
  EXPECT_EQ(chosen({{"ALL_PROXY", "A:1"}, {"all_proxy", "b:1"}}, "http://h"), "b:1");
  EXPECT_EQ(chosen({{"ALL_PROXY", "a:1"}, {"HTTP_PROXY", "p:1"}}, "http://h"), "p:1");
}

TEST(ForwardProxy, AFieldOfACgiRequestIsNone) {
  EXPECT_EQ(chosen({{"HTTP_PROXY", "p:1"}, {"REQUEST_METHOD", "GET"}}, "http://h"), "direct");
  EXPECT_EQ(chosen({{"http_proxy", "p:1"}, {"REQUEST_METHOD", "GET"}}, "http://h"), "p:1");
  EXPECT_EQ(chosen({{"HTTPS_PROXY", "p:1"}, {"REQUEST_METHOD", "GET"}}, "https://h"), "p:1");
}

TEST(ForwardProxy, IsNotAskedForWhatIsExceptedOrHere) {
  EXPECT_EQ(chosen({{"HTTP_PROXY", "p:1"}, {"NO_PROXY", "h"}}, "http://h"), "direct");
  EXPECT_EQ(chosen({{"HTTP_PROXY", "p:1"}, {"NO_PROXY", "h"}, {"no_proxy", "x"}}, "http://h"), "p:1");
  EXPECT_EQ(chosen({{"ALL_PROXY", "socks5://p:1080"}, {"NO_PROXY", "*"}}, "https://h"), "direct");
  for (const char* url : {"http://localhost:1", "http://LOCALHOST", "http://127.0.0.1", "http://127.9.9.9:8",
                          "http://[::1]", "http://[::ffff:127.0.0.1]", "http://mcp.localhost"}) {
    EXPECT_EQ(chosen({{"HTTP_PROXY", "socks5://p:1"}}, url), "direct") << url;
  }
  for (const char* url : {"http://128.0.0.1", "http://notlocalhost", "http://localhost.example", "http://[::2]"}) {
    EXPECT_EQ(chosen({{"HTTP_PROXY", "p:1"}}, url), "p:1") << url;
  }
}

TEST(ForwardProxy, IsAskedForATunnel) {
  EXPECT_EQ(tunnel_request(*parse_forward_proxy("http://p:1"), {true, "h", 443}),
            "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n");
  EXPECT_EQ(tunnel_request(*parse_forward_proxy("http://a:b@p:1"), {true, "fd00::1", 8443}),
            "CONNECT [fd00::1]:8443 HTTP/1.1\r\nHost: [fd00::1]:8443\r\nProxy-Authorization: Basic YTpi\r\n\r\n");
}

}  // namespace
}  // namespace mcptrace::http
