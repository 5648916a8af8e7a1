#include "spool/counters.h"

#include <gtest/gtest.h>

#include <limits>

namespace mcptrace::spool {
namespace {

TEST(Counters, ComeBackWithoutZeros) {
  const ProcessCounters counters{"0123abcd",
                                 {{std::string(kLostUnwritten), std::numeric_limits<std::uint64_t>::max()},
                                  {std::string(kExpiredFiles), 0},
                                  {"finding.bad_encoding", 3}}};
  const std::string bytes = encode_counters(counters);
  // On disk: these names must never change.
  EXPECT_EQ(bytes, "process 0123abcd\nfinding.bad_encoding 3\nlost.unwritten 18446744073709551615\n");
  const auto back = decode_counters(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->process, "0123abcd");
  EXPECT_EQ(back->counts.size(), 2u);
  EXPECT_EQ(count_of(back->counts, kLostUnwritten), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(count_of(back->counts, "finding.bad_encoding"), 3u);
  EXPECT_EQ(count_of(back->counts, kExpiredFiles), 0u);
}

TEST(Counters, NamesOfANewerVersionAreKept) {
  const auto counters = decode_counters("process a\nbrand.new 7\n");
  ASSERT_TRUE(counters);
  EXPECT_EQ(count_of(counters->counts, "brand.new"), 7u);
}

TEST(Counters, RefuseWhatIsNoneOfThem) {
  for (const char* bytes : {"", "x", "process", "process a", "proc a\n", "lost.unwritten 1\n", "process a\nx\n",
                            "process a\nx \n", "process a\nx -1\n", "process a\nx 1 2\n", "process a\nx 1",
                            "process a\nx 18446744073709551616\n", "process a\n\n"}) {
    EXPECT_FALSE(decode_counters(bytes)) << bytes;
  }
  std::string many = "process a\n";
  for (int i = 0; i < 256; ++i) many += "n" + std::to_string(i) + " 1\n";
  EXPECT_FALSE(decode_counters(many));
}

TEST(Counters, OfOneProcessTheLaterHold) {
  NamedCounts known{{"a", 1}, {"b", 5}};
  take_later(known, {{"a", 3}, {"b", 4}, {"c", 1}});
  EXPECT_EQ(known, (NamedCounts{{"a", 3}, {"b", 5}, {"c", 1}}));
  add_up(known, {{"a", 1}, {"d", 2}});
  EXPECT_EQ(known, (NamedCounts{{"a", 4}, {"b", 5}, {"c", 1}, {"d", 2}}));
}

}  // namespace
}  // namespace mcptrace::spool
