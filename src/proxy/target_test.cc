#include "proxy/target.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "base/shown.h"

namespace mcptrace::proxy {
namespace {

using testing::HasSubstr;
using testing::Not;

RouteTable table(const std::vector<std::string>& routes) {
  std::vector<Route> parsed;
  for (const std::string& text : routes) {
    auto route = parse_route(text);
    EXPECT_TRUE(route) << text << (route ? "" : route.error().message);
    parsed.push_back(*route);
  }
  return *RouteTable::make(std::move(parsed));
}

// "2 /target", or "none".
std::string found(const RouteTable& routes, std::string_view target) {
  const auto result = routes.find(target);
  return result ? std::to_string(result->route) + " " + result->target : "none";
}

TEST(UpstreamUrl, IsParsed) {
  struct Case {
    std::string_view url;
    bool tls;
    std::string_view host;
    std::uint16_t port;
    std::string_view path, authority;
  };
  for (const Case& c : {
           Case{"http://localhost", false, "localhost", 80, "", "localhost"},
           Case{"HTTP://LocalHost:3001/", false, "localhost", 3001, "", "localhost:3001"},
           Case{"https://a.example/mcp", true, "a.example", 443, "/mcp", "a.example"},
           Case{"https://a.example:443/mcp/", true, "a.example", 443, "/mcp/", "a.example"},
           Case{"https://a.example:80", true, "a.example", 80, "", "a.example:80"},
           Case{"http://[::1]:3001/x%20y", false, "::1", 3001, "/x%20y", "[::1]:3001"},
           Case{"http://[2001:DB8::1]", false, "2001:db8::1", 80, "", "[2001:db8::1]"},
       }) {
    const auto url = parse_upstream(c.url);
    ASSERT_TRUE(url) << c.url;
    EXPECT_EQ(url->tls, c.tls);
    EXPECT_EQ(url->host, c.host);
    EXPECT_EQ(url->port, c.port);
    EXPECT_EQ(url->path, c.path);
    EXPECT_EQ(url->authority, c.authority);
    EXPECT_EQ(url->origin(), std::string(c.tls ? "https://" : "http://").append(c.authority));
  }
}

TEST(UpstreamUrl, RefusalSaysWhat) {
  struct Case {
    std::string url, what;
  };
  for (const Case& c :
       {Case{"localhost:3001", "scheme"}, Case{"ftp://a", "scheme"}, Case{"//a", "scheme"}, Case{"", "scheme"},
        Case{"http://", "host"}, Case{"http://a:0", "host"}, Case{"http://a:x", "host"}, Case{"http:///p", "host"},
        Case{"http://[fe80::1%25eth0]/", "host"}, Case{"http://a?x=1", "query"}, Case{"http://a/b?x=1", "query"},
        Case{"http://a/#f", "fragment"}, Case{"http://a/b c", "path"}, Case{"http://a/../b", "path"}}) {
    const auto url = parse_upstream(c.url);
    ASSERT_FALSE(url) << c.url;
    EXPECT_THAT(url.error().message, HasSubstr(c.what)) << c.url;
    EXPECT_THAT(url.error().message, HasSubstr("'" + shown(c.url) + "'")) << c.url;
  }
  for (const std::string url :
       {"https://user:SECRET@a.example/", "http://a/mcp?key=SECRET", "http://a/SECRET/../b", "http://a/SECRET#f",
        "a/SECRET", "http://a:SECRET/", "ftp://a/SECRET", "http://a/SECRET b"}) {
    for (const std::string& message : {parse_upstream(url).error().message, parse_route("/r=" + url).error().message,
                                       parse_route(url).error().message, parse_route("/" + url).error().message}) {
      EXPECT_THAT(message, Not(HasSubstr("SECRET")));
    }
  }
  EXPECT_THAT(parse_upstream("https://user:SECRET@a.example/").error().message, HasSubstr("user"));
}

TEST(RouteTable, JoinsAnUpstreamsPath) {
  const RouteTable plain = table({"/=http://h"});
  for (const std::string target : {"/", "/mcp", "/mcp?a=b?c", "//x", "/a/../b", "/%2e%2e/%2fb", "/a;b\\c", "/?x"}) {
    EXPECT_EQ(found(plain, target), "0 " + target);
  }
  const RouteTable under = table({"/=http://h/mcp"});
  EXPECT_EQ(found(under, "/"), "0 /mcp");
  EXPECT_EQ(found(under, "/?q"), "0 /mcp?q");
  EXPECT_EQ(found(under, "/x"), "0 /mcp/x");
  EXPECT_EQ(found(under, "/mcp"), "0 /mcp/mcp");
  EXPECT_EQ(found(under, "//x"), "0 /mcp//x");
  const RouteTable slash = table({"/=http://h/mcp/"});
  EXPECT_EQ(found(slash, "/"), "0 /mcp/");
  EXPECT_EQ(found(slash, "/x/y?z"), "0 /mcp/x/y?z");
}

TEST(RouteTable, TakesTheLongestPrefixAtASegmentsEnd) {
  const RouteTable routes = table({"/a=http://one", "/a/b/=http://two/base", "/=http://three"});
  EXPECT_EQ(found(routes, "/a"), "0 /");
  EXPECT_EQ(found(routes, "/a?q"), "0 /?q");
  EXPECT_EQ(found(routes, "/a/"), "0 /");
  EXPECT_EQ(found(routes, "/a/bc"), "0 /bc");
  EXPECT_EQ(found(routes, "/a/b"), "1 /base");
  EXPECT_EQ(found(routes, "/a/b/"), "1 /base/");
  EXPECT_EQ(found(routes, "/a/b/c?d=/a/b"), "1 /base/c?d=/a/b");
  EXPECT_EQ(found(routes, "/ab"), "2 /ab");
  EXPECT_EQ(found(routes, "/A"), "2 /A");
  EXPECT_EQ(found(routes, "/x?/a/b"), "2 /x?/a/b");
  EXPECT_EQ(found(table({"/a=http://one"}), "/b"), "none");
  EXPECT_EQ(found(table({"/a=http://one"}), "/"), "none");
}

TEST(RouteTable, TakesAbsoluteTargets) {
  const RouteTable routes = table({"/a=http://one/base", "/=http://two"});
  EXPECT_EQ(found(routes, "http://here:80/a/x?y"), "0 /base/x?y");
  EXPECT_EQ(found(routes, "https://here"), "1 /");
  EXPECT_EQ(found(routes, "http://here?q"), "1 /?q");
}

TEST(RouteTable, PrefixesAreNotFooled) {
  const RouteTable routes = table({"/a=http://one", "/=http://two"});
  for (const std::string target :
       {"//a/x", "/%61/x", "/a%2fx", "/a%2Fx", "/./a/x", "/x/../a/x", "/a;x/y", "/a\\x", "/a."}) {
    EXPECT_EQ(found(routes, target), "1 " + target);
  }
  EXPECT_EQ(found(routes, "/a/../b"), "0 /../b");
}

TEST(RouteTable, NothingClimbsOutOfAnUpstreamsPath) {
  const RouteTable routes = table({"/a=http://one/base", "/=http://two/deep/base"});
  for (const std::string_view target :
       {"/a/..", "/a/../x", "/a/x/../../y", "/a/%2e%2e/x", "/a/.%2E/x", "/a/..%2fx", "/a/..%5cx", "/a/..\\x",
        "/a/x%2fy/../../z", "/a//../x", "/a/./../x", "/a/..;/x", "/a/..;p=1/x", "/../x", "/x/../..",
        "/.well-known/../x", "/.well-known/%2e%2e/x"}) {
    EXPECT_EQ(found(routes, target), "none") << target;
  }
  EXPECT_EQ(found(routes, "/a/x/../y"), "0 /base/x/../y");
  EXPECT_EQ(found(routes, "/a/...?/../.."), "0 /base/...?/../..");
  EXPECT_EQ(found(routes, "/a/..x/.y"), "0 /base/..x/.y");
}

TEST(RouteTable, WellKnownGoesToTheOrigin) {
  const RouteTable one = table({"/=http://h/mcp"});
  for (const std::string target : {"/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp",
                                   "/.well-known/oauth-authorization-server?x", "/.well-known/", "/.well-known"}) {
    EXPECT_EQ(found(one, target), "0 " + target);
  }
  EXPECT_EQ(found(one, "/.well-knownx"), "0 /mcp/.well-knownx");

  const RouteTable several = table({"/a=http://one/mcp", "/b=http://two", "/b/c=http://three/x/y"});
  const std::string resource = "/.well-known/oauth-protected-resource";
  EXPECT_EQ(found(several, resource + "/a"), "0 " + resource + "/mcp");
  EXPECT_EQ(found(several, resource + "/a/z?q"), "0 " + resource + "/mcp/z?q");
  EXPECT_EQ(found(several, resource + "/b"), "1 " + resource);
  EXPECT_EQ(found(several, resource + "/b/"), "1 " + resource + "/");
  EXPECT_EQ(found(several, resource + "/b/c/d"), "2 " + resource + "/x/y/d");
  EXPECT_EQ(found(several, resource + "/other"), "0 " + resource + "/other");
  EXPECT_EQ(found(several, resource), "0 " + resource);
  EXPECT_EQ(found(several, "/.well-known/oauth-authorization-server/b"), "0 /.well-known/oauth-authorization-server/b");
  EXPECT_EQ(found(table({"/a=http://one", "/=http://two"}), resource), "1 " + resource);
}

TEST(RouteTable, KnowsTheWayBack) {
  const RouteTable routes = table({"/a=http://one/base", "/=http://two", "/c=http://three/x/"});
  EXPECT_EQ(routes.client_target(0, "/base"), "/a");
  EXPECT_EQ(routes.client_target(0, "/base/m?s=1"), "/a/m?s=1");
  EXPECT_EQ(routes.client_target(0, "/basement"), std::nullopt);
  EXPECT_EQ(routes.client_target(0, "/m"), std::nullopt);
  EXPECT_EQ(routes.client_target(1, "/m?s=1"), "/m?s=1");
  EXPECT_EQ(routes.client_target(1, "/a/m"), std::nullopt) << "would go to another route";
  EXPECT_EQ(routes.client_target(2, "/x/m"), "/c/m");
  const RouteTable under = table({"/=http://h/sse"});
  EXPECT_EQ(under.client_target(0, "/sse"), "/");
  EXPECT_EQ(under.client_target(0, "/sse?x"), "/?x");
  EXPECT_EQ(under.client_target(0, "/message"), std::nullopt);
}

TEST(RouteTable, RefusesRoutesThatCannotBeTold) {
  for (const std::string_view text :
       {"a=http://h", "/a", "=http://h", "/a b=http://h", "/a?=http://h", "/a%20=http://h", "/a/../b=http://h",
        "/a//b=http://h", "/.well-known=http://h", "/a/./b=http://h", "/a=ftp://h"}) {
    EXPECT_FALSE(parse_route(text)) << text;
  }
  EXPECT_THAT(parse_route("/a=ftp://h").error().message, HasSubstr("route /a: "));
  EXPECT_FALSE(RouteTable::make({}));
  EXPECT_FALSE(RouteTable::make({*parse_route("/a=http://h"), *parse_route("/a/=http://i")}));
  EXPECT_EQ(parse_route("/docs=http://h")->name, "docs");
}

TEST(RouteTable, SeesAForeignOriginInAChallenge) {
  const auto foreign = [](std::string_view challenge) {
    return RouteTable::foreign_origin(challenge, "http", "127.0.0.1:8080").value_or("none");
  };
  EXPECT_EQ(foreign("Bearer resource_metadata=\"https://api.example.com/.well-known/x\", scope=\"a\""),
            "https://api.example.com");
  EXPECT_EQ(foreign("Bearer scope=\"a\", Resource_Metadata=http://other:1/x"), "http://other:1");
  EXPECT_EQ(foreign("Bearer resource_metadata=\"http://127.0.0.1:8080/.well-known/x\""), "none");
  EXPECT_EQ(foreign("Bearer resource_metadata=\"https://127.0.0.1:8080/.well-known/x\""), "https://127.0.0.1:8080");
  for (const std::string_view challenge :
       {"", "Bearer", "Basic realm=x", "Bearer resource_metadata=", "Bearer resource_metadata=\"/x\"",
        "Bearer resource_metadata=\"http://a b\x1b/\"", "Bearer resource_metadata=\"http://u@h/\""}) {
    EXPECT_THAT(foreign(challenge), testing::AnyOf("none", "http://a")) << challenge;
  }
}

TEST(ResolveReference, AsRfc3986Says) {
  const auto from = [](std::string_view reference) { return resolve_reference("/v1/sse?x=1", reference); };
  EXPECT_EQ(from("../messages?sid=1"), "/messages?sid=1");
  EXPECT_EQ(from("messages"), "/v1/messages");
  EXPECT_EQ(from("./m?a=../b"), "/v1/m?a=../b");
  EXPECT_EQ(from("/x/../m"), "/m");
  EXPECT_EQ(from("?sid=1"), "/v1/sse?sid=1");
  EXPECT_EQ(from(""), "/v1/sse?x=1");
  EXPECT_EQ(from("../../../m"), "/m");
}

TEST(ForwardProxyOf, AVariableThatCannotBeUsedIsAnError) {
  const auto variables = [](std::string_view name) -> std::optional<std::string> {
    return name == "ALL_PROXY" ? std::optional("socks5://me:SECRET@p:1080") : std::nullopt;
  };
  const auto proxy = forward_proxy_of(variables, {.tls = true, .host = "h", .port = 443});
  ASSERT_FALSE(proxy);
  EXPECT_THAT(proxy.error().message, testing::StartsWith("ALL_PROXY: a proxy is http://"));
  EXPECT_THAT(proxy.error().message, AllOf(HasSubstr("--upstream-proxy none"), Not(HasSubstr("SECRET"))));
  EXPECT_FALSE(*forward_proxy_of(variables, {.tls = true, .host = "localhost", .port = 443}));
}

}  // namespace
}  // namespace mcptrace::proxy
