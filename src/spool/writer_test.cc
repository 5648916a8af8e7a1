#include "spool/writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "base/testing.h"
#include "spool/directory.h"
#include "spool/layout.h"
#include "spool/spool_testing.h"

namespace mcptrace::spool {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class WriterTest : public testing::Test {
 protected:
  WriterOptions options() { return {.directory = temp_.spool(), .name_prefix = "run"}; }

  TempDirectory temp_;
  ManualClock clock_;
};

TEST_F(WriterTest, MakesNothingBeforeTheFirstFlush) {
  Writer writer(options(), clock_);
  ASSERT_TRUE(writer.flush());
  ASSERT_TRUE(writer.append(RecordType::kSpan, 1, "a"));
  EXPECT_EQ(writer.pending_bytes(), kRecordHeaderBytes + 1);
  EXPECT_TRUE(files_of(temp_.spool()).empty());
  EXPECT_EQ(writer.path(), "");
  EXPECT_EQ(writer.counts().records, 0u);
}

TEST_F(WriterTest, WhatIsFlushedIsReadBackInOrder) {
  Writer writer(options(), clock_);
  ASSERT_TRUE(writer.append(RecordType::kResource, 0, "resource"));
  ASSERT_TRUE(writer.append(RecordType::kSpan, 7, ""));
  ASSERT_TRUE(writer.append(RecordType::kSessionClose, 8, std::string("\0x", 2)));
  ASSERT_TRUE(writer.flush());
  EXPECT_EQ(writer.pending_bytes(), 0u);
  EXPECT_EQ(writer.counts().records, 3u);
  EXPECT_EQ(writer.counts().bytes, std::filesystem::file_size(writer.path()));
  const auto files = files_of(temp_.spool());
  ASSERT_THAT(files, SizeIs(1));
  EXPECT_EQ(files[0].path, writer.path());
  EXPECT_TRUE(files[0].locked);
  EXPECT_EQ(files[0].created, clock_.wall());
  EXPECT_THAT(records_of(files[0].path),
              ElementsAre(Kept{RecordType::kResource, 0, "resource"}, Kept{RecordType::kSpan, 7, ""},
                          Kept{RecordType::kSessionClose, 8, std::string("\0x", 2)}));
}

TEST_F(WriterTest, TheDestructorFlushesAndLetsGo) {
  {
    ASSERT_TRUE(Writer(options(), clock_).append(RecordType::kSpan, 1, "last"));
  }
  const auto files = files_of(temp_.spool());
  ASSERT_THAT(files, SizeIs(1));
  EXPECT_FALSE(files[0].locked);
  EXPECT_THAT(records_of(files[0].path), ElementsAre(Kept{RecordType::kSpan, 1, "last"}));
}

TEST_F(WriterTest, FilesAndDirectoriesAreForTheirOwnerOnly) {
  const mode_t before = ::umask(0);
  Writer writer(options(), clock_);
  ASSERT_TRUE(writer.append(RecordType::kSpan, 1, "a"));
  ASSERT_TRUE(writer.flush());
  ::umask(before);
  struct stat status;
  ASSERT_EQ(::stat(writer.path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  for (const std::string& directory : {temp_.spool(), temp_.path() + "/state"}) {
    ASSERT_EQ(::stat(directory.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0700u) << directory;
  }
}

TEST_F(WriterTest, NamesSortByAgeAndAreMadeHarmless) {
  auto odd = options();
  odd.name_prefix = "a/../b c";
  for (int i = 0; i < 3; ++i, clock_.advance(std::chrono::milliseconds(1))) {
    ASSERT_TRUE(Writer(odd, clock_).append(RecordType::kSpan, static_cast<std::uint32_t>(i), "x"));
  }
  const auto all = all_records(temp_.spool());
  ASSERT_THAT(all, SizeIs(3));
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_EQ(all[i].tag, i);
  EXPECT_THAT(files_of(temp_.spool())[0].path, HasSubstr("-a____b_c-" + std::to_string(::getpid()) + "-"));
}

TEST_F(WriterTest, RefusesADirectoryThatIsASymlinkOrOpenToOthersOrAFile) {
  std::filesystem::create_directory(temp_.path() + "/elsewhere");
  std::filesystem::create_directory_symlink(temp_.path() + "/elsewhere", temp_.path() + "/link");
  std::filesystem::create_directory(temp_.path() + "/open");
  std::filesystem::permissions(temp_.path() + "/open", std::filesystem::perms::all);
  overwrite(temp_.path() + "/file", "");
  const std::pair<const char*, const char*> cases[] = {{"/link", "symbolic link"},
                                                       {"/open", "written by other users"},
                                                       {"/file", "Not a directory"},
                                                       {"/file/x", "Not a directory"}};
  for (const auto& [name, message] : cases) {
    auto bad = options();
    bad.directory = temp_.path() + name;
    Writer writer(bad, clock_);
    ASSERT_TRUE(writer.append(RecordType::kSpan, 1, "a"));
    const auto flushed = writer.flush();
    ASSERT_FALSE(flushed) << name;
    EXPECT_THAT(flushed.error().message, HasSubstr(message));
    EXPECT_EQ(writer.counts().lost_records, 1u);
  }
  EXPECT_TRUE(std::filesystem::is_empty(temp_.path() + "/elsewhere"));
}

TEST_F(WriterTest, RefusesADirectoryOfSomebodyElse) {
  // Who is not root finds one of root's; root makes one of somebody's.
  std::string directory = "/usr";
  if (::geteuid() == 0) {
    directory = temp_.path() + "/theirs";
    std::filesystem::create_directory(directory);
    ASSERT_EQ(::chown(directory.c_str(), 12345, 12345), 0);
  }
  auto bad = options();
  bad.directory = directory;
  Writer writer(bad, clock_);
  ASSERT_TRUE(writer.append(RecordType::kSpan, 1, "a"));
  const auto flushed = writer.flush();
  ASSERT_FALSE(flushed);
  EXPECT_EQ(flushed.error().code, Errc::kUnsupported);
  EXPECT_THAT(flushed.error().message, HasSubstr("belongs to user"));
}

TEST_F(WriterTest, FlushesByItselfAtTheSizeOfABatch) {
  auto small = options();
  small.batch_bytes = 1000;
  Writer writer(small, clock_);
  for (int i = 0; i < 9; ++i) ASSERT_TRUE(writer.append(RecordType::kSpan, 1, std::string(84, 'x')));
  EXPECT_EQ(writer.counts().records, 0u);
  ASSERT_TRUE(writer.append(RecordType::kSpan, 1, std::string(84, 'x')));
  EXPECT_EQ(writer.counts().records, 10u);
  EXPECT_EQ(writer.pending_bytes(), 0u);
}

TEST_F(WriterTest, RefusesRecordsThatAreNoProducersOrTooLarge) {
  Writer writer(options(), clock_);
  for (const auto type : {RecordType::kBlock, RecordType(0), RecordType(10), RecordType(255)}) {
    EXPECT_EQ(writer.append(type, 0, "").error().code, Errc::kInvalidArgument);
  }
  EXPECT_EQ(writer.append(RecordType::kSpan, 0, std::string(kMaxPayloadBytes + 1, 'x')).error().code, Errc::kLimit);
  EXPECT_EQ(writer.counts().lost_records, 5u);
  const std::string largest(kMaxPayloadBytes, 'x');
  ASSERT_TRUE(writer.append(RecordType::kSpan, 3, largest));
  ASSERT_TRUE(writer.flush());
  EXPECT_THAT(all_records(temp_.spool()), ElementsAre(Kept{RecordType::kSpan, 3, largest}));
}

TEST_F(WriterTest, ANewFileBeginsWithThePreambleAndTheOldOneIsLetGo) {
  auto small = options();
  small.file_bytes = 2000;
  Writer writer(small, clock_);
  int files = 0;
  writer.set_preamble([&](Writer& self) {
    ++files;
    ASSERT_TRUE(self.append(RecordType::kResource, 0, "resource"));
    ASSERT_TRUE(self.append(RecordType::kSessionOpen, 5, std::to_string(files)));
    ASSERT_TRUE(self.flush());  // has nothing to do here
  });
  for (std::uint32_t i = 0; i < 50; ++i, clock_.advance(Nanos(1))) {
    ASSERT_TRUE(writer.append(RecordType::kSpan, i, std::string(100, 'x')));
    ASSERT_TRUE(writer.flush());
  }
  const auto found = files_of(temp_.spool());
  ASSERT_GT(found.size(), 2u);
  EXPECT_EQ(static_cast<int>(found.size()), files);
  std::uint32_t next = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].locked, i + 1 == found.size());
    EXPECT_LE(found[i].bytes, 2300u);
    const auto records = records_of(found[i].path);
    ASSERT_GT(records.size(), 2u);
    EXPECT_EQ(records[0], (Kept{RecordType::kResource, 0, "resource"}));
    EXPECT_EQ(records[1], (Kept{RecordType::kSessionOpen, 5, std::to_string(i + 1)}));
    for (std::size_t r = 2; r < records.size(); ++r) EXPECT_EQ(records[r].tag, next++);
  }
  EXPECT_EQ(next, 50u);
  EXPECT_EQ(writer.counts().records, 50u + 2u * found.size());
}

TEST_F(WriterTest, APreambleLargerThanAFileDoesNotStartOneAFlush) {
  auto small = options();
  small.file_bytes = 1000;
  Writer writer(small, clock_);
  writer.set_preamble(
      [](Writer& self) { ASSERT_TRUE(self.append(RecordType::kSessionOpen, 5, std::string(5000, 'x'))); });
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(writer.append(RecordType::kSpan, 1, std::string(50, 'x')));
    ASSERT_TRUE(writer.flush());
  }
  EXPECT_THAT(files_of(temp_.spool()), SizeIs(1));
}

TEST_F(WriterTest, TypesOtherThanSpansStayPlainBetweenBlocksAndInOrder) {
  auto large = options();
  large.batch_bytes = 1u << 20;
  std::vector<Kept> given;
  {
    Writer writer(large, clock_);
    for (std::uint32_t i = 0; i < 400; ++i) {
      const auto type = i == 0 || i == 150 || i == 399 ? RecordType::kCallOpen : RecordType::kSpan;
      given.push_back({type, i, std::string(200, static_cast<char>('a' + i % 5))});
      ASSERT_TRUE(writer.append(type, i, given.back().payload));
    }
  }
  const auto files = files_of(temp_.spool());
  ASSERT_THAT(files, SizeIs(1));
  EXPECT_LT(files[0].bytes, 10'000u);
  EXPECT_EQ(records_of(files[0].path), given);
}

TEST_F(WriterTest, TheOldestUnlockedFilesGoWhenTheDirectoryIsOverItsBound) {
  auto small = options();
  small.total_bytes = 5 * 4096;
  small.look_after = {};
  small.kept_bytes = 0;
  Writer holder(small, clock_);
  ASSERT_TRUE(holder.append(RecordType::kSpan, 0, "held"));
  ASSERT_TRUE(holder.flush());
  for (std::uint32_t i = 1; i <= 8; ++i) {
    clock_.advance(Nanos(1));
    Writer writer(small, clock_);
    ASSERT_TRUE(writer.append(RecordType::kSpan, i, "x"));
    ASSERT_TRUE(writer.flush());
    EXPECT_EQ(writer.counts().expired_files, i > 5 ? 1u : 0u) << i;
  }
  const auto left = all_records(temp_.spool());
  ASSERT_THAT(left, SizeIs(6));  // five, and the one that was new
  EXPECT_EQ(left[0].payload, "held");
  for (std::uint32_t i = 1; i < 6; ++i) EXPECT_EQ(left[i].tag, i + 3);
}

TEST_F(WriterTest, ADirectoryOverItsBoundWithLivingFilesOnlyIsNoReasonToStop) {
  auto small = options();
  small.total_files = 1;
  small.look_after = {};
  std::vector<std::unique_ptr<Writer>> writers;
  for (std::uint32_t i = 0; i < 5; ++i) {
    writers.push_back(std::make_unique<Writer>(small, clock_));
    ASSERT_TRUE(writers.back()->append(RecordType::kSpan, i, "x"));
    ASSERT_TRUE(writers.back()->flush());
    EXPECT_EQ(writers.back()->counts().expired_files, 0u);
  }
  EXPECT_THAT(all_records(temp_.spool()), SizeIs(5));
}

TEST_F(WriterTest, LeftoversOfProcessesThatDiedWhileMakingAFileGo) {
  Writer first(options(), clock_);
  ASSERT_TRUE(first.append(RecordType::kSpan, 1, "x"));
  ASSERT_TRUE(first.flush());
  const std::string left = first.path() + ".tmp";
  overwrite(left, "half");
  EXPECT_THAT(files_of(temp_.spool()), SizeIs(1));
  const timespec recent{.tv_sec = clock_.wall().count() / 1'000'000'000 - 10, .tv_nsec = 0};
  const timespec times[2] = {recent, recent};
  ASSERT_EQ(::utimensat(AT_FDCWD, left.c_str(), times, 0), 0);
  for (const bool there : {true, false}) {
    Writer next(options(), clock_);
    ASSERT_TRUE(next.append(RecordType::kSpan, 1, "x"));
    ASSERT_TRUE(next.flush());
    EXPECT_EQ(std::filesystem::exists(left), there);
    clock_.advance(std::chrono::minutes(2));
  }
}

TEST_F(WriterTest, AFileDeletedUnderItIsNoticedWithinASecond) {
  Writer writer(options(), clock_);
  ASSERT_TRUE(writer.append(RecordType::kSpan, 1, "gone"));
  ASSERT_TRUE(writer.flush());
  std::filesystem::remove_all(temp_.path() + "/state");
  clock_.advance(std::chrono::seconds(1));
  ASSERT_TRUE(writer.append(RecordType::kSpan, 2, "kept"));
  ASSERT_TRUE(writer.flush());
  EXPECT_THAT(all_records(temp_.spool()), ElementsAre(Kept{RecordType::kSpan, 2, "kept"}));
}

std::uint64_t disk_bytes_of(const std::string& path) {
  struct stat status{};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

TEST_F(WriterTest, RoomIsKeptBehindAFileUntilItIsLeft) {
  auto small = options();
  small.file_bytes = 100'000;
  small.kept_bytes = 16 << 10;
  Writer writer(small, clock_);
  std::vector<Kept> given;
  for (std::uint32_t i = 0; i < 100; ++i, clock_.advance(Nanos(1))) {
    given.push_back({RecordType::kCallOpen, i, std::string(3000, 'x')});
    ASSERT_TRUE(writer.append(RecordType::kCallOpen, i, given.back().payload));
    ASSERT_TRUE(writer.flush());
    const std::uint64_t size = std::filesystem::file_size(writer.path());
    EXPECT_GE(disk_bytes_of(writer.path()), size + (16 << 10));
    EXPECT_LE(disk_bytes_of(writer.path()), size + (32 << 10) + 4096);
  }
  ASSERT_TRUE(writer.finish());
  EXPECT_THAT(files_of(temp_.spool()), SizeIs(testing::Gt(2u)));
  for (const FileInfo& file : files_of(temp_.spool())) {
    EXPECT_LT(disk_bytes_of(file.path), file.bytes + 4096) << "those that were left on the way, too";
  }
  EXPECT_EQ(all_records(temp_.spool()), given);
}

TEST_F(WriterTest, WhatIsKeptBehindTheFileOfAProcessThatWasKilledCountsForTheBound) {
  auto small = options();
  small.kept_bytes = 16 << 10;
  Writer living(small, clock_);
  ASSERT_TRUE(living.append(RecordType::kSpan, 1, "x"));
  ASSERT_TRUE(living.flush());
  const auto entries = list_entries(open_directory(temp_.spool(), Use::kRead)->get(), kSuffix);
  ASSERT_TRUE(entries);
  EXPECT_GE((*entries)[0].disk_bytes, 32u << 10);
}

TEST_F(WriterTest, AFileLimitOfTheProcessIsOneMoreSizeAtWhichAFileIsLeft) {
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{.rlim_cur = 6000, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  {
    // SIGXFSZ has its default action: a write beyond the limit would end this test.
    Writer writer(options(), clock_);
    for (std::uint32_t i = 0; i < 50; ++i, clock_.advance(Nanos(1))) {
      ASSERT_TRUE(writer.append(RecordType::kCallOpen, i, std::string(500, 'x')));
      ASSERT_TRUE(writer.flush());
    }
    ASSERT_TRUE(writer.append(RecordType::kCallOpen, 99, std::string(7000, 'x')));
    ASSERT_TRUE(writer.append(RecordType::kSessionClose, 50, "closed all the same"));
    EXPECT_EQ(writer.flush().error().code, Errc::kLimit);
    EXPECT_EQ(writer.counts().lost_records, 1u);
  }
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  const auto all = all_records(temp_.spool());
  ASSERT_THAT(all, SizeIs(51));
  for (std::uint32_t i = 0; i < 51; ++i) EXPECT_EQ(all[i].tag, i);
  for (const FileInfo& file : files_of(temp_.spool())) EXPECT_LE(file.bytes, 6000u);
}

}  // namespace
}  // namespace mcptrace::spool
