#include "proxy/client_uri.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace mcptrace::proxy {
namespace {

RouteTable table(const std::vector<std::string>& routes) {
  std::vector<Route> parsed;
  for (const std::string& text : routes) {
    parsed.push_back(text.starts_with("http") ? Route{"default", {}, *parse_upstream(text)} : *parse_route(text));
  }
  return *RouteTable::make(std::move(parsed));
}

std::string told(const ClientUri& uri) {
  using enum ClientUri::Leads;
  return (uri.leads == kToUs      ? ""
          : uri.leads == kNowhere ? "unreachable "
                                  : "away ") +
         uri.uri + (uri.other_scheme ? " otherwise" : "");
}

// What `uri` becomes for a client that asked us, as localhost:8080, for `target`.
std::string mapped(const std::string& route, std::string_view uri, std::string_view target = {}) {
  return told(
      client_uri(table({route}), 0, uri, {.scheme = "http", .host = "localhost:8080", .request_target = target}));
}

TEST(ClientUri, GivesTheAddressThatTheClientCanReach) {
  const std::string route = "/a=https://up.example/base";
  EXPECT_EQ(mapped(route, "https://up.example/base/m?s=1"), "http://localhost:8080/a/m?s=1");
  EXPECT_EQ(mapped(route, "https://up.example/base/m?s=1#f?/"), "http://localhost:8080/a/m?s=1#f?/");
  EXPECT_EQ(mapped(route, "https://up.example/base#f"), "http://localhost:8080/a#f");
  EXPECT_EQ(mapped(route, "HTTPS://UP.example:443/base"), "http://localhost:8080/a");
  EXPECT_EQ(mapped(route, "https://up.example:/base/"), "http://localhost:8080/a/");
  EXPECT_EQ(mapped(route, "https://me:pw@up.example/base"), "http://me:pw@localhost:8080/a");
  EXPECT_EQ(mapped(route, "//up.example/base/m"), "http://localhost:8080/a/m");
  EXPECT_EQ(mapped(route, "/base/m"), "/a/m");
  EXPECT_EQ(mapped(route, "/base/#f"), "/a/#f");
  EXPECT_EQ(mapped(route, "/other/m"), "unreachable /other/m");
  EXPECT_EQ(mapped(route, "https://up.example/other"), "unreachable https://up.example/other");
  EXPECT_EQ(mapped(route, "https://up.example"), "unreachable https://up.example");
  for (const std::string text :
       {"https://elsewhere.example/base", "mailto:a", "https://up.example:8443/base", "https://up.example.evil/base",
        "https://up.example@evil/base", "https://up.example./base", "ftp://up.example/base", "javascript:alert(1)",
        "https://[::1/base", "//", "https://"}) {
    EXPECT_EQ(mapped(route, text), "away " + text);
  }
  for (const std::string text : {"", "#f"}) EXPECT_EQ(mapped(route, text), text);
}

TEST(ClientUri, PortsAndAddressesAreCompared) {
  EXPECT_EQ(mapped("http://up", "http://up:80/m"), "http://localhost:8080/m");
  EXPECT_EQ(mapped("http://up:80", "http://up/m?x"), "http://localhost:8080/m?x");
  EXPECT_EQ(mapped("http://up:3001", "http://up:03001/m"), "http://localhost:8080/m");
  EXPECT_EQ(mapped("http://up:3001", "http://up/m"), "away http://up/m");
  EXPECT_EQ(mapped("http://up:3001", "http://up:3001?q"), "http://localhost:8080/?q");
  EXPECT_EQ(mapped("http://[::1]:3001", "http://[0:0::1]:3001/m"), "http://localhost:8080/m");
  EXPECT_EQ(mapped("http://[fd00::A]", "http://[FD00::a]:80/m"), "http://localhost:8080/m");
  EXPECT_EQ(mapped("http://[::1]:3001", "http://[::2]:3001/m"), "away http://[::2]:3001/m");
}

// Whoever ends TLS before a server, the server says http.
TEST(ClientUri, TheOtherSchemeOfTheSameHostIsTheUpstreams) {
  EXPECT_EQ(mapped("https://up", "http://up/m/"), "http://localhost:8080/m/ otherwise");
  EXPECT_EQ(mapped("https://up", "http://up:443/m/"), "http://localhost:8080/m/ otherwise");
  EXPECT_EQ(mapped("http://up", "https://up/m/"), "http://localhost:8080/m/ otherwise");
  EXPECT_EQ(mapped("http://up:3001", "https://up:3001/m/"), "http://localhost:8080/m/ otherwise");
  EXPECT_EQ(mapped("http://up:3001", "https://up/m/"), "away https://up/m/");
  EXPECT_EQ(mapped("https://up", "http://up:8080/m/"), "away http://up:8080/m/");
  EXPECT_EQ(mapped("https://up:8443", "http://up/m/"), "away http://up/m/");
}

TEST(ClientUri, OurOwnAddress) {
  const RouteTable routes = table({"/a=https://up/base", "/b=https://other"});
  const auto uri = [&](std::string_view text, bool told_host) {
    return told(client_uri(routes, 0, text, {.scheme = "http", .host = "localhost:8080", .told_host = told_host}));
  };
  EXPECT_EQ(uri("http://localhost:8080/base/m", true), "http://localhost:8080/a/m") << "its own path, below our name";
  EXPECT_EQ(uri("http://localhost:8080/base/m", false), "http://localhost:8080/a/m");
  EXPECT_EQ(uri("http://localhost:8080/a/m", false), "http://localhost:8080/a/m") << "its public address";
  EXPECT_EQ(uri("http://localhost:8080/b/m", false), "http://localhost:8080/b/m") << "of the server beside it";
  EXPECT_EQ(uri("http://localhost:8080/b/m", true), "unreachable http://localhost:8080/b/m");
  EXPECT_EQ(uri("https://localhost:8080/base/m", false), "away https://localhost:8080/base/m");
}

TEST(ClientUri, AClientThatDidNotSayHowItCalledUsIsToldAPath) {
  const RouteTable routes = table({"/a=https://up/base"});
  const auto uri = [&](std::string_view text) {
    return told(client_uri(routes, 0, text, {.scheme = "http", .host = {}}));
  };
  EXPECT_EQ(uri("https://up/base/m?x#f"), "/a/m?x#f");
  EXPECT_EQ(uri("https://me@up/base"), "/a");
}

// Two slashes at the beginning of a reference begin a host.
TEST(ClientUri, NoPathBecomesAHost) {
  EXPECT_EQ(mapped("http://up/base", "/base//evil.example/m"), "http://localhost:8080//evil.example/m");
  EXPECT_EQ(mapped("http://up", "/.//evil.example/m"), "/.//evil.example/m");
  EXPECT_EQ(mapped("http://up/base", "http://up/base//evil.example/m"), "http://localhost:8080//evil.example/m");
  const RouteTable routes = table({"http://up/base"});
  EXPECT_EQ(told(client_uri(routes, 0, "/base//evil.example/m", {.scheme = "http", .host = {}})), "/.//evil.example/m");
}

// The slash that a server wants at the end of the very path that was given as its address.
TEST(ClientUri, TheUpstreamsOwnPathInItsOtherSpelling) {
  for (const auto& [route, from, to] : {std::tuple{"http://up/mcp", "/mcp", "/mcp/"},
                                        {"http://up/mcp/", "/mcp/", "/mcp"},
                                        {"/a=http://up/mcp", "/mcp", "/mcp/"},
                                        {"/a=http://up/mcp/", "/mcp/", "/mcp"}}) {
    const RouteTable routes = table({route});
    const ClientView client{.scheme = "http", .host = "h", .request_target = routes[0].prefix};
    for (const std::string& path :
         {std::string(from), std::string(to), std::string(to) + "?x", std::string("/mcp/m")}) {
      const ClientUri uri = client_uri(routes, 0, "http://up" + path, client);
      EXPECT_EQ(uri.leads, ClientUri::Leads::kToUs) << route << ' ' << path;
      ASSERT_TRUE(uri.uri.starts_with("http://h/")) << uri.uri;
      const auto found = routes.find(uri.uri.substr(8));
      ASSERT_TRUE(found) << uri.uri;
      EXPECT_EQ(found->target, path) << route << ' ' << uri.uri;
    }
  }
}

TEST(ClientUri, RelativeOnesGoByWhatTheClientAskedFor) {
  const std::string route = "/a=http://up/base/sse";
  EXPECT_EQ(mapped(route, "m?s=1", "/a/x/y?z"), "m?s=1");
  EXPECT_EQ(mapped(route, "./m", "/a/x/"), "./m");
  EXPECT_EQ(mapped(route, "?s=1", "/a"), "?s=1");
  EXPECT_EQ(mapped(route, "m", "http://localhost/a/x"), "m");
  EXPECT_EQ(mapped(route, "m#f", "http://localhost/a/x"), "m#f");
  EXPECT_EQ(mapped(route, "sse/m", "/a"), "/a/m") << "the client would ask for /sse/m";
  EXPECT_EQ(mapped(route, "m", "/a"), "unreachable m");
  EXPECT_EQ(mapped(route, "../../m", "/a/x"), "unreachable ../../m");
  EXPECT_EQ(mapped(route, "m", ""), "m");
}

TEST(ClientView, IsWhatTheClientSaidOrWhomWeTrust) {
  const auto view = [](std::vector<http::Field> fields, bool trusts) {
    fields.push_back({http::FieldName::kHost, "Host", "proxy:8080"});
    http::RequestHead head;
    head.fields = fields;
    const ClientView seen = view_of(head, false, trusts);
    return std::string(seen.scheme) + "://" + std::string(seen.host);
  };
  const http::Field proto{http::FieldName::kOther, "x-forwarded-proto", "http, HTTPS "},
      host{http::FieldName::kOther, "X-Forwarded-Host", "evil.example, public.example"},
      forwarded{http::FieldName::kForwarded, "Forwarded",
                "host=evil, for=1.2.3.4;Host=\"f.example:8443\"; proto=https"};
  EXPECT_EQ(view({proto, host, forwarded}, false), "http://proxy:8080");
  EXPECT_EQ(view({proto, host}, true), "https://public.example");
  EXPECT_EQ(view({proto}, true), "https://proxy:8080");
  EXPECT_EQ(view({forwarded}, true), "https://f.example:8443");
  EXPECT_EQ(view({host, forwarded}, true), "https://proxy:8080") << "one of the two hosts is the client's own word";
  const auto odd = [](std::string_view name, std::string_view value) {
    return http::Field{http::FieldName::kOther, name, value};
  };
  EXPECT_EQ(view({odd("X-Forwarded-Proto", "gopher"), odd("X-Forwarded-Host", "a b")}, true), "http://proxy:8080");
  EXPECT_EQ(view({odd("X-Forwarded-Host", "public.example, \"a")}, true), "http://proxy:8080");
  EXPECT_EQ(view({odd("X-Forwarded-Proto", "")}, true), "http://proxy:8080");
}

}  // namespace
}  // namespace mcptrace::proxy
