#include "json/text.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>
#include <string_view>

#include "base/utf8.h"

namespace mcptrace::json {
namespace {

using std::string_view_literals::operator""sv;

struct Decoding {
  std::string_view raw;
  std::string_view decoded;
};

TEST(DecodeString, DecodesEscapesAndReplacesWhatIsBad) {
  static constexpr Decoding kTable[] = {
      {"", ""},
      {"plain", "plain"},
      {R"(a\"b\\c\/d\b\f\n\r\te)", "a\"b\\c/d\b\f\n\r\te"},
      {R"(\u0041\u00e9\u20AC\uffff)", "A\u00e9\u20ac\uffff"},
      {R"(\u0000)", "\0"sv},
      {R"(\ud83d\ude00)", "\U0001f600"},
      {R"(\uD800\uDC00\uDBFF\uDFFF)", "\U00010000\U0010ffff"},
      {R"(\ud800)", "\ufffd"},
      {R"(\ud800x)", "\ufffdx"},
      {R"(\udc00)", "\ufffd"},
      {R"(\ud800\u0041)", "\ufffdA"},
      {R"(\ud800\ud83d\ude00)", "\ufffd\U0001f600"},
      {R"(\ud800\n)", "\ufffd\n"},
      {R"(\ud800\ude0)", "\ufffd\ufffdde0"},
      {R"(\u12)", "\ufffd12"},
      {R"(\u12g4)", "\ufffd12g4"},
      {R"(\u)", "\ufffd"},
      {R"(\x41)", "\ufffd41"},
      {"tail\\", "tail\ufffd"},
      {"\\\xe2\x82\xac", "\ufffd\xe2\x82\xac"},
      {"raw \xff\x01\n\0 bytes"sv, "raw \xff\x01\n\0 bytes"sv},
  };
  for (const auto& [raw, decoded] : kTable) EXPECT_EQ(decode_string(raw), decoded) << raw;
}

TEST(DecodeString, CutsBetweenCharacters) {
  static constexpr std::string_view kRaw = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z";
  static constexpr std::size_t kWhole[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
  char out[16];
  for (std::size_t limit = 0; limit < std::size(kWhole); ++limit) {
    EXPECT_EQ(std::string_view(out, decode_string(kRaw, out, limit)), kRaw.substr(0, kWhole[limit])) << limit;
  }
  static constexpr std::string_view kEscaped = R"(a\u00e9\u20ac\ud83d\ude00z)";
  for (std::size_t limit = 0; limit < std::size(kWhole); ++limit) {
    EXPECT_EQ(std::string_view(out, decode_string(kEscaped, out, limit)), kRaw.substr(0, kWhole[limit])) << limit;
  }
}

TEST(DecodeString, StaysWithinItsLimitOnAnyInput) {
  std::mt19937 random(3);
  for (int round = 0; round < 20000; ++round) {
    std::string raw(random() % 40, ' ');
    static constexpr std::string_view kBytes = "\\\\\\u0dD89cf\"n\xc3\xa9\xe2\x82\xf0\xff";
    for (char& byte : raw) byte = kBytes[random() % kBytes.size()];
    const std::size_t limit = random() % 24;
    std::string out(limit, '\0');
    const std::size_t size = decode_string(raw, out.data(), limit);
    ASSERT_LE(size, limit);
    const std::string whole = decode_string(raw);
    ASSERT_EQ(out.substr(0, size), whole.substr(0, size)) << raw;
    if (whole.size() <= limit) ASSERT_EQ(size, whole.size()) << raw;
    if (is_utf8(whole)) ASSERT_TRUE(is_utf8(out.substr(0, size))) << raw;
  }
}

TEST(ParseInteger, TakesWholeNumbersThatFit) {
  EXPECT_EQ(parse_integer("0"), 0);
  EXPECT_EQ(parse_integer("-0"), 0);
  EXPECT_EQ(parse_integer("-32601"), -32601);
  EXPECT_EQ(parse_integer("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(parse_integer("-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
  const std::string long_number(400, '9');
  for (const std::string_view raw :
       {""sv, "-"sv, "--1"sv, "+1"sv, "01"sv, "-01"sv, "1.0"sv, "1e0"sv, "1 "sv, " 1"sv, "0x1"sv, "nan"sv,
        "9223372036854775808"sv, "-9223372036854775809"sv, "1\0"sv, std::string_view(long_number)}) {
    EXPECT_EQ(parse_integer(raw), std::nullopt) << raw;
  }
}

TEST(AppendQuoted, EscapesWhatMustBe) {
  std::string out = "=";
  append_quoted(out, "a\"\\/\b\f\n\r\t\x01\x1f\x7f\0\u00e9\U0001f600\xff\xe2\x82z\xed\xa0\x80"sv);
  EXPECT_EQ(out,
            "=\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\\u0000\u00e9\U0001f600\ufffd\ufffdz\ufffd\ufffd\ufffd\"");
  out.clear();
  append_quoted(out, "");
  EXPECT_EQ(out, "\"\"");
}

TEST(AppendQuoted, DecodesToWhatItWas) {
  std::mt19937 random(4);
  for (int round = 0; round < 5000; ++round) {
    std::string text(random() % 40, ' ');
    for (char& byte : text) byte = static_cast<char>(random());
    std::string quoted;
    append_quoted(quoted, text);
    ASSERT_GE(quoted.size(), 2u);
    ASSERT_EQ(decode_string(std::string_view(quoted).substr(1, quoted.size() - 2)), clean_utf8(text, 1000));
  }
}

}  // namespace
}  // namespace mcptrace::json
