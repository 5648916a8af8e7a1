// The disk says no: every call that a writer makes fails, once and for ever, in each of its ways. What was accepted is
// there, what was lost is counted, no half record is seen, and as soon as there is room the writer goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <map>
#include <memory>

#include "base/testing.h"
#include "spool/file_calls.h"
#include "spool/spool_testing.h"

namespace mcptrace::spool {
namespace {

// The system's calls, of which the n-th (from 1) and as many as wanted after it fail.
class FailingCalls final : public SystemFileCalls {
 public:
  FailingCalls(int first, int count, int error, std::size_t short_write)
      : first_(first), count_(count), error_(error), short_write_(short_write) {}
  int create(int directory, const char* name) override {
    return fails() ? -1 : SystemFileCalls::create(directory, name);
  }
  int lock(int fd) override { return fails() ? -1 : SystemFileCalls::lock(fd); }
  // A failing write may have written a part before.
  ssize_t write(int fd, const void* bytes, std::size_t size) override {
    if (pending_error_) {
      pending_error_ = false;
      errno = error_;
      return -1;
    }
    if (!fails()) return SystemFileCalls::write(fd, bytes, size);
    if (short_write_ == 0 || error_ == EINTR) return -1;
    pending_error_ = true;
    return SystemFileCalls::write(fd, bytes, std::min(size, short_write_));
  }
  int truncate(int fd, off_t size) override { return fails() ? -1 : SystemFileCalls::truncate(fd, size); }
  int allocate(int fd, off_t from, off_t size) override {
    return fails() ? -1 : SystemFileCalls::allocate(fd, from, size);
  }
  int rename(int directory, const char* from, const char* to) override {
    return fails() ? -1 : SystemFileCalls::rename(directory, from, to);
  }
  [[nodiscard]] int calls() const { return calls_; }

 private:
  bool fails() {
    ++calls_;
    if (calls_ < first_ || calls_ >= first_ + count_) return false;
    errno = error_;
    return true;
  }

  const int first_;
  const int count_;
  const int error_;
  const std::size_t short_write_;
  int calls_ = 0;
  bool pending_error_ = false;
};

struct Outcome {
  std::vector<Kept> accepted;  // whose flush succeeded
  std::vector<Kept> given;
  WriterCounts counts;
  std::uint64_t failures = 0;
  int calls = 0;
};

constexpr int kBatches = 16;
constexpr int kRecordsPerBatch = 4;

// Writes some batches, over several files, two seconds apart.
Outcome run(const std::string& directory, FailingCalls& calls) {
  ManualClock clock;
  Outcome outcome;
  Writer writer({.directory = directory, .file_bytes = 1500, .compress_from = 600}, clock, &calls);
  std::uint32_t number = 0;
  for (int batch = 0; batch < kBatches; ++batch) {
    const std::size_t first = outcome.given.size();
    for (int i = 0; i < kRecordsPerBatch; ++i, ++number) {
      const auto type = number % 5 == 0   ? RecordType::kCallOpen
                        : number % 7 == 0 ? RecordType::kSessionClose
                                          : RecordType::kSpan;
      outcome.given.push_back({type, number, std::string(100 + number * 7, static_cast<char>('a' + number % 26))});
      EXPECT_TRUE(writer.append(type, number, outcome.given.back().payload));
    }
    if (writer.flush()) {
      outcome.accepted.insert(outcome.accepted.end(), outcome.given.begin() + static_cast<std::ptrdiff_t>(first),
                              outcome.given.end());
    } else {
      ++outcome.failures;
    }
    clock.advance(std::chrono::seconds(2));
  }
  outcome.counts = writer.counts();
  outcome.calls = calls.calls();
  return outcome;
}

// All records of a spool whose files may have half a record at the end of those that nobody holds.
std::vector<Kept> readable(const std::string& directory, std::uint64_t& places) {
  std::vector<Kept> all;
  places = 0;
  for (const FileInfo& file : files_of(directory)) {
    FileReader reader(file.path);
    for (Kept& record : rest_of(reader)) all.push_back(std::move(record));
    EXPECT_FALSE(reader.error());
    places += reader.skipped().places;
  }
  return all;
}

bool is_subsequence(const std::vector<Kept>& part, const std::vector<Kept>& whole) {
  auto at = whole.begin();
  for (const Kept& record : part) {
    at = std::find(at, whole.end(), record);
    if (at == whole.end()) return false;
    ++at;
  }
  return true;
}

void check(const std::string& directory, const Outcome& outcome, std::uint64_t places_allowed) {
  std::uint64_t places = 0;
  const std::vector<Kept> present = readable(directory, places);
  EXPECT_TRUE(is_subsequence(outcome.accepted, present)) << "accepted is present, in order";
  EXPECT_TRUE(is_subsequence(present, outcome.given)) << "present was given, once, in order";
  EXPECT_EQ(present.size(), outcome.counts.records) << "counted is present";
  EXPECT_EQ(outcome.counts.records + outcome.counts.lost_records, outcome.given.size());
  EXPECT_LE(places, places_allowed) << "no half record";
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    EXPECT_NE(file.path().extension(), ".tmp") << "nothing is left behind";
  }
}

struct Fault {
  int error;
  std::size_t short_write;
};
const Fault kFaults[] = {{ENOSPC, 0}, {ENOSPC, 1}, {ENOSPC, 170}, {EIO, 300}, {EDQUOT, 0}, {EROFS, 0}, {EINTR, 0}};

TEST(SpoolFaults, NothingFailsWithoutAFault) {
  TempDirectory temp;
  FailingCalls calls(0, 0, 0, 0);
  const Outcome outcome = run(temp.spool(), calls);
  EXPECT_EQ(outcome.accepted, outcome.given);
  EXPECT_GT(files_of(temp.spool()).size(), 2u);
  check(temp.spool(), outcome, 0);
}

TEST(SpoolFaults, AnyCallThatFailsOnceCostsOneBatchAtMost) {
  TempDirectory clean;
  FailingCalls none(0, 0, 0, 0);
  const int calls = run(clean.spool(), none).calls;
  for (const Fault& fault : kFaults) {
    for (int n = 1; n <= calls; ++n) {
      SCOPED_TRACE("errno " + std::to_string(fault.error) + " at call " + std::to_string(n));
      TempDirectory temp;
      FailingCalls failing(n, 1, fault.error, fault.short_write);
      const Outcome outcome = run(temp.spool(), failing);
      EXPECT_LE(outcome.failures, 1u);
      EXPECT_GE(outcome.accepted.size(), outcome.given.size() - kRecordsPerBatch);
      check(temp.spool(), outcome, 0);
    }
  }
}

TEST(SpoolFaults, AfterCallsThatFailForAWhileItGoesOn) {
  for (const Fault& fault : kFaults) {
    if (fault.error == EINTR) continue;  // for ever: no disk does that
    for (int n = 1; n <= 14; ++n) {
      for (const int count : {2, 3, 5}) {
        SCOPED_TRACE("errno " + std::to_string(fault.error) + " at call " + std::to_string(n) + " for " +
                     std::to_string(count));
        TempDirectory temp;
        FailingCalls failing(n, count, fault.error, fault.short_write);
        const Outcome outcome = run(temp.spool(), failing);
        ASSERT_FALSE(outcome.accepted.empty());
        EXPECT_EQ(outcome.accepted.back(), outcome.given.back()) << "the last batch is in again";
        // Where even cutting off failed, half a record stays at the end of a file that was left.
        check(temp.spool(), outcome, 2);
      }
    }
  }
}

TEST(SpoolFaults, ADiskThatNeverRecoversCostsEverythingAfterwardsAndNothingBefore) {
  for (int n = 1; n <= 20; ++n) {
    SCOPED_TRACE(n);
    TempDirectory temp;
    FailingCalls failing(n, 1'000'000, ENOSPC, 50);
    const Outcome outcome = run(temp.spool(), failing);
    EXPECT_GT(outcome.failures, 0u);
    check(temp.spool(), outcome, 1);
  }
}

TEST(SpoolFaults, AfterAFileCouldNotBeMadeNoOtherIsTriedForASecond) {
  TempDirectory temp;
  ManualClock clock;
  FailingCalls failing(1, 1'000'000, ENOSPC, 0);
  Writer writer({.directory = temp.spool()}, clock, &failing);
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(writer.append(RecordType::kSpan, 1, "x"));
    const auto flushed = writer.flush();
    ASSERT_FALSE(flushed);
    EXPECT_THAT(flushed.error().message, testing::HasSubstr("No space left on device"));
    clock.advance(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(failing.calls(), 10);
  EXPECT_EQ(writer.counts().lost_records, 1000u);
}

// A disk with room for so many blocks beyond what its files have already.
class SmallDisk final : public SystemFileCalls {
 public:
  explicit SmallDisk(std::uint64_t blocks) : free_(blocks) {}
  void set_free(std::uint64_t blocks) { free_ = blocks; }
  void forbid_keeping() { keeps_ = false; }

  int create(int directory, const char* name) override {
    if (free_ == 0) return no_space();
    const int fd = SystemFileCalls::create(directory, name);
    blocks_[fd] = 0;
    return fd;
  }
  ssize_t write(int fd, const void* bytes, std::size_t size) override {
    struct stat status{};
    ::fstat(fd, &status);
    const auto old_size = static_cast<std::uint64_t>(status.st_size);
    take(fd, std::min(blocks_for(old_size + size), blocks_[fd] + free_));
    const std::uint64_t room = blocks_[fd] * kBlock - old_size;
    if (room == 0) return no_space();
    return SystemFileCalls::write(fd, bytes, std::min<std::size_t>(size, room));
  }
  int allocate(int fd, off_t from, off_t size) override {
    if (!keeps_) {
      errno = EOPNOTSUPP;
      return -1;
    }
    const std::uint64_t blocks = blocks_for(static_cast<std::uint64_t>(from + size));
    if (blocks > blocks_[fd] + free_) return no_space();
    take(fd, blocks);
    return 0;
  }
  int truncate(int fd, off_t size) override {
    free_ += blocks_[fd];
    blocks_[fd] = 0;
    take(fd, blocks_for(static_cast<std::uint64_t>(size)));
    return SystemFileCalls::truncate(fd, size);
  }

 private:
  static constexpr std::uint64_t kBlock = 4096;
  static std::uint64_t blocks_for(std::uint64_t bytes) { return (bytes + kBlock - 1) / kBlock; }
  static int no_space() {
    errno = ENOSPC;
    return -1;
  }
  void take(int fd, std::uint64_t blocks) {
    if (blocks <= blocks_[fd]) return;
    free_ -= blocks - blocks_[fd];
    blocks_[fd] = blocks;
  }

  std::uint64_t free_;
  std::map<int, std::uint64_t> blocks_;  // by file, as long as it is open
  bool keeps_ = true;
};

class FullDiskTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kKept = 16 << 10;

  // Spans until one is lost. How many were not.
  std::uint32_t fill(Writer& writer) {
    for (std::uint32_t number = 0; number < 1000; ++number) {
      EXPECT_TRUE(writer.append(RecordType::kSpan, number, std::string(1000, 'x')));
      if (!writer.flush()) return number;
      clock_.advance(std::chrono::milliseconds(1));
    }
    ADD_FAILURE() << "it is never full";
    return 0;
  }
  // Ends as an observer does: with a span that is lost, and what closes. True: that was not.
  bool close(Writer& writer, std::uint32_t sessions = 1) {
    EXPECT_TRUE(writer.append(RecordType::kCounters, 0, "counters"));
    for (std::uint32_t i = 0; i < sessions; ++i) {
      EXPECT_TRUE(writer.append(RecordType::kSpan, 2000, std::string(1000, 'x')));
      EXPECT_TRUE(writer.append(RecordType::kSessionClose, i, std::string(1000, 'c')));
    }
    EXPECT_FALSE(writer.finish());
    return closed() == sessions;
  }
  std::uint32_t closed() {
    std::uint32_t count = 0, counters = 0;
    for (const FileInfo& file : files_of(temp_.spool())) {
      for (const Kept& record : records_of(file.path)) {
        count += record.type == RecordType::kSessionClose;
        counters += record.type == RecordType::kCounters;
      }
    }
    return counters == 1 ? count : 0;
  }
  WriterOptions options() {
    return {.directory = temp_.spool(), .kept_bytes = kKept, .batch_bytes = 1u << 20, .compress_from = 1u << 20};
  }

  TempDirectory temp_;
  ManualClock clock_;
};

TEST_F(FullDiskTest, WhatClosesIsWrittenAllTheSame) {
  for (std::uint64_t blocks = 10; blocks < 60; ++blocks) {
    SCOPED_TRACE(blocks);
    std::filesystem::remove_all(temp_.spool());
    SmallDisk disk(blocks);
    Writer writer(options(), clock_, &disk);
    const std::uint32_t wrote = fill(writer);
    EXPECT_TRUE(close(writer));
    EXPECT_EQ(writer.counts().records, wrote + 2u);
    EXPECT_EQ(writer.counts().lost_records, 2u);
    EXPECT_EQ(all_records(temp_.spool()).size(), wrote + 2u);
  }
}

TEST_F(FullDiskTest, AsMuchAsThereIsRoomFor) {
  SmallDisk disk(20);
  Writer writer(options(), clock_, &disk);
  fill(writer);
  EXPECT_FALSE(close(writer, 100));
  EXPECT_GE(closed(), kKept / 1100);
  EXPECT_LE(closed(), 2 * kKept / 1000);
}

TEST_F(FullDiskTest, AFileIsNotLeftForOneThatKeepsNoRoom) {
  for (std::uint64_t blocks = 30; blocks < 50; ++blocks) {
    SCOPED_TRACE(blocks);
    std::filesystem::remove_all(temp_.spool());
    SmallDisk disk(blocks);
    auto small = options();
    small.file_bytes = 20'000;
    Writer writer(small, clock_, &disk);
    fill(writer);
    EXPECT_TRUE(close(writer));
  }
}

TEST_F(FullDiskTest, ItGoesOnWhenThereIsRoomAgain) {
  SmallDisk disk(20);
  Writer writer(options(), clock_, &disk);
  const std::uint32_t wrote = fill(writer);
  disk.set_free(20);
  EXPECT_GT(fill(writer), 5u);
  EXPECT_TRUE(close(writer));
  EXPECT_GT(writer.counts().records, wrote + 7u);
  EXPECT_EQ(writer.counts().lost_records, 3u);
}

TEST_F(FullDiskTest, WhereNoRoomCanBeKeptItIsAsFullAsItIs) {
  SmallDisk disk(20);
  disk.forbid_keeping();
  Writer writer(options(), clock_, &disk);
  EXPECT_GE(fill(writer), 79u);
  EXPECT_FALSE(close(writer));
}

TEST_F(FullDiskTest, ADiskThatIsNearlyFullAtTheStartIsUsed) {
  SmallDisk disk(3);
  Writer writer(options(), clock_, &disk);
  EXPECT_GE(fill(writer), 9u);
  disk.set_free(20);
  EXPECT_GT(fill(writer), 5u);
  EXPECT_TRUE(close(writer)) << "room is kept as soon as there is some";
}

}  // namespace
}  // namespace mcptrace::spool
