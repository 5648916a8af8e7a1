#include "app/shipping.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <map>
#include <memory>

#include "app/flush.h"
#include "base/testing.h"
#include "spool/cursor.h"
#include "spool/destinations.h"
#include "spool/shipper.h"
#include "spool/spool_testing.h"

namespace mcptrace::app {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

TEST(ShipEnvironment, IsWhatItNeedsAndNothingElse) {
  const std::vector<std::string> passed_on = {"HOME=/home/ann",
                                              "PATH=/bin",
                                              "TZ=UTC",
                                              "LANG=C.UTF-8",
                                              "XDG_CONFIG_HOME=/c",
                                              "XDG_STATE_HOME=/s",
                                              "MCPTRACE_A=1",
                                              "HTTPS_PROXY=p:1",
                                              "https_proxy=p:2",
                                              "NO_PROXY=*",
                                              "SSL_CERT_FILE=/etc/cert",
                                              "ALL_PROXY=p:3",
                                              "http_proxy=p:4",
                                              "HONEYCOMB_API_KEY=key",
                                              "SSL_CERT_DIR=/etc/certs"};
  std::vector<std::string> ours = passed_on;
  for (const char* other : {"OTEL_EXPORTER_OTLP_HEADERS=x=y", "LD_PRELOAD=/x", "AWS_SECRET_ACCESS_KEY=s", "HOMER=1",
                            "PATHS=1", "LANGUAGE=de", "odd", "=", "MCPTRACE_HOME=elsewhere", "HONEYCOMB_API_KEYS=2"}) {
    ours.emplace_back(other);
  }
  std::vector<std::string> expected = passed_on;
  expected.emplace_back("MCPTRACE_HOME=/state");
  EXPECT_EQ(ship_environment(ours, "/state", {"HONEYCOMB_API_KEY"}, "/somewhere"), expected);
}

TEST(ShipEnvironment, RelativePathsAreOfOurDirectory) {
  EXPECT_THAT(ship_environment({"MCPTRACE_CONFIG=c.yaml"}, "st", {}, "/somewhere"),
              ElementsAre("MCPTRACE_CONFIG=/somewhere/c.yaml", "MCPTRACE_HOME=/somewhere/st"));
  EXPECT_THAT(ship_environment({"MCPTRACE_CONFIG=none"}, "/st", {}, "/somewhere"),
              ElementsAre("MCPTRACE_CONFIG=none", "MCPTRACE_HOME=/st"));
  EXPECT_THAT(ship_environment({"MCPTRACE_CONFIG="}, "/st", {}, "/somewhere"),
              ElementsAre("MCPTRACE_CONFIG=", "MCPTRACE_HOME=/st"));
}

// Its `ship` is a shell that leaves a line in a FIFO, whose reader so knows of each start, and that there was none.
class StarterTest : public testing::Test {
 protected:
  StarterTest() {
    EXPECT_EQ(::mkdir(state_.c_str(), 0700), 0);
    EXPECT_EQ(::mkfifo(fifo_.c_str(), 0600), 0);
    starts_.reset(::open(fifo_.c_str(), O_RDWR | O_CLOEXEC));
  }
  void expect_started() {
    std::array<char, 8> line;
    ASSERT_EQ(::read(starts_.get(), line.data(), line.size()), 8) << "waits for the line";
  }

  spool::TempDirectory temp_;
  std::string state_ = temp_.path() + "/state", fifo_ = temp_.path() + "/fifo";
  UniqueFd starts_;
  ManualClock clock_;
  Log log_{-1};
  DetachedProgram shell_{
      .places = {"/bin/sh"}, .arguments = {"ship", "-c", "echo started >" + fifo_}, .environment = {}};
};

TEST_F(StarterTest, StartsItWhereThereIsNoneAndLooksEveryTenSeconds) {
  ShipStarter starter(state_, shell_, clock_, log_);
  EXPECT_TRUE(starter.check());
  expect_started();
  EXPECT_FALSE(starter.check());
  clock_.advance(9999ms);
  EXPECT_FALSE(starter.check());
  clock_.advance(1ms);
  EXPECT_TRUE(starter.check());
  expect_started();
  EXPECT_EQ(starter.failures(), 0u);
}

TEST_F(StarterTest, WhereThereIsOneItStartsNone) {
  const auto lock = spool::ShipLock::take(state_);
  ASSERT_TRUE(lock && *lock);
  DetachedProgram none = shell_;
  none.places = {temp_.path() + "/none"};
  ShipStarter starter(state_, none, clock_, log_);
  EXPECT_TRUE(starter.check());
  EXPECT_EQ(starter.failures(), 0u) << "it was not tried";
}

TEST_F(StarterTest, WhatCannotBeStartedIsCountedAndSaidOnce) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  Log log(write_end.get());
  DetachedProgram none = shell_;
  none.places = {temp_.path() + "/none"};
  ShipStarter starter(state_, none, clock_, log);
  for (int i = 0; i < 3; ++i) {
    starter.check();
    clock_.advance(10s);
  }
  EXPECT_EQ(starter.failures(), 3u);
  write_end.reset();
  const std::string said = read_file("/proc/self/fd/" + std::to_string(read_end.get()), 4096).value_or("");
  EXPECT_EQ(std::ranges::count(said, '\n'), 1) << said;
  EXPECT_NE(said.find("kept and not sent, traffic is not affected"), std::string::npos) << said;
}

// As the observer calls it.
class ShippingTest : public StarterTest {
 protected:
  observe::ObserverOptions attached(const TraceOptions& options) {
    shippings_.push_back(std::make_unique<Shipping>(world_, options, state_, key_, log_));
    observe::ObserverOptions observer;
    shippings_.back()->attach(observer);
    return observer;
  }
  static TraceOptions to(std::string destination) {
    TraceOptions options;
    options.destination = std::move(destination);
    return options;
  }
  std::vector<std::string> left() {
    std::vector<std::string> names;
    for (const auto& destination : spool::left_destinations(state_)) names.push_back(destination.name);
    return names;
  }

  SeededRandom random_{1};
  const HashKey key_{{1}};
  const World world_{
      {}, [](std::string_view) { return std::nullopt; }, {}, {}, 0, 1, 2, false, false, 0, {}, clock_, random_};
  std::vector<std::unique_ptr<Shipping>> shippings_;
};

TEST_F(ShippingTest, WithoutADestinationNothingIsDone) {
  const observe::ObserverOptions observer = attached({});
  EXPECT_FALSE(observer.appended);
  EXPECT_EQ(observer.destination, "");
  EXPECT_FALSE(shippings_[0]->waits());
}

TEST_F(ShippingTest, ADestinationOfTheConfigurationIsNotLeft) {
  TraceOptions options;
  options.ships = true;
  options.flush = 1s;
  const observe::ObserverOptions observer = attached(options);
  EXPECT_TRUE(observer.appended);
  EXPECT_EQ(observer.destination, "");
  EXPECT_TRUE(shippings_[0]->waits());
}

TEST_F(ShippingTest, TheSameVariablesAreTheSameDestination) {
  const std::string one = attached(to("A=1\n")).destination;
  EXPECT_TRUE(spool::is_destination_name(one));
  EXPECT_EQ(attached(to("A=1\n")).destination, one);
  EXPECT_NE(attached(to("A=2\n")).destination, one);
}

TEST_F(ShippingTest, ADestinationIsThereAsLongAsSomebodyAppends) {
  const auto lock = spool::ShipLock::take(state_);
  ASSERT_TRUE(lock && *lock);
  const observe::ObserverOptions observer = attached(to("A=1\n"));
  observer.leave_destination();
  EXPECT_THAT(left(), ElementsAre(observer.destination));
  observer.appended();
  EXPECT_TRUE(spool::forget_destination(state_, observer.destination, Nanos::max()));
  observer.appended();
  EXPECT_THAT(left(), ElementsAre()) << "it is not looked at each time";
  clock_.advance(10s);
  observer.appended();
  EXPECT_THAT(left(), ElementsAre(observer.destination));
}

// A proxy's: the file gets a destination after its start.
TEST_F(ShippingTest, ADestinationThatIsNewInTheFileIsShippedTo) {
  const std::string file = temp_.path() + "/c.yaml";
  std::ofstream(file) << "naming: both\n";
  config::FlatCopy copy;
  World world = world_;
  world.flatten = [&](const std::string& path, const std::string&) {
    copy.file = path;
    copy.stamp = *config::stamp_of(path);
    return std::optional(config::print_flat(copy));
  };
  TraceOptions options;
  options.lives_long = true;
  options.installation.file = {file, true};
  Shipping shipping(world, options, state_, key_, log_);
  observe::ObserverOptions observer;
  shipping.attach(observer);
  const auto not_started = [&] {
    observer.appended();
    spool::NamedCounts counts;
    observer.count(counts);
    return spool::count_of(counts, spool::kShipNotStarted);
  };
  EXPECT_EQ(not_started(), 0u);
  copy.flat.destinations = 1;
  std::ofstream(file) << "destinations: [{name: one, preset: jaeger}]\n";
  EXPECT_EQ(not_started(), 0u) << "it is not looked at each time";
  clock_.advance(10s);
  EXPECT_EQ(not_started(), 1u) << "there is no such program beside this test";
}

TEST_F(ShippingTest, WhatCouldNotBeStartedIsInTheCounters) {
  TraceOptions options = to("A=1\n");
  const observe::ObserverOptions observer = attached(options);
  spool::NamedCounts counts;
  observer.count(counts);
  EXPECT_EQ(spool::count_of(counts, spool::kShipNotStarted), 0u);
  observer.appended();  // there is no such program beside this test
  counts.clear();
  observer.count(counts);
  EXPECT_EQ(spool::count_of(counts, spool::kShipNotStarted), 1u);
}

// A process that wrote two files, and the one that ships them.
class FlushTest : public StarterTest {
 protected:
  FlushTest() {
    writer_ = std::make_unique<spool::Writer>(
        spool::WriterOptions{.directory = state_ + "/spool", .file_bytes = 1, .name_prefix = "run"}, clock_);
    for (int i = 0; i < 2; ++i) {
      EXPECT_TRUE(writer_->append(spool::RecordType::kSpan, 1, "span"));
      EXPECT_TRUE(writer_->flush());
      clock_.advance(1s);
    }
    auto lock = spool::ShipLock::take(state_);
    EXPECT_TRUE(lock && *lock);
    if (lock) lock_ = *std::move(lock);
    ::mkdir(spool::cursors_of(state_ + "/spool").c_str(), 0700);
  }
  void serve(const std::vector<std::string>& names) { EXPECT_TRUE(lock_->serve(names)); }
  // `short_of`: so many bytes before each file's end.
  void decide(const std::string& destination, std::uint64_t short_of = 0) {
    std::string text;
    for (const auto& file : spool::files_of(state_ + "/spool")) {
      text += file.path.substr(file.path.rfind('/') + 1) + " " + std::to_string(file.bytes - short_of) + " 0 0\n";
    }
    std::ofstream(spool::cursors_of(state_ + "/spool") + "/" + spool::ship_cursor(destination)) << text;
  }
  Flushed wait(const std::vector<std::string>& destinations = {}) {
    ShipStarter starter(state_, shell_, clock_, log_);
    const FlushOptions options{
        .state = state_, .first_file = writer_->first_file(), .destinations = destinations, .limit = limit_};
    return flush(options, starter, system_clock_);
  }

  SystemClock system_clock_;
  std::chrono::seconds limit_{0};
  std::unique_ptr<spool::Writer> writer_;
  std::optional<spool::ShipLock> lock_;
};

TEST_F(FlushTest, AllIsDeliveredWhereEachDestinationHasDecidedAllThatWasWritten) {
  const std::string own = "otel-0000000000000001", other = "otel-0000000000000002";
  EXPECT_EQ(wait({own}), Flushed::kTimeIsOver) << "it does not serve anybody yet";
  serve({"jaeger", other});
  decide("jaeger");
  EXPECT_EQ(wait({own}), Flushed::kTimeIsOver) << "nor ours";
  serve({"jaeger", own, other});
  EXPECT_EQ(wait({own}), Flushed::kTimeIsOver);
  decide(own, 1);
  EXPECT_EQ(wait({own}), Flushed::kTimeIsOver);
  decide(own);
  EXPECT_EQ(wait({own}), Flushed::kAll) << "what others' environments named is not waited for";
  decide("jaeger", 1);
  EXPECT_EQ(wait({own}), Flushed::kTimeIsOver);
  decide("jaeger");
  EXPECT_EQ(wait(), Flushed::kAll);
  EXPECT_EQ(wait({"jaeger", "tempo"}), Flushed::kTimeIsOver) << "the configuration has another";
}

TEST_F(FlushTest, WhatIsGoneIsNotWaitedFor) {
  serve({"jaeger"});
  decide("jaeger", 1);
  writer_->finish();
  for (const auto& file : spool::files_of(state_ + "/spool")) std::filesystem::remove(file.path);
  EXPECT_EQ(wait(), Flushed::kAll);
}

TEST_F(FlushTest, OfOtherProcessesNothingIsWaitedFor) {
  serve({"jaeger"});
  decide("jaeger");
  spool::Writer other({.directory = state_ + "/spool", .name_prefix = "proxy"}, clock_);
  ASSERT_TRUE(other.append(spool::RecordType::kSpan, 1, "span"));
  ASSERT_TRUE(other.flush());
  EXPECT_EQ(wait(), Flushed::kAll);
}

TEST_F(FlushTest, WhoWroteNothingDoesNotWait) {
  ShipStarter starter(state_, shell_, clock_, log_);
  EXPECT_EQ(flush({.state = state_, .first_file = "", .destinations = {}, .limit = 100s}, starter, system_clock_),
            Flushed::kAll);
}

TEST_F(FlushTest, AsksToHurryAndStartsWhatIsNotThere) {
  lock_.reset();
  EXPECT_EQ(spool::hurry_asked(state_), Nanos(0));
  limit_ = 1s;
  EXPECT_EQ(wait(), Flushed::kTimeIsOver);
  expect_started();
  EXPECT_GT(spool::hurry_asked(state_), Nanos(0));
}

TEST_F(FlushTest, ASignalEndsTheWaiting) {
  limit_ = 1000s;
  sigset_t term, before;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &term, &before);
  ::pthread_kill(::pthread_self(), SIGTERM);
  EXPECT_EQ(wait(), Flushed::kInterrupted);
  int taken = 0;
  sigwait(&term, &taken);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace
}  // namespace mcptrace::app
