#include "mcp/string_decoder.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "json/text.h"
#include "mcp/long_hash.h"
#include "mcp/recording_test_support.h"

namespace mcptrace::mcp {
namespace {

std::string decode(std::string_view raw, std::size_t chunk) {
  std::string out;
  const auto keep = [&](std::string_view piece) { out += piece; };
  StringDecoder decoder;
  for (std::size_t at = 0; at < raw.size(); at += chunk) decoder.feed(raw.substr(at, chunk), keep);
  decoder.finish(keep);
  return out;
}

struct Case {
  std::string_view raw, decoded;
};
constexpr Case kCases[] = {
    {"", ""},
    {"plain", "plain"},
    {R"(a\"b\\c\/d\b\f\n\r\t)", "a\"b\\c/d\b\f\n\r\t"},
    {R"(\u0041\u00e9\u20AC)", "A\xc3\xa9\xe2\x82\xac"},
    {R"(\ud83d\ude00!)", "\xf0\x9f\x98\x80!"},
    {R"(\ud83d)", "\xef\xbf\xbd"},
    {R"(\ude00x)", "\xef\xbf\xbdx"},
    {R"(\ud83d\u0041)", "\xef\xbf\xbd\x41"},
    {R"(\ud83d\ud83d\ude00)", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
    {R"(\ud83d\n)", "\xef\xbf\xbd\n"},
    {R"(\ud83dx)", "\xef\xbf\xbdx"},
    {"\xff\xc3", "\xff\xc3"},
};

TEST(StringDecoder, DecodesAsTheWholeStringDoes) {
  for (const Case& c : kCases) {
    for (std::size_t chunk = 1; chunk <= 13; ++chunk)
      EXPECT_EQ(decode(c.raw, chunk), c.decoded) << c.raw << " by " << chunk;
    EXPECT_EQ(json::decode_string(c.raw), c.decoded) << c.raw;
  }
  EXPECT_EQ(decode(std::string_view(R"(\u0000)"), 3), std::string(1, '\0'));
}

TEST(StringDecoder, CuttingNeverMattersWhateverComes) {
  std::mt19937 random(7);
  constexpr std::string_view kAlphabet = "\\\\\\uuddDD8cC0aZ\"n\xc3\xa9";
  for (int round = 0; round < 3000; ++round) {
    std::string raw;
    for (std::size_t i = random() % 40; i > 0; --i) raw += kAlphabet[random() % kAlphabet.size()];
    const std::string whole = decode(raw, raw.size() + 1);
    for (std::size_t chunk = 1; chunk < 8; ++chunk) ASSERT_EQ(decode(raw, chunk), whole) << raw;
  }
}

TEST(LongHash, CuttingNeverMatters) {
  std::string text;
  for (int i = 0; i < 200000; ++i) text += static_cast<char>(i * 7);
  const std::uint64_t whole = print_of("d", text);
  for (const std::size_t chunk : {1u, 3u, 1000u, 65536u, 65537u}) {
    LongHash hash(test_key(), "d");
    for (std::size_t at = 0; at < text.size(); at += chunk) hash.update(std::string_view(text).substr(at, chunk));
    EXPECT_EQ(hash.finish(), whole) << chunk;
  }
}

TEST(LongHash, EveryByteAndTheLengthCount) {
  const std::string text(150000, 'x');
  const std::uint64_t whole = print_of("d", text);
  for (const std::size_t at : {0u, 65535u, 65536u, 100001u, 149999u}) {
    std::string other = text;
    other[at] = 'y';
    EXPECT_NE(print_of("d", other), whole) << at;
  }
  EXPECT_NE(print_of("d", text + std::string(1, '\0')), whole);
  EXPECT_NE(print_of("d", text + std::string(8, '\0')), whole);
  EXPECT_NE(print_of("e", text), whole);
}

TEST(LongHash, OfAShortTextIsThePlainKeyedHash) {
  KeyedHash plain(test_key(), "d");
  plain.update("text");
  EXPECT_EQ(print_of("d", "text"), plain.finish64());
}

}  // namespace
}  // namespace mcptrace::mcp
