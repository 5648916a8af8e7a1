#include "base/utf8.h"

#include <gtest/gtest.h>

#include <utility>

namespace mcptrace {
namespace {

using namespace std::string_view_literals;

TEST(Utf8, KnowsGoodFromBad) {
  for (const std::string_view good :
       {""sv, "ascii only, and more than eight"sv, "\0"sv, "\xc2\x80"sv, "\xdf\xbf"sv, "\xe0\xa0\x80"sv,
        "\xed\x9f\xbf"sv, "\xee\x80\x80"sv, "\xef\xbf\xbf"sv, "\xf0\x90\x80\x80"sv, "\xf4\x8f\xbf\xbf"sv}) {
    EXPECT_TRUE(is_utf8(good)) << good;
    EXPECT_EQ(clean_utf8(good, 100), good);
  }
  static constexpr std::pair<std::string_view, std::string_view> kBad[] = {
      {"\x80", "\ufffd"},
      {"\xc0\xaf", "\ufffd\ufffd"},
      {"\xc1\xbf", "\ufffd\ufffd"},
      {"\xc3", "\ufffd"},
      {"\xc3(", "\ufffd("},
      {"\xe0\x9f\xbf", "\ufffd\ufffd\ufffd"},
      {"\xed\xa0\x80", "\ufffd\ufffd\ufffd"},
      {"\xe2\x82", "\ufffd"},
      {"\xe2\x82\xe2\x82\xac", "\ufffd\u20ac"},
      {"\xf0\x8f\xbf\xbf", "\ufffd\ufffd\ufffd\ufffd"},
      {"\xf0\x9f\x98", "\ufffd"},
      {"\xf4\x90\x80\x80", "\ufffd\ufffd\ufffd\ufffd"},
      {"\xf5\x80\x80\x80", "\ufffd\ufffd\ufffd\ufffd"},
      {"\xff\xfe", "\ufffd\ufffd"},
      {"good, long enough, then bad\xff", "good, long enough, then bad\ufffd"},
  };
  for (const auto& [bad, clean] : kBad) {
    EXPECT_FALSE(is_utf8(bad)) << bad;
    EXPECT_EQ(clean_utf8(bad, 100), clean) << bad;
  }
}

TEST(Utf8, CleansToAtMostItsLimit) {
  EXPECT_EQ(clean_utf8("abc", 2), "ab");
  EXPECT_EQ(clean_utf8("abc", 0), "");
  EXPECT_EQ(clean_utf8("a\u20ac", 3), "a");
  EXPECT_EQ(clean_utf8("a\u20ac", 4), "a\u20ac");
  EXPECT_EQ(clean_utf8("\xff", 2), "");
  EXPECT_EQ(clean_utf8("\xff", 3), "\ufffd");
}

TEST(Utf8, ACodePointAndItsBytes) {
  for (const auto& [code, bytes] : {std::pair{U'\0', "\0"sv},
                                    {U'\x7f', "\x7f"sv},
                                    {U'\u0080', "\u0080"sv},
                                    {U'\u07ff', "\u07ff"sv},
                                    {U'\u0800', "\u0800"sv},
                                    {U'\uffff', "\uffff"sv},
                                    {U'\U00010000', "\U00010000"sv},
                                    {U'\U0010ffff', "\U0010ffff"sv}}) {
    char out[4];
    EXPECT_EQ(std::string_view(out, encode_utf8(code, out)), bytes);
    const Character read = first_character(bytes);
    EXPECT_TRUE(read.good && read.code == code && read.size == bytes.size()) << bytes;
  }
}

TEST(Utf8, WhatPeopleSee) {
  for (const char32_t hidden : {U'\0', U'\x7f', U'\u200d', U'\u2028', U'\ufe0f', U'\U000e0041', U'\u3164'}) {
    EXPECT_FALSE(is_visible(hidden)) << std::uint32_t{hidden};
  }
  for (const char32_t seen : {U' ', U'a', U'\u0301', U'\u65e5', U'\U0001f642'}) EXPECT_TRUE(is_visible(seen));
  EXPECT_TRUE(is_space(U' ') && is_space(U'\u3000') && !is_space(U'\n') && !is_space(U'a'));
  EXPECT_TRUE(is_mark(U'\u0301') && is_mark(U'\u20dd') && !is_mark(U'a'));
  // Of the marks those that stand beside their character take a place of their own.
  EXPECT_FALSE(is_mark(U'\u0903'));
  EXPECT_EQ(columns_of(U'\u0903'), 1u);
  EXPECT_EQ(columns_of(U'a') + columns_of(U'\u2588') + columns_of(U'\u0301'), 2u);
  EXPECT_EQ(columns_of(U'\u65e5') + columns_of(U'\U0001f642'), 4u);
}

}  // namespace
}  // namespace mcptrace
