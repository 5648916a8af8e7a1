#include "observe/recorder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "base/testing.h"
#include "otlp/encode.h"
#include "spool/reader.h"

namespace mcptrace::observe {
namespace {

class RecorderTest : public testing::Test {
 protected:
  RecorderTest() {
    char path[] = "/tmp/mcptrace-recorder-XXXXXX";
    directory_ = mkdtemp(path);
  }
  ~RecorderTest() override { std::filesystem::remove_all(directory_); }

  mcp::Fact request(std::uint64_t id) {
    mcp::Fact fact;
    fact.at = clock_.now();
    fact.message.kind = mcp::MessageKind::kRequest;
    fact.message.method = mcp::Method::kToolsCall;
    fact.message.id = {mcp::IdType::kInteger, id, id};
    fact.context.session = 1;
    fact.context.trace_id = fact.context.root_trace_id = random_.trace_id();
    fact.context.span_id = random_.span_id();
    return fact;
  }

  std::string directory_;
  ManualClock clock_{{std::chrono::seconds(1'700'000'000), std::chrono::seconds(1000)}};
  SeededRandom random_{7};
  Activity activity_;
  Log log_{-1};
};

// However much is open, a new file holds mostly what is new.
TEST_F(RecorderTest, WhatIsOpenTakesABoundedPartOfAFile) {
  constexpr std::size_t kFileBytes = 64 << 10;
  spool::WriterOptions options;
  options.directory = directory_ + "/spool";
  options.file_bytes = kFileBytes;
  Recorder recorder(options, trace::Naming::kBoth, "i", clock_, log_);
  TracerOptions of_tracer;
  of_tracer.instance_id = "i";
  Tracer tracer(of_tracer, random_, activity_, recorder);
  recorder.set_tracer(&tracer);
  for (std::uint64_t id = 1; id <= 8000; ++id) tracer.feed(request(id));
  clock_.advance(std::chrono::seconds(2));
  tracer.on_time(clock_.now());
  recorder.flush();
  tracer.feed(request(9000));
  clock_.advance(std::chrono::seconds(2));
  tracer.on_time(clock_.now());  // the first file is full
  recorder.flush();
  EXPECT_GT(recorder.lost().messages, 0u);
  std::size_t smallest = SIZE_MAX;
  for (const auto& file : *spool::list_files(options.directory)) {
    std::size_t open_bytes = 0;
    spool::FileReader reader(file.path);
    while (const auto record = reader.next()) {
      if (record->type != spool::RecordType::kCallOpen) continue;
      open_bytes += record->payload.size();
      trace::SpanHeader header;
      std::string_view bytes;
      ASSERT_TRUE(otlp::split_record(record->payload, header, bytes));
      EXPECT_GE(header.duration, std::chrono::seconds(1)) << "how long it has lasted, if nothing more is ever known";
    }
    smallest = std::min(smallest, open_bytes);
  }
  EXPECT_GT(smallest, 0u);
  EXPECT_LE(smallest, kFileBytes / 4 + 1024);
}

std::vector<spool::NamedCounts> counters_in(const std::string& directory) {
  std::vector<spool::NamedCounts> all;
  for (const auto& file : *spool::list_files(directory)) {
    spool::FileReader reader(file.path);
    while (const auto record = reader.next()) {
      if (record->type != spool::RecordType::kCounters) continue;
      auto counters = spool::decode_counters(record->payload);
      EXPECT_TRUE(counters && counters->process == "i");
      if (counters) all.push_back(std::move(counters->counts));
    }
  }
  return all;
}

TEST_F(RecorderTest, CountersAreWrittenWhereTheyGrewAndAtTheHeadOfAFile) {
  const spool::NamedCounts none{{"dropped.queue_full", 0}}, some{{"dropped.queue_full", 2}};
  spool::WriterOptions options;
  options.directory = directory_ + "/spool";
  options.file_bytes = 1;  // a file for each batch
  Recorder recorder(options, trace::Naming::kBoth, "i", clock_, log_);
  recorder.count(none);
  recorder.flush();
  EXPECT_TRUE(counters_in(options.directory).empty()) << "there is nothing to say";
  recorder.count(some);
  recorder.count(some);
  recorder.flush();
  EXPECT_EQ(counters_in(options.directory), (std::vector{some, some})) << "at the head, and then as it is said";
  clock_.advance(std::chrono::seconds(1));
  const std::pair<std::string, std::string> resource[] = {{"service.name", "s"}};
  recorder.resource(resource);
  recorder.flush();
  EXPECT_EQ(counters_in(options.directory), (std::vector{some, some, some})) << "at the next file's head";
  clock_.advance(std::chrono::seconds(1));
  recorder.count_all(some);
  recorder.finish();
  const spool::NamedCounts last = counters_in(options.directory).back();
  EXPECT_EQ(spool::count_of(last, "dropped.queue_full"), 2u);
  EXPECT_GT(spool::count_of(last, "written.records"), 3u);
  EXPECT_GT(spool::count_of(last, "written.bytes"), 100u);
}

TEST_F(RecorderTest, ADestinationIsLeftBeforeAFileNamesItAtItsHead) {
  spool::WriterOptions options;
  options.directory = directory_ + "/spool";
  options.file_bytes = 1;
  Recorder recorder(options, trace::Naming::kBoth, "i", clock_, log_);
  std::vector<std::size_t> files_when_left;
  recorder.set_destination("otel-0123456789abcdef", [&] {
    const auto files = spool::list_files(options.directory);
    files_when_left.push_back(files ? files->size() : 99);
  });
  EXPECT_EQ(recorder.first_file(), "");
  for (const char* name : {"a", "b"}) {
    const std::pair<std::string, std::string> resource[] = {{"service.name", name}};
    recorder.resource(resource);
    recorder.flush();
    clock_.advance(std::chrono::seconds(1));
  }
  EXPECT_EQ(files_when_left, (std::vector<std::size_t>{0, 1}));
  const auto files = *spool::list_files(options.directory);
  ASSERT_EQ(files.size(), 2u);
  EXPECT_TRUE(files[0].path.ends_with("/" + recorder.first_file()));
  for (const auto& file : files) {
    spool::FileReader reader(file.path);
    const auto first = reader.next();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->type, spool::RecordType::kDestination);
    EXPECT_EQ(first->payload, "otel-0123456789abcdef");
  }
}

TEST_F(RecorderTest, WhileNothingCanBeWrittenCountersWait) {
  spool::WriterOptions options;
  options.directory = directory_ + "/spool";
  const std::pair<std::string, std::string> resource[] = {{"service.name", "s"}};
  std::ofstream(options.directory) << "not a directory";
  Recorder recorder(options, trace::Naming::kBoth, "i", clock_, log_);
  recorder.resource(resource);
  recorder.flush();
  recorder.count({{"dropped.queue_full", 2}});
  EXPECT_EQ(recorder.pending_bytes(), 0u);
  std::filesystem::remove(options.directory);
  clock_.advance(std::chrono::seconds(2));
  const std::pair<std::string, std::string> other[] = {{"service.name", "t"}};
  recorder.resource(other);
  recorder.flush();
  recorder.count({{"dropped.queue_full", 2}});
  recorder.flush();
  const auto counters = counters_in(options.directory);
  ASSERT_EQ(counters.size(), 1u);
  EXPECT_EQ(counters[0], (spool::NamedCounts{{"dropped.queue_full", 2}, {"lost.unwritten", 1}}));
}

}  // namespace
}  // namespace mcptrace::observe
