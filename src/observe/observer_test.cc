// The observer's thread and queues: nothing is lost while there is room, what is lost is counted, and nobody waits.
#include "observe/observer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <new>
#include <thread>

#include "base/testing.h"
#include "otlp/decode.h"
#include "otlp/encode.h"
#include "spool/counters.h"
#include "spool/expiry.h"
#include "spool/reader.h"

namespace mcptrace::observe {
namespace {

using mcp::Fact;

class ObserverTest : public testing::Test {
 protected:
  ObserverTest() {
    char path[] = "/tmp/mcptrace-observer-XXXXXX";
    directory_ = mkdtemp(path);
    first_.session = 1;
    first_.root_trace_id = random_.trace_id();
    first_.root_span_id = random_.span_id();
    first_.trace_id = first_.root_trace_id;
    first_.parent_id = first_.root_span_id;
  }
  ~ObserverTest() override { std::filesystem::remove_all(directory_); }

  ObserverOptions options(const std::string& spool) const {
    ObserverOptions options;
    options.tracer.stdio.service_name = "test";
    options.tracer.instance_id = "i";
    options.tracer.first = first_;
    options.spool.directory = spool;
    options.spool.name_prefix = "run";
    return options;
  }

  Fact message(mcp::Direction direction, mcp::MessageKind kind, std::uint64_t id) {
    Fact fact;
    fact.at = clock_.now();
    fact.message.direction = direction;
    fact.message.kind = kind;
    fact.message.id = {mcp::IdType::kInteger, id, id};
    fact.message.bytes = 100;
    if (kind == mcp::MessageKind::kRequest) {
      fact.message.method = mcp::Method::kToolsCall;
      fact.message[mcp::Text::kName] = "echo";
      fact.context = first_;
      SeededRandom ids(id);
      fact.context.span_id = ids.span_id();
    }
    return fact;
  }
  Fact request(std::uint64_t id) { return message(mcp::Direction::kClientToServer, mcp::MessageKind::kRequest, id); }
  Fact answer(std::uint64_t id) { return message(mcp::Direction::kServerToClient, mcp::MessageKind::kResult, id); }

  struct Found {
    int calls = 0, ok = 0, unobserved = 0;
    std::int64_t dropped = 0, unmatched = 0, lost = 0;
    bool closed = false;
    spool::NamedCounts counters;
  };
  Found read_spool() {
    Found found;
    for (const auto& info : *spool::list_files(directory_ + "/spool")) {
      spool::FileReader reader(info.path);
      while (const auto record = reader.next()) {
        trace::SpanHeader header;
        std::string_view bytes;
        if (record->type == spool::RecordType::kSessionClose) found.closed = true;
        if (record->type == spool::RecordType::kCounters) {
          const auto counters = spool::decode_counters(record->payload);
          EXPECT_TRUE(counters && counters->process == "i");
          if (counters) spool::take_later(found.counters, counters->counts);
        }
        if (record->type != spool::RecordType::kSpan || !otlp::split_record(record->payload, header, bytes)) continue;
        const auto span = otlp::decode_span(bytes);
        EXPECT_TRUE(span.has_value());
        if (header.operation == trace::Operation::kToolCall)
          ++found.calls, found.ok += header.outcome == trace::Outcome::kOk,
              found.unobserved += header.outcome == trace::Outcome::kUnobserved;
        if (const auto* dropped = span->attribute("mcptrace.dropped")) found.dropped = *dropped->integer();
        if (const auto* lost = span->attribute("mcptrace.finding.lost")) found.lost = *lost->integer();
        if (const auto* unmatched = span->attribute("mcptrace.unmatched_answers"))
          found.unmatched = *unmatched->integer();
      }
    }
    return found;
  }

  std::string directory_;
  SystemClock clock_;
  SeededRandom random_{7}, ids_{8};
  Activity activity_;
  mcp::CallContext first_;
  Log log_{-1};
};

constexpr Nanos kPatience = std::chrono::seconds(60);

TEST_F(ObserverTest, WhatTwoThreadsPushIsPairedAndInTheSpool) {
  constexpr std::uint64_t kCalls = 400;  // fits the queues whatever the observer does
  Observer observer(options(directory_ + "/spool"), activity_, clock_, ids_, log_);
  ASSERT_TRUE(observer.start());
  std::atomic<std::uint64_t> asked{0};
  std::thread server([&] {
    for (std::uint64_t id = 1; id <= kCalls; ++id) {
      asked.wait(id - 1);
      observer.server().push(answer(id));
      observer.wake_after(observer.server());
    }
  });
  for (std::uint64_t id = 1; id <= kCalls; ++id) {
    observer.client().push(request(id));
    asked.store(id);
    asked.notify_one();
    observer.wake_after(observer.client());
  }
  server.join();
  ASSERT_TRUE(observer.finish({}, kPatience));
  const Found found = read_spool();
  EXPECT_EQ(found.calls, static_cast<int>(kCalls));
  EXPECT_EQ(found.ok, static_cast<int>(kCalls));
  EXPECT_EQ(found.unmatched, 0);
  EXPECT_EQ(found.dropped, 0);
  EXPECT_TRUE(found.closed);
}

// Both queues are full of facts when the observer gets to run: the client's cancellation came after the answer.
TEST_F(ObserverTest, J9_WhatTheClientSaidAfterTheAnswerComesAfterIt) {
  Observer observer(options(directory_ + "/spool"), activity_, clock_, ids_, log_);
  observer.client().push(request(1));
  observer.server().push(answer(1));
  Fact cancelled = message(mcp::Direction::kClientToServer, mcp::MessageKind::kNotification, 0);
  cancelled.message.method = mcp::Method::kNotificationsCancelled;
  cancelled.message.related = {mcp::IdType::kInteger, 1, 1};
  cancelled.context = first_;
  cancelled.context.span_id = random_.span_id();
  observer.client().push(cancelled);
  ASSERT_TRUE(observer.start());
  ASSERT_TRUE(observer.finish({}, kPatience));
  const Found found = read_spool();
  EXPECT_EQ(found.calls, 1);
  EXPECT_EQ(found.ok, 1);
}

// The answer's facts come only after its write: what the client says meanwhile waits for them.
TEST_F(ObserverTest, J9_WhatTheClientSaidWhileAnAnswerIsInHandWaitsForIt) {
  ManualClock clock;  // stands still: the wait is never given up
  Observer observer(options(directory_ + "/spool"), activity_, clock, ids_, log_);
  Fact asked = request(1);
  asked.at = clock.now();
  observer.client().push(asked);
  Fact late_fact = answer(1);
  late_fact.at.boot = clock.boot();
  observer.server().set_in_hand(late_fact.at.boot);
  Fact cancelled = message(mcp::Direction::kClientToServer, mcp::MessageKind::kNotification, 0);
  cancelled.message.method = mcp::Method::kNotificationsCancelled;
  cancelled.message.related = {mcp::IdType::kInteger, 1, 1};
  cancelled.context = first_;
  cancelled.context.span_id = random_.span_id();
  cancelled.at.boot = clock.boot() + Nanos(1);
  observer.client().push(cancelled);
  ASSERT_TRUE(observer.start());
  while (!std::filesystem::exists(directory_ + "/spool"))
    std::this_thread::yield();  // it has run, and taken the request
  observer.server().push(late_fact);
  observer.server().set_in_hand({});
  ASSERT_TRUE(observer.finish({}, kPatience));
  const Found found = read_spool();
  EXPECT_EQ(found.calls, 1);
  EXPECT_EQ(found.ok, 1);
}

TEST_F(ObserverTest, W5_AnObserverThatNeverRunsCostsTelemetryAndIsCounted) {
  constexpr std::uint64_t kCalls = 20'000;
  Observer observer(options(directory_ + "/spool"), activity_, clock_, ids_, log_);
  for (std::uint64_t id = 1; id <= kCalls; ++id) {
    observer.client().push(request(id));  // returns at once, room or not
    observer.wake_after(observer.client());
  }
  ASSERT_TRUE(observer.start());
  ASSERT_TRUE(observer.finish({}, kPatience));
  const Found found = read_spool();
  EXPECT_GT(found.calls, 100);
  EXPECT_GT(found.dropped, 0);
  EXPECT_EQ(found.calls + found.dropped, static_cast<std::int64_t>(kCalls));
  EXPECT_EQ(found.lost, found.dropped);
  EXPECT_EQ(static_cast<std::int64_t>(spool::count_of(found.counters, spool::kDroppedQueueFull)), found.dropped);
  EXPECT_GT(spool::count_of(found.counters, spool::kWrittenRecords), static_cast<std::uint64_t>(found.calls));
  EXPECT_EQ(found.counters.size(), 3u) << "nothing else was lost";
}

// The queue of answers is full before the observer runs: those that did not fit were given all the same. What was asked
// after the last of them is another matter.
TEST_F(ObserverTest, W5_ACallWhoseAnswerWasDroppedIsNotCalledAbandoned) {
  constexpr std::uint64_t kCalls = 700;  // their requests fit
  ManualClock clock;
  Observer observer(options(directory_ + "/spool"), activity_, clock, ids_, log_);
  const auto at = [&](Fact fact) {
    fact.at = clock.now();
    return fact;
  };
  for (std::uint64_t id = 1; id <= kCalls; ++id) observer.client().push(at(request(id)));
  clock.advance(Nanos(1));
  for (std::uint64_t id = 10'000; id < 12'000; ++id) observer.server().push(at(answer(id)));
  for (std::uint64_t id = 1; id <= kCalls; ++id) observer.server().push(at(answer(id)));
  clock.advance(Nanos(1));
  observer.client().push(at(request(kCalls + 1)));
  ASSERT_TRUE(observer.start());
  ASSERT_TRUE(observer.finish({}, kPatience));
  const Found found = read_spool();
  EXPECT_EQ(found.calls, static_cast<int>(kCalls) + 1);
  EXPECT_EQ(found.ok, 0);
  EXPECT_EQ(found.unobserved, static_cast<int>(kCalls));
  EXPECT_GT(found.dropped, 0);
}

// What a log wrote into a pipe.
std::string read_and_close(const int (&ends)[2]) {
  close(ends[1]);
  char text[2048];
  const ssize_t got = read(ends[0], text, sizeof(text));
  close(ends[0]);
  return std::string(text, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
}

TEST_F(ObserverTest, W5_ASpoolThatCannotBeWrittenIsSaidOnceAndTheEndIsNotHeldUp) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  Log log(ends[1]);
  std::ofstream(directory_ + "/file") << "not a directory";
  Observer observer(options(directory_ + "/file/spool"), activity_, clock_, ids_, log);
  ASSERT_TRUE(observer.start());
  for (std::uint64_t id = 1; id <= 50; ++id) {
    observer.client().push(request(id));
    observer.server().push(answer(id));
    observer.wake_after(observer.server());
  }
  EXPECT_TRUE(observer.finish({}, kPatience));
  const std::string said = read_and_close(ends);
  ASSERT_FALSE(said.empty());
  EXPECT_TRUE(said.starts_with("mcptrace: telemetry is being lost")) << said;
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
}

// Whoever is told so may look at the spool.
TEST_F(ObserverTest, WhatIsAppendedIsToldOnceItIsInAFile) {
  int told = 0, told_without_a_file = 0;
  ObserverOptions with = options(directory_ + "/spool");
  with.appended = [&] {
    ++told;
    const auto files = spool::list_files(directory_ + "/spool");
    told_without_a_file += files && !files->empty() ? 0 : 1;
  };
  with.count = [](spool::NamedCounts& counts) { counts.emplace("of.the.test", 7); };
  with.destination = "otel-0123456789abcdef";
  int left = 0;
  with.leave_destination = [&] { ++left; };
  Observer observer(with, activity_, clock_, ids_, log_);
  EXPECT_EQ(observer.first_file(), "");
  observer.client().push(request(1));
  observer.server().push(answer(1));
  ASSERT_TRUE(observer.start());
  ASSERT_TRUE(observer.finish({}, kPatience));
  EXPECT_GE(told, 1);
  EXPECT_EQ(told_without_a_file, 0);
  EXPECT_EQ(left, 1);
  EXPECT_TRUE(std::filesystem::exists(directory_ + "/spool/" + observer.first_file()));
  EXPECT_EQ(spool::count_of(read_spool().counters, "of.the.test"), 7u);
}

TEST_F(ObserverTest, WhereNothingIsAppendedNothingIsTold) {
  int told = 0;
  std::ofstream(directory_ + "/file") << "not a directory";
  ObserverOptions with = options(directory_ + "/file/spool");
  with.appended = [&] { ++told; };
  Observer observer(with, activity_, clock_, ids_, log_);
  observer.client().push(request(1));
  ASSERT_TRUE(observer.start());
  ASSERT_TRUE(observer.finish({}, kPatience));
  EXPECT_EQ(told, 0);
  EXPECT_EQ(observer.first_file(), "");
}

// However short a session is: its root tells what it cost that there was no room.
TEST_F(ObserverTest, WhatIsDeletedToMakeRoomIsAFinding) {
  const auto session = [&](std::uint64_t most_files) {
    ObserverOptions small = options(directory_ + "/spool");
    small.spool.total_files = most_files;
    small.spool.look_after = {};
    Observer observer(small, activity_, clock_, ids_, log_);
    observer.client().push(request(1));
    observer.server().push(answer(1));
    observer.start();
    EXPECT_TRUE(observer.finish({}, kPatience));
    return read_spool().lost;
  };
  EXPECT_EQ(session(10), 0);
  EXPECT_EQ(session(10), 0);
  EXPECT_EQ(session(0), 2);
  EXPECT_EQ(spool::read_expired(directory_ + "/spool").files, 2u);
  EXPECT_EQ(spool::count_of(read_spool().counters, spool::kExpiredFiles), 2u);
}

TEST_F(ObserverTest, WhatThereWasNoMemoryForIsCountedByItself) {
  Observer observer(options(directory_ + "/spool"), activity_, clock_, ids_, log_);
  observer.client().push(request(1));
  observer.server().lose(clock_.boot());
  ASSERT_TRUE(observer.start());
  ASSERT_TRUE(observer.finish({}, kPatience));
  const Found found = read_spool();
  EXPECT_EQ(found.dropped, 1);
  EXPECT_EQ(spool::count_of(found.counters, spool::kDroppedNoMemory), 1u);
  EXPECT_EQ(spool::count_of(found.counters, spool::kDroppedQueueFull), 0u);
}

TEST_F(ObserverTest, AFindingThatBelongsToNoSessionIsTheProcesses) {
  ObserverOptions with = options(directory_ + "/spool");
  with.tracer.routes = {{"files", "files.example", 80}};
  Observer observer(with, activity_, clock_, ids_, log_);
  mcp::HttpFact exchange;
  exchange.exchange = exchange.scope = 1;
  exchange.began = clock_.now();
  exchange.flags = mcp::kBegins;
  exchange.end = mcp::HttpEnd::kComplete;
  Fact end;
  end.kind = mcp::FactKind::kHttpEnd;
  end.at = clock_.now();
  end.http = &exchange;
  end.findings = mcp::finding_bit(mcp::Finding::kBadEncoding);
  observer.server().push(end);
  ASSERT_TRUE(observer.start());
  ASSERT_TRUE(observer.finish({}, kPatience));
  EXPECT_EQ(read_spool().counters, (spool::NamedCounts{{"finding.bad_encoding", 1}}));
}

class NamesWithoutMemory final : public DeclaredNames {
 public:
  bool contains(std::string_view, std::uint64_t) override { throw std::bad_alloc(); }
  std::size_t add(std::string_view, std::span<const mcp::DeclaredTool>) override { throw std::bad_alloc(); }
};

TEST_F(ObserverTest, W5_AnObserverWithoutMemoryIsSaidOnceAndDisturbsNobody) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  Log log(ends[1]);
  NamesWithoutMemory names;
  ObserverOptions with = options(directory_ + "/spool");
  with.tracer.declared = &names;
  Observer observer(with, activity_, clock_, ids_, log);
  constexpr mcp::DeclaredTool kDeclared[] = {{.name = 1}};
  Fact list = request(20'001);
  list.message.method = mcp::Method::kToolsList;
  observer.client().push(list);
  Fact declared;
  declared.kind = mcp::FactKind::kDeclaredTools;
  declared.at = clock_.now();
  declared.declared = kDeclared;
  observer.server().push(declared);
  observer.server().push(answer(20'001));
  ASSERT_TRUE(observer.start());
  for (std::uint64_t id = 1; id <= 20'000; ++id) {
    observer.client().push(request(id));
    observer.server().push(answer(id));
    observer.wake_after(observer.server());
  }
  EXPECT_TRUE(observer.finish({}, kPatience));
  const std::string said = read_and_close(ends);
  ASSERT_FALSE(said.empty());
  EXPECT_TRUE(said.contains("ran out of memory")) << said;
  EXPECT_GT(spool::count_of(read_spool().counters, spool::kDroppedNoObserver), 0u);
}

// The system's, ahead by what may be changed while others look at it.
class ClockAhead final : public Clock {
 public:
  [[nodiscard]] Nanos wall() const override { return system_.wall() + Nanos(by_.load()); }
  [[nodiscard]] Nanos boot() const override { return system_.boot() + Nanos(by_.load()); }
  void advance(Nanos by) { by_ += by.count(); }

 private:
  SystemClock system_;
  std::atomic<std::int64_t> by_{0};
};

TEST_F(ObserverTest, TheSpoolsDirectoryRemovedUnderTheObserverIsMadeAnew) {
  ClockAhead clock;
  Observer observer(options(directory_ + "/spool"), activity_, clock, ids_, log_);
  observer.client().push(request(1));
  observer.server().push(answer(1));
  ASSERT_TRUE(observer.start());
  // Not before its file is there under its last name: a directory that is being written to cannot be removed.
  const auto has_file = [this] {
    std::error_code none;
    return std::ranges::any_of(std::filesystem::directory_iterator(directory_ + "/spool", none),
                               [](const auto& entry) { return entry.path().extension() == ".spool"; });
  };
  while (!has_file()) std::this_thread::yield();
  std::filesystem::remove_all(directory_ + "/spool");
  // The writer looks once a second whether its file has lost its name.
  clock.advance(std::chrono::seconds(2));
  observer.client().push(request(2));
  observer.wake_after(observer.client());
  EXPECT_TRUE(observer.finish({}, kPatience));
  EXPECT_TRUE(has_file());
  EXPECT_EQ(read_spool().calls, 1) << "the second; the first went with its file";
}

}  // namespace
}  // namespace mcptrace::observe
