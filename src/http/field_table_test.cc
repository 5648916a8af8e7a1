#include "http/field_table.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace mcptrace::http {
namespace {

// In the order of the enumerators.
constexpr std::array<std::string_view, static_cast<std::size_t>(FieldName::kCount)> kNames = {
    "",
    "Connection",
    "Content-Length",
    "Expect",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Host",
    "Origin",
    "User-Agent",
    "Authorization",
    "Content-Type",
    "Content-Encoding",
    "Content-Digest",
    "Content-MD5",
    "Digest",
    "Repr-Digest",
    "Signature",
    "Signature-Input",
    "Forwarded",
    "X-Forwarded-For",
    "WWW-Authenticate",
    "Location",
    "Content-Location",
    "Refresh",
    "Link",
    "Last-Event-ID",
    "Mcp-Method",
    "Mcp-Name",
    "MCP-Protocol-Version",
    "Mcp-Session-Id",
    "traceparent",
    "tracestate",
    "baggage",
};

TEST(FieldTable, KnowsEveryNameInAnyCase) {
  for (std::size_t i = 1; i < kNames.size(); ++i) {
    std::string name(kNames[i]);
    EXPECT_EQ(static_cast<std::size_t>(field_name(name)), i) << name;
    for (char& c : name) c = static_cast<char>(std::tolower(c));
    EXPECT_EQ(static_cast<std::size_t>(field_name(name)), i) << name;
    for (char& c : name) c = static_cast<char>(std::toupper(c));
    EXPECT_EQ(static_cast<std::size_t>(field_name(name)), i) << name;
  }
}

TEST(FieldTable, KnowsNothingElse) {
  // Every name with one letter of it changed, left out or doubled.
  for (std::size_t i = 1; i < kNames.size(); ++i) {
    const std::string name(kNames[i]);
    for (std::size_t at = 0; at < name.size(); ++at) {
      for (const char other : {'q', '_', '7', '~'}) {
        std::string changed = name;
        changed[at] = other;
        EXPECT_EQ(field_name(changed), FieldName::kOther) << changed;
      }
      EXPECT_EQ(field_name(std::string(name).erase(at, 1)), FieldName::kOther) << name;
      EXPECT_EQ(field_name(std::string(name).insert(at, 1, name[at])), FieldName::kOther) << name;
    }
  }
  for (const std::string_view name : {"", "x", "Mcp-Param-x", "Content-Lengthx", "Transfer-Encodin"}) {
    EXPECT_EQ(field_name(name), FieldName::kOther) << name;
  }
  EXPECT_EQ(field_name(std::string(100, 'a')), FieldName::kOther);
}

TEST(FieldTable, TellsHopByHopFields) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    EXPECT_EQ(is_hop_by_hop(static_cast<FieldName>(i)), i >= 1 && i <= 11) << kNames[i];
  }
}

}  // namespace
}  // namespace mcptrace::http
