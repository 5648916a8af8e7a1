#include "json/scanner.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "json/scanner_model.h"

namespace mcptrace::json {
namespace {

using std::string_view_literals::operator""sv;

Report scan(std::string_view input, Policy policy = Policy::kEverything, std::size_t piece = 1 << 20) {
  return scan_report(best_kernel(), input, policy, [piece] { return piece; });
}

Shape shape_of(std::string_view input, Policy policy = Policy::kEverything) { return scan(input, policy).shape; }

TEST(Scanner, ReportsKeysKindsTextsAndOffsets) {
  const Report report = scan(R"( {"id":7,"a\"b": [true,"x\\\"", null], "o":{}, "n":-1.5e3 } )", Policy::kEverything, 3);
  EXPECT_EQ(to_string(report),
            "value kind=0 @1\n"
            "value kind=3 @7 <id>\n"
            "text kind=7 @0 <7>\n"
            "end kind=3 @8\n"
            "value kind=1 @17 escaped <a\\\"b>\n"
            "value kind=4 @18\n"
            "text kind=7 @0 <true>\n"
            "end kind=4 @22\n"
            "value kind=2 @23\n"
            "text kind=7 @0 <x\\\\\\\">\n"
            "end kind=2 @30\n"
            "value kind=6 @32\n"
            "text kind=7 @0 <null>\n"
            "end kind=6 @36\n"
            "end kind=1 @37\n"
            "value kind=0 @43 <o>\n"
            "end kind=0 @45\n"
            "value kind=3 @51 <n>\n"
            "text kind=7 @0 <-1.5e3>\n"
            "end kind=3 @57\n"
            "end kind=0 @59\n"
            "shape=1\n");
}

TEST(Scanner, PassesOverWhatIsNotEntered) {
  const Report report =
      scan(R"({"params":{"arguments":{"name":"}}]]\"","id":[{"id":1}]},"name":"t"},"id":"x"})", Policy::kMessage);
  std::string texts;
  for (const Event& event : report.events) {
    if (event.type == Event::Type::kText) texts += event.text + ";";
  }
  EXPECT_EQ(texts, "t;x;");
  EXPECT_EQ(report.shape, Shape::kComplete);
}

struct Shaped {
  std::string_view input;
  Shape shape;
};

TEST(Scanner, TellsTheShape) {
  static constexpr Shaped kTable[] = {
      {"", Shape::kBlank},
      {" \t\r\n", Shape::kBlank},
      {"{}", Shape::kComplete},
      {" [ ] \n", Shape::kComplete},
      {"\"\"", Shape::kComplete},
      {"\"a\\\"\" ", Shape::kComplete},
      {"0", Shape::kComplete},
      {" -1e5 ", Shape::kComplete},
      {"true", Shape::kComplete},
      {"null\n", Shape::kComplete},
      {"{\"a\":NaN}", Shape::kComplete},  // Python writes it and reads it
      {"[1 2]", Shape::kComplete},
      {"[,]", Shape::kComplete},
      {"{\"a\":1,}", Shape::kComplete},
      {"{", Shape::kBroken},
      {"}", Shape::kBroken},
      {"]", Shape::kBroken},
      {",", Shape::kBroken},
      {":", Shape::kBroken},
      {"[", Shape::kBroken},
      {"[1", Shape::kBroken},
      {"[}", Shape::kBroken},
      {"{]", Shape::kBroken},
      {"{\"a\":[}]", Shape::kBroken},
      {"{\"a\"", Shape::kBroken},
      {"{\"a", Shape::kBroken},
      {"{\"a\\\"}", Shape::kBroken},
      {"{\"a\":\"b", Shape::kBroken},
      {"{\"a\":1", Shape::kBroken},
      {"\"a", Shape::kBroken},
      {"\"a\\\"", Shape::kBroken},
      {"{} {}", Shape::kBroken},
      {"{},", Shape::kBroken},
      {"{}x", Shape::kBroken},
      {"1 2", Shape::kBroken},
      {"1}", Shape::kBroken},
      {"\"a\"\"b\"", Shape::kBroken},
      {"[]]", Shape::kBroken},
      {"{1:2}", Shape::kBroken},
      {"{:1}", Shape::kBroken},
      {"{\"a\":1 2}", Shape::kBroken},
      {"{\"a\",1}", Shape::kBroken},
      {"{{}}", Shape::kBroken},
      {"Server listening", Shape::kBroken},
      {"[INFO] started", Shape::kBroken},
      {"\xef\xbb\xbf{}", Shape::kBroken},
      {"\0"sv, Shape::kBroken},
      {"{}\0"sv, Shape::kBroken},
      {"\xff\xfe{\0}\0"sv, Shape::kBroken},
      {"\\\"", Shape::kBroken},
  };
  for (const auto& [input, shape] : kTable) {
    EXPECT_EQ(shape_of(input), shape) << input;
    EXPECT_EQ(scan(input, Policy::kEverything, 1), scan(input)) << input;
  }
}

TEST(Scanner, CutsLongKeys) {
  for (std::size_t length = kMaxKey - 2; length < kMaxKey + 3; ++length) {
    const std::string name(length, 'k');
    for (std::size_t piece = 1; piece < 80; ++piece) {
      const Report report = scan("{\"" + name + "\":1}", Policy::kEverything, piece);
      ASSERT_EQ(report.events.size(), 5u);
      EXPECT_EQ(report.events[1].text, name.substr(0, kMaxKey));
      EXPECT_EQ(report.events[1].cut, length > kMaxKey);
    }
  }
}

TEST(Scanner, EntersSoDeepAndNoDeeper) {
  for (int depth = 1; depth < kMaxEntered + 4; ++depth) {
    const auto count = static_cast<std::size_t>(depth);
    const Report report = scan(std::string(count, '[') + std::string(count, ']'));
    EXPECT_EQ(report.shape, Shape::kComplete);
    const auto entered = static_cast<std::size_t>(std::min(depth, kMaxEntered));
    const std::size_t reported = std::min(count, entered + 1);
    EXPECT_EQ(report.events.size(), reported + entered) << depth;
  }
}

TEST(Scanner, TakesWhatIsNoTextAsBytes) {
  const std::string_view odd = "{\"\x01\":\"\0\x1f\xff\xc0\x80\xed\xa0\x80\",\"\xf0\x9f\":\"\\ud800\"}"sv;
  const Report report = scan(odd);
  EXPECT_EQ(report.shape, Shape::kComplete);
  EXPECT_EQ(report.events[1].text, "\x01");
  EXPECT_EQ(report.events[2].text, "\0\x1f\xff\xc0\x80\xed\xa0\x80"sv);
  EXPECT_EQ(report.events[4].text, "\xf0\x9f");
  EXPECT_EQ(report.events[5].text, "\\ud800");
}

TEST(Scanner, StopsAtTheFirstFaultUntilReset) {
  struct Counter {
    int values = 0;
    Step on_value(const Key&, Kind, std::uint64_t) { return ++values, Step::kEnter; }
    void on_text(std::string_view) {}
    void on_end(Kind, std::uint64_t) {}
  } counter;
  Scanner<Counter> scanner(counter);
  scanner.feed("[1,}");
  scanner.feed("2,3]");
  EXPECT_EQ(scanner.finish(), Shape::kBroken);
  EXPECT_EQ(counter.values, 2);
  scanner.reset();
  EXPECT_EQ(scanner.finish(), Shape::kBlank);
  scanner.feed("[1]");
  EXPECT_EQ(scanner.finish(), Shape::kComplete);
  EXPECT_EQ(counter.values, 4);
}

TEST(Scanner, ForgetsEverythingAtReset) {
  static constexpr std::string_view kUnfinished[] = {"{\"a", "{\"a\\", "{\"a\":", "{\"a\":\"b\\", "{\"a\":[[[",
                                                     "tru",  "[\"",    "{}x",     "{} "};
  const std::string whole = R"({"id":1,"params":{"name":"x"}})";
  struct Offsets {
    std::uint64_t last = 0;
    Step on_value(const Key& key, Kind, std::uint64_t) { return key.text == "params" ? Step::kSkip : Step::kEnter; }
    void on_text(std::string_view) {}
    void on_end(Kind, std::uint64_t offset) { last = offset; }
  } offsets;
  for (const std::string_view start : kUnfinished) {
    Scanner<Offsets> scanner(offsets);
    scanner.feed(start);
    scanner.reset();
    scanner.feed(whole);
    EXPECT_EQ(scanner.finish(), Shape::kComplete) << start;
    EXPECT_EQ(offsets.last, whole.size());
  }
}

// Faults J2: nesting up to 10^7, entered or not, balanced or not, in strings and outside. The stack must not grow with
// it.
TEST(Scanner, NestingCostsNoStack) {
  for (const std::size_t depth :
       {std::size_t{100}, std::size_t{100'000}, std::size_t{250'001}, std::size_t{10'000'000}}) {
    for (const std::string_view open : {"["sv, "{\"\":"sv, "[{\"a\":"sv}) {
      if (depth > 1'000'000 && open.size() > 1) continue;
      std::string opens;
      for (std::size_t i = 0; i < depth; ++i) opens += open;
      EXPECT_EQ(shape_of(opens), Shape::kBroken);
      std::string closes;
      for (std::size_t i = 0; i < depth; ++i) closes += open == "["sv ? "]"sv : open.size() == 4 ? "}"sv : "}]"sv;
      EXPECT_EQ(shape_of(opens + "0" + closes), Shape::kComplete);
      EXPECT_EQ(shape_of(opens + "0" + closes + "]"), Shape::kBroken);
      EXPECT_EQ(shape_of("{\"a\":\"" + std::string(depth, '[') + "\"}"), Shape::kComplete);
      closes.pop_back();
      EXPECT_EQ(shape_of(opens + "0" + closes), Shape::kBroken);
    }
  }
}

TEST(Scanner, OffsetsAddUpOverManyPieces) {
  struct Last {
    std::uint64_t value = 0;
    std::uint64_t end = 0;
    Step on_value(const Key& key, Kind kind, std::uint64_t offset) {
      value = offset;
      return kind == Kind::kObject ? Step::kEnter : key.text == "b" ? Step::kText : Step::kSkip;
    }
    void on_text(std::string_view) {}
    void on_end(Kind, std::uint64_t offset) { end = offset; }
  } last;
  Scanner<Last> scanner(last);
  const std::string long_text(std::size_t{1} << 20, 'x');
  scanner.feed("{\"a\":\"");
  std::uint64_t fed = 6;
  for (int i = 0; i < 64; ++i, fed += long_text.size()) scanner.feed(long_text);
  scanner.feed("\",\"b\":1}");
  EXPECT_EQ(scanner.finish(), Shape::kComplete);
  EXPECT_EQ(last.value, fed + 6);
  EXPECT_EQ(last.end, fed + 8);
}

}  // namespace
}  // namespace mcptrace::json
