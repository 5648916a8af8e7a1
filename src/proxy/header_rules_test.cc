#include "proxy/header_rules.h"

#include <gtest/gtest.h>

#include "mcp/message_scanner.h"

namespace mcptrace::proxy {
namespace {

using mcp::Finding;

constexpr mcp::Findings kNone = 0;
constexpr mcp::Findings kMismatch = finding_bit(Finding::kHeaderMismatch);
constexpr mcp::Findings kMissing = finding_bit(Finding::kMissingHeader);
constexpr mcp::Findings kRepeated = finding_bit(Finding::kRepeatedHeader);

class HeaderRules : public testing::Test {
 protected:
  mcp::Findings find(HeadText head, std::string_view method, std::string_view params,
                     std::string_view version = "2026-07-28") {
    head.modern = is_modern_version(head.version);
    const std::string text = std::string(R"({"jsonrpc":"2.0","id":1,"method":")")
                                 .append(method)
                                 .append(R"(","params":{)")
                                 .append(params)
                                 .append(params.empty() ? "" : ",")
                                 .append(R"("_meta":{"io.modelcontextprotocol/protocolVersion":")")
                                 .append(version)
                                 .append(R"("}}})");
    mcp::MessageScanner scanner(mcp::Direction::kClientToServer, key_);
    scanner.feed(text);
    scanner.end_line(text.size());
    const mcp::Findings findings = header_findings(head, *scanner.next()->message, key_);
    EXPECT_EQ(scanner.next(), nullptr);
    return findings;
  }

 private:
  HashKey key_{{1, 2, 3}};
};

HeadText head(std::string_view version, std::string_view method, std::string_view name = {}) {
  HeadText text;
  text.version = version;
  text.method = method;
  text.name = name;
  return text;
}

constexpr std::string_view kModern = "2026-07-28";

TEST_F(HeaderRules, TheyRepeatWhatTheBodySays) {
  EXPECT_EQ(find(head(kModern, "tools/list"), "tools/list", ""), kNone);
  EXPECT_EQ(find(head(kModern, "tools/list"), "tools/call", R"("name":"a")"), kMismatch | kMissing);
  EXPECT_EQ(find(head("2027-01-01", "tools/list"), "tools/list", ""), kMismatch);
  EXPECT_EQ(find(head(kModern, ""), "tools/list", ""), kMissing);
  EXPECT_EQ(find(head(kModern, "vendor/thing"), "vendor/thing", ""), kNone);
  EXPECT_EQ(find(head(kModern, "vendor/Thing"), "vendor/thing", ""), kMismatch);
}

TEST_F(HeaderRules, WhatANameIsDependsOnTheMethod) {
  for (const auto& [method, params] :
       {std::pair("tools/call", R"("name":"x-1")"), std::pair("prompts/get", R"("name":"x-1")"),
        std::pair("resources/read", R"("uri":"x-1")"), std::pair("tasks/get", R"("taskId":"x-1")")}) {
    EXPECT_EQ(find(head(kModern, method, "x-1"), method, params), kNone) << method;
    EXPECT_EQ(find(head(kModern, method, "=?base64?eC0x?="), method, params), kNone) << method;
    EXPECT_EQ(find(head(kModern, method, "x-2"), method, params), kMismatch) << method;
    EXPECT_EQ(find(head(kModern, method), method, params), kMissing) << method;
  }
  EXPECT_EQ(find(head(kModern, "tools/call", "=?base64?4pyT?="), "tools/call", R"("name":"\u2713")"), kNone);
  EXPECT_EQ(find(head(kModern, "tools/call", "=?base64?not base64?="), "tools/call", R"("name":"a")"), kMismatch);
  EXPECT_EQ(find(head(kModern, "tools/call", "=?base64?="), "tools/call", R"("name":"a")"), kMismatch);
  EXPECT_EQ(find(head(kModern, "resources/list", "left over"), "resources/list", ""), kNone);
}

TEST_F(HeaderRules, OfALongNameTheBeginningIsCompared) {
  const std::string name(1000, 'n'), body = R"("name":")" + name + "\"";
  EXPECT_EQ(find(head(kModern, "tools/call", name), "tools/call", body), kNone);
  EXPECT_EQ(find(head(kModern, "tools/call", "other"), "tools/call", body), kMismatch);
}

TEST_F(HeaderRules, EachIsThereOnce) {
  HeadText twice = head(kModern, "tools/list");
  twice.repeats = true;
  EXPECT_EQ(find(twice, "tools/list", ""), kRepeated);
  twice.version = "2025-11-25";
  EXPECT_EQ(find(twice, "tools/list", "", "2025-11-25"), kNone);
}

TEST_F(HeaderRules, OlderVersionsHaveNone) {
  EXPECT_EQ(find(head("2025-11-25", ""), "tools/call", R"("name":"a")", "2025-11-25"), kNone);
  EXPECT_EQ(find(head("", ""), "tools/call", R"("name":"a")", "2025-11-25"), kNone);
  EXPECT_EQ(find(head("", ""), "tools/call", R"("name":"a")"), kMissing);
}

}  // namespace
}  // namespace mcptrace::proxy
