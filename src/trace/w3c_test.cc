#include "trace/w3c.h"

#include <gmock/gmock.h>

namespace mcptrace::trace {
namespace {

using testing::Eq;
using testing::Optional;

constexpr std::string_view kTrace = "5b8aa5a2d2c872e8321cf37308d69df2";
constexpr std::string_view kSpan = "051581bf3cb55c13";

std::string repeat(std::string_view piece, std::size_t times) {
  std::string text;
  while (times-- > 0) text += piece;
  return text;
}

// A traceparent of parts, so that a row of a table shows what is odd about it.
std::string traceparent(std::string_view version, std::string_view trace, std::string_view span,
                        std::string_view rest) {
  std::string text(version);
  return text.append("-").append(trace).append("-").append(span).append("-").append(rest);
}

TEST(Traceparent, ReadsIdsAndFlags) {
  const auto context = parse_traceparent(traceparent("00", kTrace, kSpan, "01"));
  ASSERT_TRUE(context);
  EXPECT_EQ(context->trace_id.hex(), kTrace);
  EXPECT_EQ(context->span_id.hex(), kSpan);
  EXPECT_EQ(context->flags, kSampledFlag);
}

TEST(Traceparent, KeepsTheFlagsItKnows) {
  const struct {
    const char* flags;
    int kept;
  } kRows[] = {{"00", 0}, {"01", 1}, {"02", 2}, {"03", 3}, {"ff", 3}, {"fc", 0}, {"09", 1}};
  for (const auto& row : kRows) {
    const auto context = parse_traceparent(traceparent("00", kTrace, kSpan, row.flags));
    ASSERT_TRUE(context) << row.flags;
    EXPECT_EQ(context->flags, row.kept) << row.flags;
  }
}

TEST(Traceparent, ValidForms) {
  const std::string plain = traceparent("00", kTrace, kSpan, "01");
  for (const std::string& text : {
           " " + plain,
           plain + " ",
           "\t" + plain + "\t",
           " \t " + plain + " \t ",
           traceparent("01", kTrace, kSpan, "01"),
           traceparent("cc", kTrace, kSpan, "01"),
           traceparent("fe", kTrace, kSpan, "01"),
           traceparent("cc", kTrace, kSpan, "01-"),
           traceparent("cc", kTrace, kSpan, "01-what-the-next-version-adds"),
           traceparent("cc", kTrace, kSpan, "01-" + std::string(600, 'x')),
       }) {
    const auto context = parse_traceparent(text);
    ASSERT_TRUE(context) << text;
    EXPECT_EQ(context->span_id.hex(), kSpan) << text;
  }
}

TEST(Traceparent, InvalidForms) {
  const std::string plain = traceparent("00", kTrace, kSpan, "01");
  const std::string upper_trace = "5B8AA5A2D2C872E8321CF37308D69DF2";
  for (const std::string& text : {
           std::string(),
           std::string(" \t "),
           std::string("hello"),
           std::string(600, '0'),
           std::string("-"),
           traceparent("ff", kTrace, kSpan, "01"),
           traceparent("FE", kTrace, kSpan, "01"),
           traceparent(".0", kTrace, kSpan, "01"),
           traceparent("0.", kTrace, kSpan, "01"),
           traceparent("0", kTrace, kSpan, "01"),
           traceparent("000", kTrace, kSpan, "01"),
           traceparent("0x", kTrace, kSpan, "01"),
           // 00 is exactly 55 characters.
           traceparent("00", kTrace, kSpan, "01."),
           traceparent("00", kTrace, kSpan, "01-"),
           traceparent("00", kTrace, kSpan, "01-more"),
           traceparent("00", kTrace, kSpan, "1"),
           traceparent("00", kTrace, kSpan, ""),
           traceparent("00", kTrace, kSpan, "001"),
           // A later version is at least as long, and goes on with a dash.
           traceparent("cc", kTrace, kSpan, "01.what"),
           traceparent("cc", kTrace, kSpan, "011"),
           traceparent("cc", kTrace, kSpan, "1"),
           traceparent("cc", kTrace, "051581bf3cb55c1", "01"),
           // Ids.
           traceparent("00", std::string(32, '0'), kSpan, "01"),
           traceparent("00", kTrace, std::string(16, '0'), "01"),
           traceparent("00", upper_trace, kSpan, "01"),
           traceparent("00", kTrace, "051581BF3CB55C13", "01"),
           traceparent("00", ".b8aa5a2d2c872e8321cf37308d69df2", kSpan, "01"),
           traceparent("00", kTrace, "051581bf3cb55c1.", "01"),
           traceparent("00", kTrace.substr(1), kSpan, "01"),
           traceparent("00", std::string(kTrace) + "0", kSpan, "01"),
           traceparent("00", kTrace, kSpan.substr(1), "01"),
           traceparent("00", kTrace, std::string(kSpan) + "0", "01"),
           traceparent("00", kSpan, kTrace, "01"),
           // Flags.
           traceparent("00", kTrace, kSpan, ".0"),
           traceparent("00", kTrace, kSpan, "0."),
           traceparent("00", kTrace, kSpan, "0G"),
           traceparent("00", kTrace, kSpan, "0B"),
           // Two headers in one.
           plain + "," + plain,
           plain + ", " + plain,
           "00_" + plain.substr(3),
           "\n" + plain,
           plain + "\r",
           plain + std::string(1, '\0'),
       }) {
    EXPECT_FALSE(parse_traceparent(text)) << text;
  }
}

TEST(Traceparent, IsWrittenAsVersion00WithKnownFlags) {
  auto context = parse_traceparent(traceparent("cc", kTrace, kSpan, "03-more"));
  ASSERT_TRUE(context);
  context->flags = 0xff;
  char out[kTraceparentSize];
  write_traceparent(*context, out);
  EXPECT_EQ(std::string_view(out, sizeof(out)), traceparent("00", kTrace, kSpan, "03"));
}

TEST(Tracestate, ValidForms) {
  for (const std::string& text : {
           std::string(),
           std::string(" "),
           std::string("\t \t"),
           std::string(","),
           std::string(", ,\t,"),
           std::string("foo=1"),
           std::string("foo=1,"),
           std::string(",foo=1"),
           std::string("foo=1,,bar=2"),
           std::string("foo=1 , \tbar=2"),
           std::string(" foo=1\t,\tbar=2 "),
           std::string("foo=  leading spaces are its own"),
           std::string("foo=~!\"#$%&'()*+-./:;<>?@[\\]^_`{|}"),
           std::string("0=1"),
           std::string("9foo-_*/=1"),
           std::string("foo@=1"),
           std::string("foo@@bar=1"),
           std::string("foo@bar@baz=1"),
           std::string("tenant@system=1"),
           std::string(242, 't') + "@v=1",
           std::string("t@") + std::string(15, 'v') + "=1",
           std::string(256, 'k') + "=1",
           "k=" + std::string(256, 'v'),
           "k=" + std::string(255, ' ') + "v",
           std::string("foo=1,foo=2"),  // a duplicate is odd, not wrong
           std::string("ot=th:c;rv:abcdefabcdef01"),
           repeat("foo=1,", 31) + "bar=2",
           repeat("foo=1,,", 32),
           repeat(",", 5000) + "foo=1",
       }) {
    EXPECT_TRUE(is_valid_tracestate(text)) << text;
  }
}

TEST(Tracestate, InvalidForms) {
  for (const std::string& text : {
           std::string("foo"),
           std::string("foo="),
           std::string("foo=  "),
           std::string("=1"),
           std::string("="),
           std::string("foo=bar=baz"),
           std::string("foo =1"),
           std::string("foo\t=1"),
           std::string("FOO=1"),
           std::string("fOo=1"),
           std::string("foo.bar=1"),
           std::string("@foo=1"),
           std::string("_foo=1"),
           std::string("-foo=1"),
           std::string("*foo=1"),
           std::string("/foo=1"),
           std::string("foo=a\tb"),
           std::string("foo=\x7f"),
           std::string("foo=\xc3\xa9"),
           std::string("foo=a\nb"),
           std::string("foo=a") + '\0',
           std::string("foo=1 bar=2"),
           std::string("good=1,foo"),
           std::string("foo;bar=1"),
           std::string(257, 'k') + "=1",
           "k=" + std::string(257, 'v'),
           repeat("foo=1,", 32) + "bar=2",
       }) {
    EXPECT_FALSE(is_valid_tracestate(text)) << text;
  }
}

TEST(Tracestate, GivesAMembersValue) {
  constexpr std::string_view kState = "mcptrace=p0011223344556677 ,\tot=rv:abc;th:8 ,, a=  b ,ot=second,ott=1";
  EXPECT_THAT(tracestate_get(kState, "mcptrace"), Optional(Eq("p0011223344556677")));
  EXPECT_THAT(tracestate_get(kState, "ot"), Optional(Eq("rv:abc;th:8")));
  EXPECT_THAT(tracestate_get(kState, "ott"), Optional(Eq("1")));
  EXPECT_THAT(tracestate_get(kState, "a"), Optional(Eq("  b")));
  EXPECT_EQ(tracestate_get(kState, "o"), std::nullopt);
  EXPECT_EQ(tracestate_get(kState, "mcptrace=p0011223344556677"), std::nullopt);
  EXPECT_EQ(tracestate_get("", "ot"), std::nullopt);
}

TEST(Tracestate, RandomnessHas14Digits) {
  std::array<char, 20> buffer{};
  EXPECT_EQ(write_randomness(0, buffer), "ot=rv:00000000000000");
  EXPECT_EQ(write_randomness(0x0123456789abcd, buffer), "ot=rv:0123456789abcd");
  EXPECT_EQ(write_randomness(0xffedcba987654321, buffer), "ot=rv:edcba987654321");
  EXPECT_TRUE(is_valid_tracestate({buffer.data(), buffer.size()}));
}

std::optional<std::string> value_of(std::string_view baggage, std::string_view key, std::size_t limit) {
  std::string buffer(limit, '-');
  const auto value = baggage_get(baggage, key, buffer);
  return value ? std::optional(std::string(*value)) : std::nullopt;
}

TEST(Baggage, GivesADecodedValue) {
  constexpr std::string_view kBaggage =
      "userId=alice , session.id = conv%201;kind=x;y , empty=,eq=a=b%3Dc%,bad=%C3%28%ff,zz=%zz%4,Session.Id=other";
  EXPECT_THAT(value_of(kBaggage, "userId", 64), Optional(Eq("alice")));
  EXPECT_THAT(value_of(kBaggage, "session.id", 64), Optional(Eq("conv 1")));
  EXPECT_THAT(value_of(kBaggage, "empty", 64), Optional(Eq("")));
  EXPECT_THAT(value_of(kBaggage, "eq", 64), Optional(Eq("a=b=c%")));
  EXPECT_THAT(value_of(kBaggage, "bad", 64), Optional(Eq("\xef\xbf\xbd(\xef\xbf\xbd")));
  EXPECT_THAT(value_of(kBaggage, "zz", 64), Optional(Eq("%zz%4")));
  EXPECT_THAT(value_of(kBaggage, "Session.Id", 64), Optional(Eq("other")));
  EXPECT_EQ(value_of(kBaggage, "kind", 64), std::nullopt);
  EXPECT_EQ(value_of(kBaggage, "session", 64), std::nullopt);
  EXPECT_EQ(value_of("", "a", 64), std::nullopt);
  EXPECT_EQ(value_of("a", "a", 64), std::nullopt);
  EXPECT_EQ(value_of("a;=1", "a", 64), std::nullopt);
}

TEST(Baggage, CutsBetweenCharacters) {
  EXPECT_THAT(value_of("k=ab%C3%A9cd", "k", 3), Optional(Eq("ab")));
  EXPECT_THAT(value_of("k=ab%C3%A9cd", "k", 4), Optional(Eq("ab\xc3\xa9")));
  EXPECT_THAT(value_of("k=abc", "k", 0), Optional(Eq("")));
}

TEST(Baggage, IsBounded) {
  EXPECT_THAT(value_of(repeat("a=1,", 63) + "k=2", "k", 8), Optional(Eq("2")));
  EXPECT_EQ(value_of(repeat("a=1,", 64) + "k=2", "k", 8), std::nullopt);
  EXPECT_THAT(value_of(std::string(8189, ',') + "k=2", "k", 8), Optional(Eq("2")));
  EXPECT_EQ(value_of(std::string(8190, ',') + "k=2", "k", 8), std::nullopt);
}

}  // namespace
}  // namespace mcptrace::trace
