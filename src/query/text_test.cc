#include "query/text.h"

#include <gtest/gtest.h>

#include <chrono>

namespace mcptrace::query {
namespace {

using namespace std::chrono_literals;

const LocalOffset kUtc = [](Nanos) { return 0s; };

TEST(Display, LeavesOrdinaryTextAlone) {
  EXPECT_EQ(display("get-sum Größe 日本語 🙂 résumé"), "get-sum Größe 日本語 🙂 résumé");
}

TEST(Display, EscapesWhatSteersATerminal) {
  EXPECT_EQ(display("a\x1b]52;c;aGk=\x07z"), "a\\x1b]52;c;aGk=\\x07z");
  EXPECT_EQ(display(std::string_view("nul\0\r\n\t\x7f", 8)), "nul\\x00\\x0d\\x0a\\x09\\x7f");
  EXPECT_EQ(display("c1 \xc2\x9b"
                    "31m"),
            "c1 \\x9b31m");
}

TEST(Display, EscapesWhatDeceivesAReader) {
  EXPECT_EQ(display("a\u202egpj.exe"), "a\\u{202e}gpj.exe");
  EXPECT_EQ(display("a\u200b\u2028\u2029\ufeff\u2066"), "a\\u{200b}\\u{2028}\\u{2029}\\u{feff}\\u{2066}");
  EXPECT_EQ(display("\U000e0041\u0600\ufffe\u0378"), "\\u{e0041}\\u{600}\\u{fffe}\\u{378}");
}

TEST(Display, EscapesBytesThatAreNotUtf8) {
  EXPECT_EQ(display("\xff\xc0\xaf\xed\xa0\x80"), "\\xff\\xc0\\xaf\\xed\\xa0\\x80");
  EXPECT_EQ(display("cut \xe2\x82"), "cut \\xe2\\x82");
}

TEST(Display, KeepsFourCombiningMarksAndEscapesMore) {
  EXPECT_EQ(display("e\u0301"), "e\u0301");
  EXPECT_EQ(display("e\u0301\u0302\u0303\u0304\u0305"), "e\u0301\u0302\u0303\u0304\\u{305}");
  EXPECT_EQ(display("\u0301"), "\\u{301}");
}

TEST(Display, EveryByteAndEveryPairGivesPrintableText) {
  for (int a = 0; a < 256; ++a) {
    for (int b = 0; b < 256; ++b) {
      const char pair[] = {static_cast<char>(a), static_cast<char>(b)};
      for (const char c : display({pair, 2})) {
        ASSERT_FALSE(static_cast<unsigned char>(c) < 0x20 || c == 0x7f) << a << " " << b;
      }
    }
  }
}

TEST(DisplayJson, EscapesInsideStringsOnly) {
  EXPECT_EQ(display_json("{\"a\":\"\u202e\x7f\"}\n"), "{\"a\":\"\\u202e\\u007f\"}\n");
  EXPECT_EQ(display_json("\"\U000e0041\""), "\"\\udb40\\udc41\"");
}

TEST(Columns, CountsWideAndCombining) {
  EXPECT_EQ(columns("abc"), 3u);
  EXPECT_EQ(columns("日本"), 4u);
  EXPECT_EQ(columns("e\u0301"), 1u);
  EXPECT_EQ(columns("█▏"), 2u);
}

TEST(Cut, EndsWithinTheLimit) {
  EXPECT_EQ(cut("abcdef", 6), "abcdef");
  EXPECT_EQ(cut("abcdef", 5), "abcd…");
  EXPECT_EQ(cut("日本語", 5), "日本…");
  EXPECT_EQ(cut("日本語", 4), "日…");
  EXPECT_EQ(cut("abc", 0), "");
  EXPECT_EQ(pad("日本語", 4), "日… ");
  EXPECT_EQ(pad("7", 3, true), "  7");
}

TEST(Durations, ThreeDigitsThatCount) {
  EXPECT_EQ(format_duration(0ns), "0 s");
  EXPECT_EQ(format_duration(1ns), "0 s");
  EXPECT_EQ(format_duration(-5s), "0 s");
  EXPECT_EQ(format_duration(850ns), "0.85 µs");
  EXPECT_EQ(format_duration(12'340ns), "12.3 µs");
  EXPECT_EQ(format_duration(999'499ns), "999 µs");
  EXPECT_EQ(format_duration(999'500ns), "1.00 ms");
  EXPECT_EQ(format_duration(1234us), "1.23 ms");
  EXPECT_EQ(format_duration(59'949ms), "59.9 s");
  EXPECT_EQ(format_duration(59'950ms), "1m 00s");
  EXPECT_EQ(format_duration(125s), "2m 05s");
  EXPECT_EQ(format_duration(3599'500ms), "1h 00m");
  EXPECT_EQ(format_duration(62min), "1h 02m");
  EXPECT_EQ(format_duration(76h), "3d 04h");
  EXPECT_EQ(format_duration(Nanos::max()), "106751d 23h");
}

TEST(Bytes, Decimal) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1234), "1.2 kB");
  EXPECT_EQ(format_bytes(999'950'000), "1.0 GB");
  EXPECT_EQ(format_bytes(~0ull), "18.4 EB");
}

TEST(Times, LocalAndUtc) {
  const Nanos at = 1'700'000'000s + 123'456'789ns;
  EXPECT_EQ(format_utc(at), "2023-11-14T22:13:20.123456789Z");
  EXPECT_EQ(format_clock(at, kUtc), "22:13:20.123");
  EXPECT_EQ(format_local(at, [](Nanos) { return std::chrono::seconds(-3600); }), "2023-11-14 21:13:20");
  EXPECT_EQ(format_utc(Nanos::min()), "1677-09-21T00:12:43.145224192Z");
  EXPECT_EQ(format_utc(Nanos::max()), "2262-04-11T23:47:16.854775807Z");
}

TEST(Times, Ago) {
  const Nanos now = 1'700'000'000s;
  EXPECT_EQ(format_ago(now - 5s, now, kUtc), "5s ago");
  EXPECT_EQ(format_ago(now + 400ms, now, kUtc), "0s ago");
  EXPECT_EQ(format_ago(now - 90s, now, kUtc), "1m ago");
  EXPECT_EQ(format_ago(now - 23h, now, kUtc), "23h ago");
  EXPECT_EQ(format_ago(now - 24h, now, kUtc), "11-13 22:13");
  EXPECT_EQ(format_ago(now - 24h * 400, now, kUtc), "2022-10-10");
  EXPECT_EQ(format_ago(now + 1h, now, kUtc), "11-14 23:13");
  EXPECT_EQ(format_ago(Nanos::min(), Nanos::max(), kUtc), "1677-09-21");
}

}  // namespace
}  // namespace mcptrace::query
