#include "json/utf8_check.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "base/utf8.h"

namespace mcptrace::json {
namespace {

bool check(std::string_view text, std::size_t step) {
  Utf8Check check;
  bool valid = true;
  for (std::size_t at = 0; at < text.size(); at += step) valid &= check.feed(text.substr(at, step));
  return valid && !check.inside();
}

void expect_as_text_says(std::string_view text) {
  const bool wanted = is_utf8(text);
  for (const std::size_t step : {1u, 2u, 3u, 5u, 64u})
    ASSERT_EQ(check(text, step), wanted) << testing::PrintToString(text);
}

// All sequences of up to four bytes that differ in what decides: the edges of each range.
TEST(Utf8Check, EveryEdge) {
  const std::string edges(
      "\x00\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc1\xc2\xdf\xe0\xe1\xec\xed\xee\xef\xf0\xf1\xf3\xf4\xf5\xff", 24);
  for (const char a : edges) {
    for (const char b : edges) {
      for (const char c : edges) {
        for (const char d : edges) expect_as_text_says(std::string{a, b, c, d} + "plain, to be read by words");
        expect_as_text_says(std::string{a, b, c});
      }
      expect_as_text_says(std::string{a, b});
    }
  }
}

TEST(Utf8Check, AFaultAnywhereInALongTextIsFound) {
  std::mt19937 random(1);
  const std::string_view parts[] = {
      "plain text of some length; ", "ä", "汉字", "🙂", "a", "\xff", "\xe6\xb1", "\xed\xa0\x80"};
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    const std::size_t kinds = round % 2 == 0 ? 5 : std::size(parts);
    for (std::size_t i = random() % 20; i != 0; --i) text += parts[random() % kinds];
    expect_as_text_says(text);
  }
}

TEST(Utf8Check, GoesOnBehindAFault) {
  Utf8Check check;
  EXPECT_FALSE(
      check.feed("a\xff"
                 "b"));
  EXPECT_TRUE(check.feed("ä"));
  EXPECT_TRUE(check.feed("\xe6"));
  EXPECT_TRUE(check.inside());
  EXPECT_FALSE(check.feed("x"));
  EXPECT_FALSE(check.inside());
}

}  // namespace
}  // namespace mcptrace::json
