#include "http/authority.h"

#include <gtest/gtest.h>

#include <string>

namespace mcptrace::http {
namespace {

TEST(Authority, TakesHostAndPort) {
  struct Case {
    std::string_view text, host;
    std::uint16_t port;
  };
  for (const Case& c : {Case{"localhost", "localhost", 0}, Case{"localhost:3000", "localhost", 3000},
                        Case{"a.example.com:65535", "a.example.com", 65535}, Case{"127.0.0.1:1", "127.0.0.1", 1},
                        Case{"[::1]", "[::1]", 0}, Case{"[2001:db8::a]:80", "[2001:db8::a]", 80},
                        Case{"[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]", 0}, Case{"my_host", "my_host", 0},
                        Case{"xn--bcher-kva.example", "xn--bcher-kva.example", 0}}) {
    const auto authority = parse_authority(c.text);
    ASSERT_TRUE(authority) << c.text;
    EXPECT_EQ(authority->host, c.host);
    EXPECT_EQ(authority->port, c.port);
    EXPECT_EQ(authority->is_ipv6(), c.text.starts_with('['));
  }
}

TEST(Authority, RefusesEverythingElse) {
  for (const std::string_view text : {"",          ":80",       "a:",     "a:0",     "a:65536",      "a:080000",
                                      "a:+80",     "a:-1",      "a:8x",   "a:80:80", "a b",          "a/",
                                      "a?",        "a#",        "a@b",    "u:p@b",   "a\\b",         "a.",
                                      ".a",        "a..b",      ".",      "a,b",     "a%2fb",        "a\tb",
                                      "b\xc3\xbc", "[::1",      "::1",    "[::1]80", "[::1%25eth0]", "[fe80::1%eth0]",
                                      "[]",        "[1.2.3.4]", "[::1]]", "[:::1]",  "a[::1]",       "*",
                                      "a;b",       "a'b"}) {
    EXPECT_FALSE(parse_authority(text)) << text;
  }
  EXPECT_FALSE(parse_authority(std::string_view("a\0b", 3)));
  EXPECT_FALSE(parse_authority(std::string_view("[::1\0]", 6)));
  EXPECT_FALSE(parse_authority(std::string(256, 'a')));
}

TEST(Authority, ComparesWithDefaultPorts) {
  const auto same = [](std::string_view a, std::string_view b, std::uint16_t port) {
    return same_authority(*parse_authority(a), *parse_authority(b), port);
  };
  EXPECT_TRUE(same("a", "A:80", 80));
  EXPECT_TRUE(same("a:443", "a", 443));
  EXPECT_FALSE(same("a", "a:80", 443));
  EXPECT_FALSE(same("a:1", "a:2", 80));
  EXPECT_FALSE(same("a", "b", 80));
}

TEST(Authority, KnowsLoopbackNames) {
  for (const std::string_view host :
       {"localhost", "LOCALHOST", "127.0.0.1", "127.255.1.2", "[::1]", "[0:0:0:0:0:0:0:1]"}) {
    EXPECT_TRUE(is_loopback_host(host)) << host;
  }
  // Among them the spellings that have been taken for loopback, or for something else, by others.
  for (const std::string_view host : {"", "localhost.example.com", "example.com", "0.0.0.0", "0", "127.1",
                                      "127.0.0.1.nip.io", "0x7f.0.0.1", "2130706433", "0177.0.0.1", "128.0.0.1", "[::]",
                                      "[::ffff:127.0.0.1]", "::1", "[::1", "[]", "127.0.0.1 ", "localhost."}) {
    EXPECT_FALSE(is_loopback_host(host)) << host;
  }
}

TEST(CanonicalAddress, IsOfAddressesOnly) {
  EXPECT_EQ(canonical_address("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(canonical_address("192.0.2.1:4711"), "192.0.2.1");
  EXPECT_EQ(canonical_address("2001:DB8:0:0::1"), "2001:db8::1");
  EXPECT_EQ(canonical_address("[2001:db8::1]"), "2001:db8::1");
  EXPECT_EQ(canonical_address("[2001:db8::1]:80"), "2001:db8::1");
  using namespace std::string_view_literals;
  for (const std::string_view text :
       {""sv, "deadbeef"sv, "1.2.3"sv, "1.2.3.4:"sv, "1.2.3.4:x"sv, "cafe:cafe"sv, "[::1"sv, "[::1]x"sv, "1.2.3.4\0"sv,
        "unknown"sv, "_hidden"sv, "0123456789abcdef"sv, ":"sv}) {
    EXPECT_EQ(canonical_address(text), "") << text;
  }
}

}  // namespace
}  // namespace mcptrace::http
