#include "client/target.h"

#include <gmock/gmock.h>

namespace mcptrace::client {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string shown(std::string_view url) {
  const auto target = parse_target(url);
  if (!target) return target.error().message;
  return std::string(target->tls ? "tls " : "") + target->place + " " + target->lookup + " " + target->url;
}

TEST(Target, IsReadFromAUrl) {
  EXPECT_EQ(shown("http://Host"), "host:80 host http://Host");
  EXPECT_EQ(shown("HTTPS://host/v1/traces?x=1"), "tls host:443 host https://host/v1/traces?x=1");
  EXPECT_EQ(shown("http://10.0.0.1:4318/"), "10.0.0.1:4318 10.0.0.1 http://10.0.0.1:4318/");
  EXPECT_EQ(shown("http://[::1]:4318"), "[::1]:4318 ::1 http://[::1]:4318");
  EXPECT_EQ(shown("http://me:p%40w@host:1/"), "host:1 host http://me:p%40w@host:1/");
}

TEST(Target, ADotAtTheEndIsForTheLookupAlone) {
  EXPECT_EQ(shown("https://host.example.:8443/x"), "tls host.example:8443 host.example. https://host.example:8443/x");
  EXPECT_EQ(shown("http://host./"), "host:80 host. http://host/");
}

TEST(Target, WhatCannotBeUsedIsRefusedWithoutSayingIt) {
  for (const char* url :
       {"", "SECRET", "ftp://SECRET", "http://", "http:///SECRET", "http://SECRET:x/", "http://SE CRET/",
        "http://host/SEC RET", "http://host/\r\nSECRET: x", "http://SEC\nRET@host/", "http://.", "http://host../",
        "http://host/\xc3\xa9SECRET", "http://h\xc3\xb6st/", "http://host:0/"}) {
    const auto target = parse_target(url);
    ASSERT_FALSE(target) << url;
    EXPECT_THAT(target.error().message, Not(HasSubstr("SECRET")));
  }
}

std::string chosen(std::string_view option, std::string_view url, std::string_view variable = {},
                   std::string_view value = {}) {
  const auto environment = [&](std::string_view name) {
    return name == variable ? std::optional<std::string>(value) : std::nullopt;
  };
  const auto via = choose_proxy(option, environment, *parse_target(url));
  if (!via) return via.error().message;
  return *via ? ((*via)->tls ? "tls " : "") + (*via)->proxy.authority : "direct";
}

TEST(ChooseProxy, AnOptionIsStrongerThanVariables) {
  EXPECT_EQ(chosen("", "http://host"), "direct");
  EXPECT_EQ(chosen("", "http://host", "http_proxy", "http://p:1"), "p:1");
  EXPECT_EQ(chosen("", "https://host", "HTTPS_PROXY", "https://p"), "tls p:443");
  EXPECT_EQ(chosen("none", "http://host", "http_proxy", "http://p:1"), "direct");
  EXPECT_EQ(chosen("q:2", "http://host", "http_proxy", "http://p:1"), "q:2");
  EXPECT_EQ(chosen("https://me:pw@q:80", "http://localhost"), "tls q:80");
}

TEST(ChooseProxy, WhatCannotBeUsedIsRefusedWithoutSayingIt) {
  EXPECT_THAT(chosen("socks5://SECRET@p", "http://host"), AllOf(HasSubstr("a proxy is"), Not(HasSubstr("SECRET"))));
  EXPECT_THAT(chosen("", "https://host", "ALL_PROXY", "socks5://SECRET@p"),
              AllOf(HasSubstr("ALL_PROXY: a proxy is"), Not(HasSubstr("SECRET"))));
}

}  // namespace
}  // namespace mcptrace::client
