#include "spool/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "base/testing.h"
#include "spool/layout.h"
#include "spool/spool_testing.h"

namespace mcptrace::spool {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<std::string> payloads(const std::vector<Kept>& records) {
  std::vector<std::string> all;
  for (const Kept& record : records) all.push_back(record.payload);
  return all;
}

class ReaderTest : public testing::Test {
 protected:
  // One unlocked file with these payloads, plain.
  std::string file_with(const std::vector<std::string>& texts) {
    Writer writer({.directory = temp_.spool(), .compress_from = 1u << 30, .name_prefix = "run"}, clock_);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      EXPECT_TRUE(writer.append(RecordType::kSpan, static_cast<std::uint32_t>(i), texts[i]));
    }
    EXPECT_TRUE(writer.flush());
    return writer.path();
  }
  static std::size_t offset_of(const std::string& path, const std::string& payload) {
    return bytes_of(path).find(payload) - kRecordHeaderBytes;
  }

  TempDirectory temp_;
  ManualClock clock_;
};

TEST_F(ReaderTest, AMissingDirectoryIsAnEmptySpool) {
  EXPECT_THAT(files_of(temp_.spool()), IsEmpty());
  EXPECT_EQ(remove_files(temp_.spool(), clock_.wall())->files, 0u);
  EXPECT_FALSE(std::filesystem::exists(temp_.spool()));
}

TEST_F(ReaderTest, WhatIsNotOursInTheDirectoryIsPassedOver) {
  const std::string path = file_with({"one"});
  std::filesystem::create_directory(temp_.spool() + "/cursors");
  std::filesystem::create_symlink(path, temp_.spool() + "/00000000000000000001-x-1-00000000.spool");
  ASSERT_EQ(::mkfifo((temp_.spool() + "/00000000000000000002-x-1-00000000.spool").c_str(), 0600), 0);
  std::filesystem::create_directory(temp_.spool() + "/00000000000000000003-x-1-00000000.spool");
  for (const char* name : {"notes.txt", "x.spool", "00000000000000000001-x-1-0000000g.spool", "1-x-1-00000000.spool",
                           "00000000000000000001-x-1-00000000.spool.tmp", "99999999999999999999-x-1-00000000.spool"}) {
    overwrite(temp_.spool() + "/" + name, "?");
  }
  EXPECT_THAT(files_of(temp_.spool()), ElementsAre(testing::Field(&FileInfo::path, path)));
}

TEST_F(ReaderTest, FilesThatCannotBeReadSayWhy) {
  std::filesystem::create_directory(temp_.path() + "/d");
  ASSERT_EQ(::mkfifo((temp_.path() + "/fifo").c_str(), 0600), 0);
  std::filesystem::create_symlink(file_with({"one"}), temp_.path() + "/link");
  const std::pair<const char*, Errc> cases[] = {{"/missing", Errc::kNotFound},
                                                {"/d", Errc::kInvalidArgument},
                                                {"/fifo", Errc::kInvalidArgument},
                                                {"/link", Errc::kIo}};
  for (const auto& [name, code] : cases) {
    FileReader reader(temp_.path() + name);
    EXPECT_FALSE(reader.next());
    ASSERT_TRUE(reader.error()) << name;
    EXPECT_EQ(reader.error()->code, code) << name;
  }
}

TEST_F(ReaderTest, AFileOfANewerVersionIsCountedAndLeft) {
  const std::string path = temp_.path() + "/new";
  overwrite(path, encode_file_header({.version = 2}) + "what comes then");
  FileReader reader(path);
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.next());
  ASSERT_TRUE(reader.error());
  EXPECT_EQ(reader.error()->code, Errc::kUnsupported);
  EXPECT_EQ(reader.skipped().unsupported, 1u);
  EXPECT_EQ(reader.skipped().bytes, 0u);
  EXPECT_EQ(reader.position(), 0u);
}

TEST_F(ReaderTest, RecordsOfANewerTypeAndALongerHeaderArePassedOver) {
  std::string bytes = encode_file_header({.size = 40, .salt = 5}) + "12345678";
  for (const int type : {4, 10, 31, 5, 7, 8}) {
    std::string record;
    append_record(record, static_cast<RecordType>(type), 1, "payload" + std::to_string(type));
    seal_record(record.data(), record.size(), 5);
    bytes += record;
  }
  overwrite(temp_.path() + "/f", bytes);
  FileReader reader(temp_.path() + "/f");
  EXPECT_THAT(payloads(rest_of(reader)), ElementsAre("payload4", "payload5", "payload7", "payload8"));
  EXPECT_EQ(reader.skipped().unsupported, 2u);
  EXPECT_EQ(reader.skipped().bytes, 0u);
}

TEST_F(ReaderTest, GoesOnWhereAGrowingFileEnded) {
  Writer writer({.directory = temp_.spool()}, clock_);
  ASSERT_TRUE(writer.append(RecordType::kSpan, 1, "one"));
  ASSERT_TRUE(writer.flush());
  FileReader reader(writer.path());
  EXPECT_THAT(payloads(rest_of(reader)), ElementsAre("one"));
  EXPECT_FALSE(reader.next());
  ASSERT_TRUE(writer.append(RecordType::kSpan, 1, "two"));
  ASSERT_TRUE(writer.flush());
  EXPECT_THAT(payloads(rest_of(reader)), ElementsAre("two"));
  EXPECT_EQ(reader.position(), std::filesystem::file_size(writer.path()));
}

TEST_F(ReaderTest, HalfARecordOfALivingFileIsWaitedForAndOfADeadOneCounted) {
  const std::string whole = bytes_of(file_with({"first", "second", "third"}));
  const std::string path = temp_.path() + "/growing";
  for (std::size_t cut = kFileHeaderBytes; cut < whole.size(); ++cut) {
    overwrite(path, whole.substr(0, cut));
    UniqueFd holder(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    struct flock lock{};
    lock.l_type = F_WRLCK;
    ASSERT_EQ(::fcntl(holder.get(), F_OFD_SETLK, &lock), 0);
    FileReader reader(path);
    const std::size_t before = rest_of(reader).size();
    EXPECT_EQ(reader.skipped().bytes, 0u) << cut;
    ASSERT_TRUE(write_all(holder.get(), std::string_view(whole).substr(cut, 3)));
    const std::size_t some = rest_of(reader).size();
    ASSERT_TRUE(write_all(holder.get(), std::string_view(whole).substr(std::min(whole.size(), cut + 3))));
    holder.reset();
    EXPECT_EQ(before + some + rest_of(reader).size(), 3u) << cut;
    EXPECT_EQ(reader.skipped().places, 0u) << cut;

    overwrite(path, whole.substr(0, cut));
    FileReader dead(path);
    const std::size_t records = rest_of(dead).size();
    EXPECT_EQ(records, before);
    EXPECT_EQ(dead.position(), cut);
    const std::size_t names[] = {kFileHeaderBytes, kFileHeaderBytes + 21, kFileHeaderBytes + 21 + 22};
    EXPECT_EQ(dead.skipped().bytes, cut - names[records]) << cut;
    EXPECT_EQ(dead.skipped().places, cut == names[records] ? 0u : 1u) << cut;
  }
}

TEST_F(ReaderTest, AHalfRecordThatIsCutOffAndReplacedIsReadAnew) {
  const std::string whole = bytes_of(file_with({"first", std::string(300, 'x')}));
  const std::string other = bytes_of(file_with({"first", "after"}));
  const std::string path = temp_.path() + "/growing";
  overwrite(path, whole.substr(0, whole.size() - 100));
  UniqueFd holder(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  struct flock lock{};
  lock.l_type = F_WRLCK;
  ASSERT_EQ(::fcntl(holder.get(), F_OFD_SETLK, &lock), 0);
  FileReader reader(path);
  EXPECT_EQ(reader.next()->payload, "first");
  ASSERT_EQ(::ftruncate(holder.get(), kFileHeaderBytes + 21), 0);  // before the reader came to it
  std::string record;
  append_record(record, RecordType::kSpan, 1, "after");
  seal_record(record.data(), record.size(), decode_file_header(whole)->salt);
  ASSERT_TRUE(write_all(holder.get(), record));
  EXPECT_THAT(payloads(rest_of(reader)), ElementsAre("after"));
  EXPECT_EQ(reader.skipped().bytes, 0u);
}

TEST_F(ReaderTest, ADamagedRecordCostsItselfOnlyWhereverItIsHit) {
  const std::string path = file_with({"first", std::string(100, 'm'), "third"});
  const std::string whole = bytes_of(path);
  const std::size_t begin = offset_of(path, std::string(100, 'm'));
  for (std::size_t at = begin; at < begin + kRecordHeaderBytes + 100; ++at) {
    for (const int bit : {0, 3, 7}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      overwrite(path, damaged);
      FileReader reader(path);
      EXPECT_THAT(payloads(rest_of(reader)), ElementsAre("first", "third")) << at << " " << bit;
      EXPECT_EQ(reader.skipped().places, 1u);
      EXPECT_EQ(reader.skipped().bytes, kRecordHeaderBytes + 100);
      EXPECT_EQ(reader.position(), whole.size());
    }
  }
}

TEST_F(ReaderTest, ADamagedHeaderCostsNoRecord) {
  const std::string path = file_with({"first", "second"});
  const std::string whole = bytes_of(path);
  for (std::size_t at = 0; at < kFileHeaderBytes; ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(~damaged[at]);
    overwrite(path, damaged);
    FileReader reader(path);
    EXPECT_THAT(payloads(rest_of(reader)), ElementsAre("first", "second")) << at;
    EXPECT_EQ(reader.skipped().bytes, kFileHeaderBytes);
    EXPECT_EQ(reader.skipped().places, 1u);
  }
}

TEST_F(ReaderTest, EmptyZeroedAndForeignFilesAreReadWithoutHarm) {
  const std::string path = file_with({"first"});
  for (const std::string& bytes :
       {std::string(), std::string("x"), std::string(100'000, '\0'), std::string(5000, '\x04')}) {
    overwrite(path, bytes);
    FileReader reader(path);
    EXPECT_FALSE(reader.next());
    EXPECT_FALSE(reader.error());
    EXPECT_EQ(reader.skipped().bytes, bytes.size());
    EXPECT_EQ(reader.skipped().places, bytes.empty() ? 0u : 1u);
    EXPECT_EQ(reader.position(), bytes.size());
  }
}

TEST_F(ReaderTest, ARecordQuotedInAPayloadIsNotTakenForOne) {
  // The quote comes from a file with a salt of its own; the record around it is damaged.
  const std::string quoted = bytes_of(file_with({"evil"}));
  const std::string path = file_with({"a" + quoted, "last"});
  std::string bytes = bytes_of(path);
  bytes[offset_of(path, "a" + quoted)] ^= 1;
  overwrite(path, bytes);
  FileReader reader(path);
  EXPECT_THAT(payloads(rest_of(reader)), ElementsAre("last"));
}

TEST_F(ReaderTest, ABlockWhoseContentsAreWrongIsPassedOverAsAWhole) {
  std::string bytes = encode_file_header({.salt = 5});
  std::string block;
  append_record(block, RecordType::kBlock, 0, std::string(40, '\1'));
  append_record(block, RecordType::kSpan, 0, "after");
  seal_record(block.data(), kRecordHeaderBytes + 40, 5);
  seal_record(block.data() + kRecordHeaderBytes + 40, kRecordHeaderBytes + 5, 5);
  overwrite(temp_.path() + "/f", bytes + block);
  FileReader reader(temp_.path() + "/f");
  EXPECT_THAT(payloads(rest_of(reader)), ElementsAre("after"));
  EXPECT_EQ(reader.skipped().bytes, kRecordHeaderBytes + 40);
  EXPECT_EQ(reader.skipped().places, 1u);
}

TEST_F(ReaderTest, FiltersGiveTheSameAsReadingAll) {
  Writer writer({.directory = temp_.spool(), .batch_bytes = 20'000, .compress_from = 1000}, clock_);
  for (std::uint32_t i = 0; i < 2000; ++i) {
    const auto type = i % 100 == 0 ? RecordType::kCallOpen : RecordType::kSpan;
    ASSERT_TRUE(writer.append(type, i / 50, std::string(200, static_cast<char>('a' + i % 3))));
  }
  ASSERT_TRUE(writer.flush());
  const auto all = records_of(writer.path());
  ASSERT_THAT(all, SizeIs(2000));
  const ReadFilter filters[] = {{.types = 1u << 4}, {.types = 1u << 3}, {.types = 0},
                                {.tag = 7},         {.tag = 1000},      {.types = 1u << 3, .tag = 8}};
  for (const ReadFilter& filter : filters) {
    std::vector<Kept> expected;
    for (const Kept& record : all) {
      const bool type = (filter.types >> static_cast<unsigned>(record.type) & 1) != 0;
      if (type && (!filter.tag || *filter.tag == record.tag)) expected.push_back(record);
    }
    EXPECT_EQ(records_of(writer.path(), filter), expected);
  }
}

TEST_F(ReaderTest, AnyPositionCanBeGoneBackTo) {
  Writer writer({.directory = temp_.spool(), .batch_bytes = 5000, .compress_from = 1000}, clock_);
  for (std::uint32_t i = 0; i < 200; ++i) {
    ASSERT_TRUE(writer.append(i % 30 == 0 ? RecordType::kCallOpen : RecordType::kSpan, i, std::string(100, 'x')));
  }
  ASSERT_TRUE(writer.flush());
  const auto all = records_of(writer.path());
  FileReader reader(writer.path());
  std::uint64_t passed = 0;  // records up to position()
  for (std::uint64_t given = 1; reader.next(); ++given) {
    FileReader again(writer.path());
    again.seek(reader.position());
    const auto rest = rest_of(again);
    EXPECT_EQ(again.skipped().bytes, 0u);
    ASSERT_GE(rest.size(), all.size() - given) << "nothing unread is passed";
    EXPECT_EQ(rest, std::vector<Kept>(all.end() - static_cast<std::ptrdiff_t>(rest.size()), all.end()));
    EXPECT_GE(all.size() - rest.size(), passed);
    passed = all.size() - rest.size();
  }
  EXPECT_EQ(passed, all.size());
  reader.seek(0);
  EXPECT_EQ(rest_of(reader), all);
}

TEST_F(ReaderTest, LookingForTheNextRecordIsLinearAlsoWhereEverythingLooksLikeOne) {
  // Every 16 bytes a header that promises 4 MiB, none of which checks: a naive search would put 16 TB through the
  // checksum.
  std::string bytes = encode_file_header({.salt = 5});
  std::string header;
  append_record(header, RecordType::kSpan, 1, "");
  store32(header.data(), kMaxPayloadBytes);
  while (bytes.size() < 8u << 20) bytes += header;
  overwrite(temp_.path() + "/f", bytes);
  FileReader reader(temp_.path() + "/f");
  EXPECT_FALSE(reader.next());
  EXPECT_EQ(reader.skipped().bytes, bytes.size() - kFileHeaderBytes);
  EXPECT_EQ(reader.skipped().places, 1u);
}

TEST_F(ReaderTest, RemovesFilesOlderThanAMomentUnlessHeld) {
  const std::string old = file_with({"old"});
  const std::string young = file_with({"young"});
  Writer living({.directory = temp_.spool()}, clock_);
  ASSERT_TRUE(living.append(RecordType::kSpan, 1, "x"));
  ASSERT_TRUE(living.flush());
  overwrite(old + ".tmp", "");
  for (const std::string& path : {old, old + ".tmp", living.path(), young}) {
    const timespec when{.tv_sec = path == young ? 2000 : 1000, .tv_nsec = 0};
    const timespec times[2] = {when, when};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  }
  const auto removed = remove_files(temp_.spool(), std::chrono::seconds(1500));
  ASSERT_TRUE(removed);
  EXPECT_EQ(removed->files, 2u);
  EXPECT_EQ(removed->kept_locked, 1u);
  EXPECT_FALSE(std::filesystem::exists(old));
  EXPECT_FALSE(std::filesystem::exists(old + ".tmp"));
  EXPECT_TRUE(std::filesystem::exists(young));
  EXPECT_TRUE(std::filesystem::exists(living.path()));
}

}  // namespace
}  // namespace mcptrace::spool
