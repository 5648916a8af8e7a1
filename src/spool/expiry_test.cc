#include "spool/expiry.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/testing.h"
#include "spool/cursor.h"
#include "spool/directory.h"
#include "spool/spool_testing.h"

namespace mcptrace::spool {
namespace {

using testing::ElementsAre;

class ExpiryTest : public testing::Test {
 protected:
  // A file that its process has left; its name.
  std::string leave_file(std::uint32_t tag) {
    clock_.advance(Nanos(1));
    Writer writer({.directory = temp_.spool()}, clock_);
    EXPECT_TRUE(writer.append(RecordType::kSpan, tag, "x"));
    EXPECT_TRUE(writer.flush());
    return writer.path().substr(temp_.spool().size() + 1);
  }

  // So that at most `files` are left, whatever their size.
  Expired expire_to(std::uint64_t files) {
    auto directory = make_directory(temp_.spool());
    EXPECT_TRUE(directory);
    return expire(directory->get(), temp_.spool(), 1 << 30, files, clock_.wall());
  }

  std::vector<std::uint32_t> tags() {
    std::vector<std::uint32_t> tags;
    for (const Kept& record : all_records(temp_.spool())) tags.push_back(record.tag);
    return tags;
  }

  // Now, by our clock.
  void read_to_the_end(const std::string& cursor_name, const std::string& file) {
    std::filesystem::create_directory(cursors_of(temp_.spool()));
    std::ofstream(cursors_of(temp_.spool()) + "/" + cursor_name, std::ios::app) << file << " 1048576 and more\n";
    const timespec now{.tv_sec = clock_.wall().count() / 1'000'000'000, .tv_nsec = 0};
    const timespec times[] = {now, now};
    ASSERT_EQ(::utimensat(AT_FDCWD, (temp_.spool() + "/cursors/" + cursor_name).c_str(), times, 0), 0);
  }

  void append_to_count(std::string_view lines) {
    const UniqueFd fd(::open((temp_.spool() + "/expired").c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
    ASSERT_TRUE(write_all(fd.get(), lines));
  }

  TempDirectory temp_;
  ManualClock clock_;
};

TEST_F(ExpiryTest, WhatGoesUnreadIsCountedForWhoeverAsks) {
  EXPECT_EQ(read_expired(temp_.spool()).files, 0u);  // there is no spool yet
  for (std::uint32_t i = 1; i <= 5; ++i) leave_file(i);
  EXPECT_EQ(expire_to(5).files, 0u);
  EXPECT_EQ(read_expired(temp_.spool()).files, 0u);
  const Expired first = expire_to(3);
  EXPECT_EQ(first.files, 2u);
  EXPECT_GT(first.bytes, 0u);
  EXPECT_THAT(tags(), ElementsAre(3, 4, 5));
  const Expired second = expire_to(1);
  EXPECT_EQ(second.files, 2u);
  const Expired all = read_expired(temp_.spool());
  EXPECT_EQ(all.files, 4u);
  EXPECT_EQ(all.bytes, first.bytes + second.bytes);
  forget_expired(temp_.spool());
  EXPECT_EQ(read_expired(temp_.spool()).files, 0u);
}

TEST_F(ExpiryTest, WhatEveryCursorHasPassedGoesFirstAndIsNoLoss) {
  leave_file(1);
  const std::string second = leave_file(2);
  leave_file(3);
  const std::string fourth = leave_file(4);
  for (const std::string& file : {second, fourth}) read_to_the_end("a", file);
  read_to_the_end("b", second);
  EXPECT_EQ(expire_to(3).files, 0u);
  EXPECT_THAT(tags(), ElementsAre(1, 3, 4));
  EXPECT_EQ(expire_to(2).files, 1u);  // read by one of them alone
  EXPECT_THAT(tags(), ElementsAre(3, 4));
  // A week later they count no more.
  clock_.jump_wall(std::chrono::hours(24 * 8));
  EXPECT_EQ(expire_to(0).files, 2u);
  EXPECT_EQ(read_expired(temp_.spool()).files, 3u);
}

TEST_F(ExpiryTest, TheCountIsAFileThatStaysSmall) {
  for (std::uint32_t i = 0; i < 200; ++i) {
    std::string lines;
    for (int j = 0; j < 100; ++j) lines += "1 4096\n";
    leave_file(i);
    append_to_count(lines);
    expire_to(0);
    EXPECT_LT(std::filesystem::file_size(temp_.spool() + "/expired"), 17u << 10);
  }
  EXPECT_EQ(read_expired(temp_.spool()).files, 200u * 101);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(temp_.spool()), {}), 2) << "it, and when it was looked";
}

TEST_F(ExpiryTest, ALookIsRememberedForAWhile) {
  const auto directory = make_directory(temp_.spool());
  ASSERT_TRUE(directory);
  const auto lately = [&] { return looked_lately(directory->get(), clock_.wall(), std::chrono::minutes(1)); };
  EXPECT_FALSE(lately());
  note_look(directory->get(), clock_.wall());
  EXPECT_TRUE(lately());
  clock_.advance(std::chrono::minutes(1) - Nanos(1));
  EXPECT_TRUE(lately());
  clock_.advance(Nanos(1));
  EXPECT_FALSE(lately());
  note_look(directory->get(), clock_.wall());
  EXPECT_TRUE(lately());
  clock_.jump_wall(-std::chrono::hours(1));
  EXPECT_FALSE(lately()) << "a clock that was set back is not waited for";
}

TEST_F(ExpiryTest, AFirstFileNeedsNoLookOfItsOwnWhereThereWasOne) {
  const WriterOptions one{.directory = temp_.spool(), .file_bytes = 1, .total_files = 1};
  const auto write = [&](Writer& writer, std::uint32_t tag) {
    EXPECT_TRUE(writer.append(RecordType::kSpan, tag, "x"));
    EXPECT_TRUE(writer.flush());
    clock_.advance(std::chrono::seconds(1));
  };
  for (std::uint32_t tag = 1; tag <= 3; ++tag) {
    Writer writer(one, clock_);
    write(writer, tag);
    EXPECT_EQ(writer.counts().expired_files, 0u);
  }
  EXPECT_THAT(tags(), ElementsAre(1, 2, 3));
  Writer other(one, clock_);
  write(other, 4);
  write(other, 5);  // its second
  EXPECT_EQ(other.counts().expired_files, 3u);
  clock_.advance(std::chrono::minutes(1));
  Writer later(one, clock_);
  write(later, 6);
  EXPECT_EQ(later.counts().expired_files, 1u);
  EXPECT_THAT(tags(), ElementsAre(5, 6)) << "one is held";
}

TEST_F(ExpiryTest, HalfALineAndNonsenseCountNothing) {
  leave_file(1);
  append_to_count("1 10\nx\n2\n3 4 5\n-1 1\n99999999999999999999 1\n\n7 ");
  EXPECT_EQ(read_expired(temp_.spool()).files, 1u);
  EXPECT_EQ(read_expired(temp_.spool()).bytes, 10u);
}

TEST_F(ExpiryTest, ManyAtOnceAddUp) {
  for (std::uint32_t i = 0; i < 64; ++i) leave_file(i);
  std::vector<std::thread> threads;
  std::vector<Expired> gone(8);
  for (std::size_t i = 0; i < gone.size(); ++i) threads.emplace_back([&, i] { gone[i] = expire_to(0); });
  for (std::thread& thread : threads) thread.join();
  std::uint64_t sum = 0;
  for (const Expired& some : gone) sum += some.files;
  EXPECT_EQ(sum, 64u);
  EXPECT_EQ(read_expired(temp_.spool()).files, 64u);
}

}  // namespace
}  // namespace mcptrace::spool
