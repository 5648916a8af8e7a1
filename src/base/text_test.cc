#include "base/text.h"

#include <gtest/gtest.h>

namespace mcptrace {
namespace {

TEST(Text, BlanksAroundAValueAreNoPartOfIt) {
  EXPECT_EQ(trim(" \t a b\t "), "a b");
  EXPECT_EQ(trim_end(" a \r"), " a \r");
  EXPECT_EQ(trim(" \t"), "");
}

TEST(Text, OnlyAsciiLettersHaveTwoCases) {
  EXPECT_TRUE(same_text("Content-Type", "cONTENT-tYPE"));
  EXPECT_FALSE(same_text("a", "ab"));
  EXPECT_FALSE(same_text("@[", "`{"));
  EXPECT_FALSE(same_text("\xc3\x84", "\xc3\xa4"));
}

TEST(Text, HexadecimalDigitsAreOfEitherCase) {
  std::string digits;
  for (int c = -128; c < 128; ++c) {
    if (hex_value(static_cast<char>(c)) >= 0) digits += static_cast<char>(c);
  }
  EXPECT_EQ(digits, "0123456789ABCDEFabcdef");
  EXPECT_EQ(hex_value('b'), 11);
  EXPECT_EQ(hex_value('F'), 15);
}

TEST(Text, ListsAreTakenApartUntilNothingIsLeft) {
  std::string_view list = "a,,b c";
  EXPECT_EQ(take_until(list, ','), "a");
  EXPECT_EQ(take_until(list, ','), "");
  EXPECT_EQ(take_until(list, ','), "b c");
  EXPECT_EQ(list, "");
  EXPECT_EQ(take_until(list, ','), "");
}

TEST(Text, NumbersAreAllOfTheirText) {
  EXPECT_EQ(parse_number<std::uint16_t>("65535"), 65535);
  EXPECT_EQ(parse_number<int>("-7"), -7);
  EXPECT_EQ(parse_number<std::uint64_t>("fF", 16), 255u);
  for (const char* bad : {"", "-1", "+1", " 1", "1 ", "0x1", "65536"}) EXPECT_FALSE(parse_number<std::uint16_t>(bad));
}

TEST(Text, HowATextBegins) {
  EXPECT_TRUE(starts_with_text("Content-Type", "content-"));
  EXPECT_FALSE(starts_with_text("content", "content-"));
}

TEST(Text, Base64) {
  EXPECT_EQ(base64("") + base64("f") + base64("fo") + base64("foo"), "Zg==Zm8=Zm9v");
  EXPECT_EQ(base64("\xfb\xef"), "++8=");
  for (const std::string_view bytes : {"", "f", "fo", "foo", "\xfb\xef"})
    EXPECT_EQ(base64_decode(base64(bytes)), bytes);
  for (const std::string_view text : {"Zg", "Zg=", "Z", "Zm8=x", "Z g==", "_-8="})
    EXPECT_FALSE(base64_decode(text)) << text;
}

TEST(Text, PercentSignsHaveTwoDigitsBehindThem) {
  EXPECT_EQ(percent_decode("a%20b%2f%2F%00"), std::string("a b//\0", 6));
  for (const char* bad : {"%", "%2", "a%2", "%zz", "%2z", "%-1"}) EXPECT_FALSE(percent_decode(bad)) << bad;
}

}  // namespace
}  // namespace mcptrace
