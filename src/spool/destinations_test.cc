#include "spool/destinations.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "spool/spool_testing.h"

namespace mcptrace::spool {
namespace {

class DestinationsTest : public testing::Test {
 protected:
  [[nodiscard]] std::string state() const { return temp_.path() + "/state"; }
  void leave(const std::string& name, std::string_view text) {
    const auto left = leave_destination(state(), name, text);
    EXPECT_TRUE(left) << left.error().message;
  }
  void set_touched(const std::string& name, Nanos wall) {
    const timespec at = {.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(wall).count(), .tv_nsec = 0};
    const timespec times[] = {at, at};
    EXPECT_EQ(::utimensat(AT_FDCWD, (state() + "/destinations/" + name).c_str(), times, 0), 0);
  }

  TempDirectory temp_;
  const std::string one_ = destination_name(1), two_ = destination_name(~0ull);
};

TEST_F(DestinationsTest, ANameIsOtelAndADigest) {
  EXPECT_EQ(one_, "otel-0000000000000001");
  EXPECT_EQ(two_, "otel-ffffffffffffffff");
  EXPECT_TRUE(is_destination_name(one_));
  for (const char* other : {"", "otel-", "otel-1", "otel-000000000000000G", "otel-000000000000000A", "jaeger",
                            "otel-0000000000000001.tmp", "Otel-0000000000000001"}) {
    EXPECT_FALSE(is_destination_name(other)) << other;
  }
}

TEST_F(DestinationsTest, WhatIsLeftIsThereForItsOwnerAlone) {
  EXPECT_TRUE(left_destinations(state()).empty());
  leave(two_, "A=2\n");
  leave(one_, "A=1\nB=2\n");
  const auto left = left_destinations(state());
  ASSERT_EQ(left.size(), 2u);
  EXPECT_EQ(left[0].name, one_);
  EXPECT_EQ(left[0].text, "A=1\nB=2\n");
  EXPECT_EQ(left[1].name, two_);
  struct stat status{};
  ASSERT_EQ(::stat((state() + "/destinations/" + one_).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  ASSERT_EQ(::stat((state() + "/destinations").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700u);
}

TEST_F(DestinationsTest, LeftAgainItIsTouched) {
  leave(one_, "A=1\n");
  set_touched(one_, std::chrono::hours(1));
  EXPECT_EQ(left_destinations(state())[0].touched, std::chrono::hours(1));
  leave(one_, "A=1\n");
  EXPECT_GT(left_destinations(state())[0].touched, std::chrono::hours(1));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(state() + "/destinations"), {}), 1);
}

TEST_F(DestinationsTest, OnlyWhatNobodyTouchedIsForgotten) {
  leave(one_, "A=1\n");
  set_touched(one_, std::chrono::hours(10));
  EXPECT_FALSE(forget_destination(state(), one_, std::chrono::hours(9)));
  EXPECT_FALSE(forget_destination(state(), one_, std::chrono::hours(10)));
  EXPECT_EQ(left_destinations(state()).size(), 1u);
  EXPECT_TRUE(forget_destination(state(), one_, std::chrono::hours(11)));
  EXPECT_TRUE(std::filesystem::is_empty(state() + "/destinations"));
  EXPECT_TRUE(forget_destination(state(), one_, std::chrono::hours(11))) << "it is gone already";
  leave(one_, "A=1\n");
  EXPECT_EQ(left_destinations(state()).size(), 1u);
}

TEST_F(DestinationsTest, ALinkIsNone) {
  leave(one_, "A=1\n");
  std::filesystem::create_symlink("/etc/passwd", state() + "/destinations/" + two_);
  EXPECT_EQ(left_destinations(state()).size(), 1u);
}

TEST_F(DestinationsTest, WhereNothingCanBeWrittenThatIsAnError) {
  std::filesystem::create_directories(temp_.path());
  const UniqueFd file(::open(state().c_str(), O_WRONLY | O_CREAT, 0600));
  EXPECT_FALSE(leave_destination(state(), one_, "A=1\n"));
}

}  // namespace
}  // namespace mcptrace::spool
