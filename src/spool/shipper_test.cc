#include "spool/shipper.h"

#include <gmock/gmock.h>

#include <fstream>

#include "spool/spool_testing.h"

namespace mcptrace::spool {
namespace {

using testing::ElementsAre;

class ShipperTest : public testing::Test {
 protected:
  [[nodiscard]] std::string state() const { return temp_.path() + "/state"; }
  std::optional<ShipLock> take() {
    auto lock = ShipLock::take(state());
    EXPECT_TRUE(lock) << lock.error().message;
    return lock ? *std::move(lock) : std::nullopt;
  }

  TempDirectory temp_;
};

TEST_F(ShipperTest, OnlyOneHoldsTheLock) {
  EXPECT_FALSE(has_shipper(state()));
  std::optional<ShipLock> lock = take();
  ASSERT_TRUE(lock);
  EXPECT_TRUE(has_shipper(state()));
  EXPECT_FALSE(take());
  std::string pid;
  std::ifstream(state() + "/ship.lock") >> pid;
  EXPECT_EQ(pid, std::to_string(::getpid())) << "who did not get it wrote nothing there";
  lock.reset();
  EXPECT_FALSE(has_shipper(state()));
  EXPECT_TRUE(take());
}

TEST_F(ShipperTest, AStateDirectoryThatOthersMayWriteToIsItsOwnersAffair) {
  ASSERT_EQ(::mkdir(state().c_str(), 0700), 0);
  ASSERT_EQ(::chmod(state().c_str(), 0775), 0);
  const std::optional<ShipLock> lock = take();
  ASSERT_TRUE(lock);
  EXPECT_TRUE(lock->serve({}));
  EXPECT_TRUE(served(state()));
}

TEST_F(ShipperTest, WhatIsServedIsOfTheOneThatLives) {
  EXPECT_FALSE(served(state()));
  std::optional<ShipLock> lock = take();
  EXPECT_FALSE(served(state())) << "it did not say yet";
  ASSERT_TRUE(lock->serve({}));
  EXPECT_THAT(served(state()).value(), ElementsAre());
  ASSERT_TRUE(lock->serve(std::vector<std::string>{"jaeger", "otel-0000000000000001"}));
  EXPECT_THAT(served(state()).value(), ElementsAre("jaeger", "otel-0000000000000001"));
  lock.reset();
  EXPECT_FALSE(served(state()));
  lock = take();
  EXPECT_FALSE(served(state())) << "that was another's";
}

TEST_F(ShipperTest, AskedToHurryItKnowsWhen) {
  EXPECT_EQ(hurry_asked(state()), Nanos(0));
  EXPECT_FALSE(ask_to_hurry(state())) << "there is no such directory";
  take();
  ASSERT_TRUE(ask_to_hurry(state()));
  const Nanos first = hurry_asked(state());
  EXPECT_GT(first, Nanos(0));
  ASSERT_TRUE(ask_to_hurry(state()));
  EXPECT_GE(hurry_asked(state()), first);
}

TEST_F(ShipperTest, CursorsOfDestinationsAreToldFromOthers) { EXPECT_EQ(ship_cursor("jaeger"), "ship-jaeger"); }

}  // namespace
}  // namespace mcptrace::spool
