#include "http/forwarded.h"

#include <gtest/gtest.h>

namespace mcptrace::http {
namespace {

Field list(std::string_view value) { return {FieldName::kXForwardedFor, "X-Forwarded-For", value}; }
Field standard(std::string_view value) { return {FieldName::kForwarded, "Forwarded", value}; }

std::string client(std::vector<Field> fields, const std::vector<std::string>& networks = {}) {
  RequestHead head;
  head.fields = fields;
  TrustedProxies trusted;
  for (const std::string& network : networks) EXPECT_TRUE(trusted.add(network)) << network;
  return forwarded_client(head, trusted);
}

TEST(Forwarded, TheRightMostIsWhatTheProxySaw) {
  EXPECT_EQ(client({}), "");
  EXPECT_EQ(client({list("203.0.113.7")}), "203.0.113.7");
  EXPECT_EQ(client({list("1.2.3.4, 203.0.113.7")}), "203.0.113.7");
  EXPECT_EQ(client({list("1.2.3.4"), list("5.6.7.8,203.0.113.7:4711 ")}), "203.0.113.7");
  EXPECT_EQ(client({list("1.2.3.4, [2001:DB8::1]:80")}), "2001:db8::1");
  EXPECT_EQ(client({list("1.2.3.4, 203.0.113.7, ")}), "203.0.113.7");
  EXPECT_EQ(client({standard("for=1.2.3.4, by=_x;For=\"[2001:db8::1]:4711\";proto=https")}), "2001:db8::1");
  EXPECT_EQ(client({standard("for=1.2.3.4"), standard("host=\"a,b\";for=203.0.113.7")}), "203.0.113.7");
}

TEST(Forwarded, WhatStandsBeforeAnUntrustedHopIsInvented) {
  EXPECT_EQ(client({list("9.9.9.9, 1.2.3.4, 10.0.0.1, 10.1.2.3")}, {"10.0.0.0/8"}), "1.2.3.4");
  EXPECT_EQ(client({list("9.9.9.9, 10.0.0.1, 1.2.3.4")}, {"10.0.0.0/8"}), "1.2.3.4");
  EXPECT_EQ(client({list("10.0.0.1, 10.0.0.2")}, {"10.0.0.0/8"}), "10.0.0.1");
  EXPECT_EQ(client({list("9.9.9.9, 1.2.3.4"), list("2001:db8::5")}, {"2001:db8::/32"}), "1.2.3.4");
  EXPECT_EQ(client({standard("for=9.9.9.9, for=1.2.3.4, for=10.0.0.1")}, {"10.0.0.1"}), "1.2.3.4");
}

TEST(Forwarded, WhatIsNoAddressIsNobody) {
  for (const char* text :
       {"unknown", "_hidden", "1.2.3", "1.2.3.4.5", "localhost", "1.2.3.4 5", "<script>", "fe80::1%eth0"}) {
    EXPECT_EQ(client({list("1.2.3.4, " + std::string(text))}), "") << text;
    EXPECT_EQ(client({standard("for=1.2.3.4, for=" + std::string(text))}), "") << text;
  }
  EXPECT_EQ(client({list("9.9.9.9, unknown, 10.0.0.1")}, {"10.0.0.0/8"}), "");
  EXPECT_EQ(client({standard("for=1.2.3.4, proto=https")}), "");
}

// A quote that a client opens does not make what the proxy adds a part of what the client says.
TEST(Forwarded, AnOpenQuoteSaysNothing) {
  EXPECT_EQ(client({standard("for=9.9.9.9;x=\", for=1.2.3.4")}), "");
  EXPECT_EQ(client({standard("for=9.9.9.9;x=\"\\, for=\"[2001:db8::1]\"")}), "");
  EXPECT_EQ(client({standard("for=9.9.9.9;x=\""), standard("for=1.2.3.4")}), "1.2.3.4");
}

TEST(Forwarded, TwoFieldsMustAgree) {
  EXPECT_EQ(client({list("1.2.3.4"), standard("for=9.9.9.9")}), "");
  EXPECT_EQ(client({list("unknown"), standard("for=9.9.9.9")}), "");
  EXPECT_EQ(client({list("8.8.8.8, 1.2.3.4"), standard("for=9.9.9.9, for=\"1.2.3.4:80\"")}), "1.2.3.4");
}

TEST(Forwarded, TooManyHopsAreNobody) {
  std::string hops = "1.2.3.4";
  for (int i = 0; i < 15; ++i) hops += ", 10.0.0.1";
  EXPECT_EQ(client({list(hops)}, {"10.0.0.0/8"}), "1.2.3.4");
  EXPECT_EQ(client({list(hops + ", 10.0.0.1")}, {"10.0.0.0/8"}), "");
}

TEST(TrustedProxies, AreAddressesAndNetworks) {
  TrustedProxies trusted;
  EXPECT_FALSE(trusted.contains("10.0.0.1"));
  for (const char* network : {"10.0.0.0/8", "192.168.128.0/17", "203.0.113.7", "2001:db8::/33", "::1"}) {
    EXPECT_TRUE(trusted.add(network)) << network;
  }
  for (const char* in : {"10.255.0.1", "192.168.255.1", "203.0.113.7", "2001:db8:7fff::1", "::1"}) {
    EXPECT_TRUE(trusted.contains(in)) << in;
  }
  for (const char* out : {"11.0.0.1", "192.168.127.1", "203.0.113.8", "2001:db8:8000::1", "::2", "", "localhost"}) {
    EXPECT_FALSE(trusted.contains(out)) << out;
  }
  for (const char* wrong : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "::/129", "localhost",
                            "10.0.0.1:80", "[::1]", "10.0.0"}) {
    EXPECT_FALSE(trusted.add(wrong)) << wrong;
  }
  TrustedProxies all;
  EXPECT_TRUE(all.add("0.0.0.0/0"));
  EXPECT_TRUE(all.contains("8.8.8.8"));
  EXPECT_FALSE(all.contains("2001:db8::1"));
}

}  // namespace
}  // namespace mcptrace::http
