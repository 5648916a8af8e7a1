#include "config/value.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "config/words.h"

namespace mcptrace::config {
namespace {

using namespace std::chrono_literals;

TEST(Value, Sizes) {
  EXPECT_EQ(parse_size("0"), 0u);
  EXPECT_EQ(parse_size("4095"), 4095u);
  EXPECT_EQ(parse_size("512KiB"), 512u << 10);
  EXPECT_EQ(parse_size("10GiB"), std::size_t{10} << 30);
  for (const char* bad : {"", "MiB", "-1", "1 MiB", "1MB", "1mib", "1.5GiB", "99999999TiB", "18446744073709551616"}) {
    EXPECT_FALSE(parse_size(bad)) << bad;
  }
}

TEST(Value, Durations) {
  EXPECT_EQ(parse_duration("0"), 0s);
  EXPECT_EQ(parse_duration("1h30m"), 90min);
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("1m1ms"), 1min + 1ms);
  EXPECT_EQ(parse_duration("30d"), 720h);
  EXPECT_EQ(parse_duration("36500d"), 876000h);
  for (const char* bad : {"", "5", "s", "-1s", "1 h", "1.5s", "36501d", "9223372036854775807w", "1h30", "1y"}) {
    EXPECT_FALSE(parse_duration(bad)) << bad;
  }
}

TEST(Value, Ratios) {
  EXPECT_EQ(parse_ratio("0"), 0);
  EXPECT_EQ(parse_ratio("1"), 1);
  EXPECT_EQ(parse_ratio("0.25"), 0.25);
  for (const char* bad : {"", "-0.1", "1.01", "nan", "inf", "0,5", "10%", " 1", "0x1"})
    EXPECT_FALSE(parse_ratio(bad)) << bad;
}

TEST(Value, References) {
  for (const char* good : {"env:A", "env:_b2", "file:/run/x"}) EXPECT_TRUE(is_reference(good)) << good;
  for (const char* bad : {"", "env:", "env:1", "env:A-B", "env: A", "file:", "file:x", "ENV:A", "A"}) {
    EXPECT_FALSE(is_reference(bad)) << bad;
  }
  EXPECT_EQ(variable_of("env:NAME"), "NAME");
  EXPECT_EQ(variable_of("file:/NAME"), "");
}

TEST(Value, HeadersThatAreCredentials) {
  for (const char* yes : {"Authorization", "proxy-authorization", "api-key", "dd-api-key", "X-Honeycomb-Team",
                          "lightstep-access-token", "Cookie", "X-My-Secret", "x-password"}) {
    EXPECT_TRUE(is_credential(yes)) << yes;
  }
  for (const char* no : {"X-Scope-OrgID", "x-honeycomb-dataset", "X-Axiom-Dataset", "dd-otlp-source", "x-one"}) {
    EXPECT_FALSE(is_credential(no)) << no;
  }
}

TEST(Value, EachTypeHasItsForm) {
  struct Case {
    Option option;
    std::vector<std::string_view> good, bad;
  };
  const Case cases[] = {
      {{.type = Type::kName}, {"a-B_9"}, {"", "a b", "é", "a.b"}},
      {{.type = Type::kPath}, {"/x"}, {"x", "~/x", "", "/a\nb"}},
      {{.type = Type::kUrl},
       {"http://h", "HTTPS://h:1/p?q", "http://[::1]:4318"},
       {"h:1", "ftp://h", "http://", "http://u@h", "http://h:x", "http://h/a b", "http://h:99999"}},
      {{.type = Type::kEndpoint}, {"http://h", "h:4317"}, {"h", "u:p@h:1"}},
      {{.type = Type::kProxyAddress}, {"none", "http://p:3128", "p:3128"}, {"http://u:p@h", "p"}},
      {{.type = Type::kAddress}, {"127.0.0.1:0", "[::1]:9464"}, {"127.0.0.1", ":1", "x:"}},
      {{.type = Type::kMoney}, {"0.005 USD", "1 EUR"}, {"1", "1 usd", "-1 USD", "x USD", "1 USD "}},
      {{.type = Type::kBoolean}, {"true", "false"}, {"yes", "True", "1"}},
      {{.type = Type::kCount, .least = 2}, {"2"}, {"1", "x", "1.0"}},
      {{.type = Type::kText}, {"any text"}, {"", "a\tb", "\xff"}},
  };
  for (const Case& one : cases) {
    for (const std::string_view text : one.good) EXPECT_TRUE(check_value(one.option, {}, text)) << text;
    for (const std::string_view text : one.bad) EXPECT_FALSE(check_value(one.option, {}, text)) << text;
  }
}

TEST(Words, TheNearestIsNearEnough) {
  const std::string_view words[] = {"naming", "name", "home", "destinations"};
  EXPECT_EQ(nearest("namign", words), "naming");
  EXPECT_EQ(nearest("Home", words), "home");
  EXPECT_EQ(nearest("destination", words), "destinations");
  EXPECT_EQ(nearest("zzz", words), "");
  EXPECT_EQ(nearest(std::string(1000, 'a'), words), "");
}

}  // namespace
}  // namespace mcptrace::config
