#include "http/access.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "base/shown.h"

namespace mcptrace::http {
namespace {

using testing::HasSubstr;

std::string verdict(const Access& access, std::vector<Field> fields) {
  RequestHead head;
  head.fields = fields;
  return std::string(access.check(head).value_or("passes"));
}
Field host(std::string_view value) { return {FieldName::kHost, "Host", value}; }
Field origin(std::string_view value) { return {FieldName::kOrigin, "Origin", value}; }

TEST(Access, PassesLoopbackNamesWithAnyPort) {
  const Access access = *Access::make({}, {});
  for (const std::string_view name :
       {"localhost", "localhost:1", "127.0.0.1:8080", "127.1.2.3", "[::1]:65535", "LocalHost"}) {
    EXPECT_EQ(verdict(access, {host(name)}), "passes") << name;
  }
  for (const std::string_view name : {"evil.example.com", "evil.example.com:8080", "localhost.evil.example",
                                      "0.0.0.0:80", "127.0.0.1.nip.io", "10.0.0.1"}) {
    EXPECT_THAT(verdict(access, {host(name)}), HasSubstr("--allow-host")) << name;
  }
  EXPECT_THAT(verdict(access, {}), HasSubstr("--allow-host"));  // HTTP/1.0 without Host
}

TEST(Access, PassesLoopbackOrigins) {
  const Access access = *Access::make({}, {});
  for (const std::string_view value : {"http://localhost", "https://localhost:6274", "http://127.0.0.1:1",
                                       "http://[::1]:80", "HTTP://LOCALHOST:5173"}) {
    EXPECT_EQ(verdict(access, {host("localhost"), origin(value)}), "passes") << value;
  }
  for (const std::string_view value :
       {"http://evil.example.com", "null", "", "localhost", "http://", "://localhost", "file://",
        "http://localhost@evil.example", "http://localhost:80/", "http://localhost.", "vscode-webview://localhost",
        "http://localhost, http://evil", "*"}) {
    EXPECT_THAT(verdict(access, {host("localhost"), origin(value)}), HasSubstr("--allow-origin")) << value;
  }
}

TEST(Access, EveryOriginCounts) {
  const Access access = *Access::make({}, {});
  EXPECT_THAT(verdict(access, {host("localhost"), origin("http://localhost"), origin("http://evil.example.com")}),
              HasSubstr("--allow-origin"));
}

TEST(Access, PassesWhatIsListed) {
  const Access access =
      *Access::make({"proxy.example.com", "fixed.example.com:8443", "std.example.com:443", "[2001:db8::1]"},
                    {"https://app.example.com", "vscode-webview://abc", "http://x.example:8080"});
  for (const std::string_view name : {"proxy.example.com", "Proxy.Example.com:99", "fixed.example.com:8443",
                                      "[2001:db8::1]:5", "std.example.com", "std.example.com:443", "localhost"}) {
    EXPECT_EQ(verdict(access, {host(name)}), "passes") << name;
  }
  for (const std::string_view name :
       {"fixed.example.com", "fixed.example.com:1", "a.proxy.example.com", "std.example.com:1"}) {
    EXPECT_THAT(verdict(access, {host(name)}), HasSubstr("--allow-host")) << name;
  }
  for (const std::string_view value :
       {"https://app.example.com", "https://APP.example.com:443", "vscode-webview://abc", "http://x.example:8080"}) {
    EXPECT_EQ(verdict(access, {host("localhost"), origin(value)}), "passes") << value;
  }
  for (const std::string_view value :
       {"http://app.example.com", "https://app.example.com:444", "https://app.example.com.evil",
        "vscode-webview://abcd", "http://x.example", "null"}) {
    EXPECT_THAT(verdict(access, {host("localhost"), origin(value)}), HasSubstr("--allow-origin")) << value;
  }
}

TEST(Access, RefusesOptionsThatMatchNothing) {
  for (const std::string host_option : {"", "*", "http://a", "a/", "a:0", "a b", "[::1"}) {
    const auto access = Access::make({host_option}, {});
    ASSERT_FALSE(access) << host_option;
    EXPECT_THAT(access.error().message, HasSubstr("'" + shown(host_option) + "'"));
  }
  for (const std::string origin_option :
       {"", "null", "*", "a.example", "https://", "https://a/", "https://a b", "https://u@a"}) {
    const auto access = Access::make({}, {origin_option});
    ASSERT_FALSE(access) << origin_option;
    EXPECT_THAT(access.error().message, HasSubstr("'" + shown(origin_option) + "'"));
  }
}

}  // namespace
}  // namespace mcptrace::http
