#include "trace/gate.h"

#include <gtest/gtest.h>

#include "base/utf8.h"

namespace mcptrace::trace {
namespace {

constexpr std::uint64_t kPrint = 0xdeadbeef01234567;

struct NameFacts {
  bool cut = false;
  bool declared = false;
};

std::string name(std::string_view text, NameFacts facts = {}) {
  std::string out = "left over";
  return std::string(gate_name(text, facts.cut, facts.declared, kPrint, out));
}

std::string declared(std::string_view text) { return name(text, {.declared = true}); }

TEST(Gate, NameOfTheFormIsKept) {
  EXPECT_EQ(name("weather.get_forecast-v2/daily"), "weather.get_forecast-v2/daily");
  EXPECT_EQ(name("A"), "A");
  EXPECT_EQ(name(std::string(128, 'x')), std::string(128, 'x'));
  EXPECT_EQ(declared("../../etc/passwd"), "../../etc/passwd");
}

TEST(Gate, OtherNamesAreAFingerprint) {
  for (const std::string& text :
       {std::string(), std::string("two words"), std::string("a\nb"), std::string("a\0b", 3),
        std::string("\x1b[31mred"), std::string("${jndi}"), std::string("<script>"), std::string("na\xc3\xafve"),
        std::string("\xff\xfe"), std::string(129, 'x'), std::string("'; DROP TABLE spans; --"), std::string("%s%n")}) {
    EXPECT_EQ(name(text), "_OTHER#deadbeef") << text;
  }
  EXPECT_EQ(name("cut", {.cut = true}), "_OTHER#deadbeef");
}

TEST(Gate, DeclaredNameIsCleaned) {
  EXPECT_EQ(declared("two words"), "two words");
  EXPECT_EQ(declared("Wetter für Köln"), "Wetter für Köln");
  EXPECT_EQ(declared("a\nb\tc\x7f\x1b[0m"), "abc[0m");
  EXPECT_EQ(declared(std::string_view("a \0b", 4)), "a b");
  EXPECT_EQ(declared("a\xff\xc0\xaf"), "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(declared("half a character \xe2\x82"), clean_utf8("half a character \xe2\x82", 128));
  EXPECT_EQ(name("a long name", {.cut = true, .declared = true}), "a long name");
}

TEST(Gate, InvisibleCharactersAreStripped) {
  for (const char* invisible :
       {"\u0080",     "\u009f",     "\u00ad",     "\u061c", "\u180e",     "\u200b", "\u200f", "\u2028",
        "\u2029",     "\u202a",     "\u202e",     "\u2060", "\u2066",     "\u2069", "\ufeff", "\ufff9",
        "\U000e0041", "\U000e007f", "\u034f",     "\u115f", "\u17b4",     "\u180b", "\u3164", "\ufe0f",
        "\uffa0",     "\U0001d173", "\U000e0100", "\ue000", "\U0010fffd", "\u0378", "\ufdd0"}) {
    EXPECT_EQ(declared(std::string("x ") + invisible + "y"), "x y");
    EXPECT_EQ(declared(invisible), "_OTHER#deadbeef");
  }
  for (const char* visible :
       {"\u00a0", "\u00ae", "\u200a", "\u2010", "\u2027", "\u202f", "\u2070", "\ufffd", "\U0001f980"}) {
    EXPECT_EQ(declared(visible), visible);
  }
}

// A name that only looks like a tool's is not that tool.
TEST(Gate, ALookAlikeHasAFingerprint) {
  EXPECT_EQ(declared("get-sum"), "get-sum");
  for (const std::string& text :
       {std::string("get\u200b-sum"), std::string("get-sum\u2060"), std::string("get-sum\U000e0041"),
        std::string("get-\0sum", 8), std::string("get-sum\n")}) {
    EXPECT_EQ(declared(text), "get-sum#deadbeef");
  }
  EXPECT_EQ(declared("⚙\ufe0f"), "⚙");
}

TEST(Gate, DeclaredNameIsCutBetweenCharacters) {
  const std::string euro = "\xe2\x82\xac";
  std::string long_name;
  for (int i = 0; i < 50; ++i) long_name += euro;
  EXPECT_EQ(declared(long_name), long_name.substr(0, 126));
  EXPECT_EQ(declared(std::string(127, ' ') + euro), std::string(127, ' '));
  EXPECT_EQ(declared(std::string(125, ' ') + euro), std::string(125, ' ') + euro);
  EXPECT_EQ(declared(std::string(1000, '\xff')).size(), 126u);
}

TEST(Gate, EveryTwoBytesGiveValidUtf8) {
  for (int i = 0; i < 0x10000; ++i) {
    const std::string text = {' ', static_cast<char>(i >> 8), static_cast<char>(i)};
    ASSERT_TRUE(is_utf8(declared(text))) << i;
  }
}

TEST(Gate, Peer) {
  std::string out;
  gate_peer("Claude Code (beta) 1.0~", kPrint, out);
  EXPECT_EQ(out, "Claude Code (beta) 1.0~");
  gate_peer(std::string(64, 'x'), kPrint, out);
  EXPECT_EQ(out, std::string(64, 'x'));
  gate_peer("", kPrint, out);
  EXPECT_EQ(out, "");
}

std::string times(int count, const std::string& text) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

TEST(Gate, PeersAreNamedInAnyScript) {
  std::string out;
  for (const std::string& text :
       {std::string("café"), std::string("Клод Код"), std::string("クロード 1.0"), std::string("कोड"),
        std::string("cafe\u0301"), std::string("Ⅳ ²"), times(64, "é"), times(64, "🦀"), std::string("\ufffd")}) {
    gate_peer(text, kPrint, out);
    EXPECT_EQ(out, text);
  }
  for (const std::string& text : {std::string(65, 'x'),
                                  times(65, "é"),
                                  times(65, "🦀"),
                                  std::string("tab\t"),
                                  std::string("\x7f"),
                                  std::string("a\0b", 3),
                                  std::string("\xff"),
                                  std::string("cut \xe2\x82"),
                                  std::string("\xed\xa0\x80"),
                                  std::string("a\u00a0b"),
                                  std::string("a\u3000b"),
                                  std::string("a\u0085b"),
                                  std::string("a\u200bb"),
                                  std::string("a\u202eb"),
                                  std::string("a\u2028b"),
                                  std::string("a\ufe0fb"),
                                  std::string("a\u3164b"),
                                  std::string("a\U000e0041b"),
                                  std::string("\ue000"),
                                  std::string("\u0378"),
                                  std::string("\ufffe")}) {
    gate_peer(text, kPrint, out);
    EXPECT_EQ(out, "#deadbeef") << text;
  }
}

TEST(Gate, RequestId) {
  std::string out;
  const auto id = [&out](std::string_view text, bool integer) {
    return std::string(gate_request_id(text, integer, kPrint, out));
  };
  EXPECT_EQ(id("0", true), "0");
  EXPECT_EQ(id("-9007199254740993", true), "-9007199254740993");
  EXPECT_EQ(id("req_1-A", false), "req_1-A");
  EXPECT_EQ(id(std::string(64, '7'), false), std::string(64, '7'));
  EXPECT_EQ(id(std::string(65, '7'), true), "#deadbeef");
  EXPECT_EQ(id("1e5", true), "#deadbeef");
  EXPECT_EQ(id("-", true), "#deadbeef");
  EXPECT_EQ(id("", true), "#deadbeef");
  EXPECT_EQ(id("", false), "#deadbeef");
  EXPECT_EQ(id("a b", false), "#deadbeef");
  EXPECT_EQ(id("user@example.org", false), "#deadbeef");
}

TEST(Gate, Version) {
  EXPECT_EQ(gate_version("2025-11-25"), "2025-11-25");
  EXPECT_EQ(gate_version("DRAFT-2026-v1"), "DRAFT-2026-v1");
  EXPECT_EQ(gate_version(""), "_OTHER");
  EXPECT_EQ(gate_version("2025 11 25"), "_OTHER");
  EXPECT_EQ(gate_version(std::string(33, '1')), "_OTHER");
}

}  // namespace
}  // namespace mcptrace::trace
