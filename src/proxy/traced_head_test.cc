#include "proxy/traced_head.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace mcptrace::proxy {
namespace {

TEST(KeptHead, ItsCopyIsWiped) {
  const http::Field fields[] = {{http::FieldName::kAuthorization, "Authorization", "Bearer of-a-made-up-token"}};
  http::RequestHead head;
  head.fields = fields;
  KeptHead kept;
  kept.read(head, "/mcp", "127.0.0.1", {});
  const std::string_view text = kept.text().authorization;
  ASSERT_EQ(text, "Bearer of-a-made-up-token");
  const auto nothing = [&] { return std::all_of(text.begin(), text.end(), [](char c) { return c == '\0'; }); };
  EXPECT_FALSE(nothing());
  kept.wipe();  // so little memory is kept for the next one
  EXPECT_EQ(kept.text().authorization, "");
  EXPECT_TRUE(nothing());
}

// Believed of who the client is: what a proxy says that is trusted to.
TEST(KeptHead, TheClientIsWhoATrustedPeerForwardsFor) {
  const http::Field fields[] = {{http::FieldName::kXForwardedFor, "X-Forwarded-For", "9.9.9.9, 1.2.3.4, 10.0.0.2"}};
  http::RequestHead head;
  head.fields = fields;
  const auto client = [&](std::string_view peer, const TracingOptions& options) {
    KeptHead kept;
    kept.read(head, "/", peer, options);
    return std::string(kept.text().client) + (kept.text().forwarded ? " forwarded" : "");
  };
  TracingOptions options;
  EXPECT_EQ(client("10.0.0.1", options), "10.0.0.1");
  ASSERT_TRUE(options.trusted_proxies.add("10.0.0.0/8"));
  EXPECT_EQ(client("10.0.0.1", options), "1.2.3.4 forwarded");
  EXPECT_EQ(client("::ffff:10.0.0.1", options), "1.2.3.4 forwarded");
  EXPECT_EQ(client("11.0.0.1", options), "11.0.0.1");
  options.trust_proxy = true;
  EXPECT_EQ(client("11.0.0.1", options), "1.2.3.4 forwarded");
  options.trusted_proxies = {};
  EXPECT_EQ(client("11.0.0.1", options), "10.0.0.2 forwarded");
}

}  // namespace
}  // namespace mcptrace::proxy
