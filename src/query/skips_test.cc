#include "query/skips.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mcptrace::query {
namespace {

TEST(Skips, SaysNothingWhereNothingIsLost) {
  Skips skips;
  skips.note(spool::NamedCounts{{std::string(spool::kWrittenRecords), 12}, {"brand.new", 1}});
  EXPECT_THAT(skips.lines(), testing::IsEmpty());
  EXPECT_EQ(skips.numbers().messages + skips.numbers().records, 0u);
}

TEST(Skips, SaysOnALineWhatWasLostAndWhy) {
  Skips skips;
  skips.note(spool::NamedCounts{{std::string(spool::kDroppedQueueFull), 12},
                                {std::string(spool::kDroppedNoMemory), 1},
                                {std::string(spool::kLostUnwritten), 40},
                                {std::string(spool::kExpiredFiles), 3}});
  skips.note(spool::Expired{.files = 3, .bytes = 5000});
  EXPECT_THAT(skips.lines(),
              testing::ElementsAre("of what was traced before, 3 files (5.0 kB) were deleted to make room",
                                   "telemetry was lost: 12 messages (the observer was too slow), 1 message (memory ran "
                                   "out), 40 records (writing failed)"));
  const Skips::Numbers numbers = skips.numbers();
  EXPECT_EQ(numbers.messages, 13u);
  EXPECT_EQ(numbers.records, 40u);
  EXPECT_EQ(numbers.deleted_files, 3u);
}

}  // namespace
}  // namespace mcptrace::query
