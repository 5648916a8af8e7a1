#include "ledger/feed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>

#include "base/testing.h"
#include "ledger/testing_sample.h"
#include "otlp/decode.h"
#include "spool/spool_testing.h"
#include "spool/writer.h"

namespace mcptrace::ledger {
namespace {

using namespace std::chrono_literals;
using trace::Outcome;

// A process that traces one session: a spool file after the other, each with what is open at its head.
class Process {
 public:
  Process(const std::string& directory, const Clock& clock, std::uint64_t seed, std::uint64_t file_bytes = 16u << 20,
          std::string destination = {})
      : ids_(seed ^ 0x5eed),
        sample_(sink(), of(seed)),
        destination_(std::move(destination)),
        writer_({.directory = directory, .file_bytes = file_bytes, .compress_from = 2048}, clock) {
    writer_.set_preamble([this](spool::Writer&) { write_open(); });
    began_ = true;
    sample_.open();
    flush();
  }

  SpanId ended(Nanos at) {
    SampleCall call = named("echo", at);
    call.duration = 1ms;
    sample_.call(call);
    return call.span_id;
  }
  SpanId begin(Nanos at, std::uint16_t flags = 0) {
    SampleCall call = named("slow", at);
    call.flags = flags;
    sample_.call(call_of(call, true));
    open_.push_back(call);
    return call.span_id;
  }
  void end(const SpanId& id) {
    const auto call = std::ranges::find(open_, id, &SampleCall::span_id);
    const SampleCall ended = call_of(*call, false);
    open_.erase(call);
    sample_.call(ended);
  }
  void log(const SpanId& id, Nanos at) { sample_.log(id, at); }
  void close(Nanos at, bool full_disk = false) {
    began_ = false;
    sample_.options().close_tells = full_disk;
    spans_are_lost_ = full_disk;
    sample_.close(at);
    spans_are_lost_ = false;
  }
  void flush() { EXPECT_TRUE(writer_.flush()); }
  [[nodiscard]] const std::vector<SampleCall>& open() const { return open_; }
  Sample& sample() { return sample_; }

 private:
  // With an id of our own: a file's head may be written in the midst of a call's record, by the same sample.
  SampleCall named(std::string_view tool, Nanos at) {
    SampleCall call;
    call.tool = tool;
    call.at = at;
    call.span_id = ids_.span_id();
    return call;
  }
  static SampleCall call_of(SampleCall call, bool open) {
    call.open = open;
    call.duration = open ? 0ms : 1s;  // it is told to be open only then
    return call;
  }
  static SampleOptions of(std::uint64_t seed) {
    SampleOptions options;
    options.seed = seed;
    return options;
  }
  Sample::Sink sink() {
    return [this](spool::RecordType type, std::uint32_t tag, std::string_view payload) {
      if (type == spool::RecordType::kSpan && spans_are_lost_) return;
      EXPECT_TRUE(writer_.append(type, tag, payload));
    };
  }
  void write_open() {
    if (!destination_.empty()) {
      EXPECT_TRUE(writer_.append(spool::RecordType::kDestination, 0, destination_));
    }
    sample_.resource();
    if (!began_) return;
    sample_.open();
    for (const SampleCall& call : open_) sample_.call(call_of(call, true));
  }

  SeededRandom ids_;
  Sample sample_;
  std::string destination_;
  bool began_ = false, spans_are_lost_ = false;
  std::vector<SampleCall> open_;
  spool::Writer writer_;  // goes first, as it may write a last file, with all of the above at its head
};

struct Told {
  spool::RecordType type;
  trace::SpanHeader header;
  std::string bytes;
  std::string service;
};

class FeedTest : public testing::Test {
 protected:
  void start(const std::string& destination = {}) {
    auto feed = Feed::open(temp_.spool(), "consumer", {.destination = destination});
    ASSERT_TRUE(feed);
    feed_ = std::make_unique<Feed>(*std::move(feed));
  }
  // What is told until nothing more comes.
  std::vector<Told> read(std::size_t most = 10'000) {
    std::vector<Told> told;
    // What is left open is told a round after its file was let go.
    for (int quiet = 0; quiet < 3;) {
      const auto some = feed_->read(
          [&](const Entry& entry) {
            const otlp::Resource* resource = feed_->entries().resource_of(entry);
            const otlp::Value* name = resource == nullptr ? nullptr : resource->attribute("service.name");
            told.push_back(
                {entry.type, entry.header, std::string(entry.bytes), name == nullptr ? "" : *name->string()});
          },
          most);
      EXPECT_TRUE(some);
      quiet = *some == 0 ? quiet + 1 : 0;
    }
    return told;
  }
  static std::vector<SpanId> ids(const std::vector<Told>& told) {
    std::vector<SpanId> ids;
    for (const Told& span : told) {
      if (!span.header.has(trace::kRootSpan)) ids.push_back(span.header.span_id);
    }
    return ids;
  }

  spool::TempDirectory temp_;
  // What the cursor says of the newest file.
  Cursor::Place place() {
    const auto files = spool::files_of(temp_.spool());
    const std::string name = files.back().path.substr(files.back().path.rfind('/') + 1);
    return Cursor::open(temp_.spool(), "consumer")->place(name);
  }

  ManualClock clock_;
  std::unique_ptr<Feed> feed_;
};

TEST_F(FeedTest, TellsEachSpanThatEndedOnce) {
  start();
  EXPECT_TRUE(read().empty());
  Process process(temp_.spool(), clock_, 1);
  const SpanId first = process.ended(0s);
  const SpanId slow = process.begin(1s);
  process.flush();
  const std::vector<Told> told = read();
  EXPECT_EQ(ids(told), (std::vector{first}));
  EXPECT_EQ(told.front().service, "everything");
  process.end(slow);
  process.flush();
  EXPECT_EQ(ids(read()), (std::vector{slow}));
  EXPECT_TRUE(read().empty());
}

TEST_F(FeedTest, WhatAProcessThatDiedLeftOpenEndsOnce) {
  start();
  auto process = std::make_unique<Process>(temp_.spool(), clock_, 1);
  const SpanId slow = process->begin(1s), listen = process->begin(1s, trace::kStanding),
               shared = process->begin(1s, trace::kDerivedIds);
  process->ended(5s);
  const TraceId trace = process->sample().trace_id();
  process->flush();
  EXPECT_EQ(read().size(), 1u);
  process.reset();
  const std::vector<Told> told = read();
  ASSERT_EQ(told.size(), 4u);
  for (const Told& span : told) {
    EXPECT_EQ(span.header.trace_id, trace);
    const auto decoded = otlp::decode_span(span.bytes);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->end, span.header.start + span.header.duration);
    EXPECT_EQ(decoded->end, SampleOptions().start + 5s + 1ms) << "the last that was heard of the session";
    EXPECT_EQ(*decoded->attribute("mcptrace.end")->string(), "unknown");
    const Outcome outcome = span.header.span_id == slow     ? Outcome::kAbandoned
                            : span.header.span_id == listen ? Outcome::kOk
                            : span.header.span_id == shared ? Outcome::kUnobserved
                                                            : Outcome::kNone;
    EXPECT_EQ(span.header.outcome, outcome);
    EXPECT_EQ(span.header.has(trace::kRootSpan), outcome == Outcome::kNone);
  }
  EXPECT_TRUE(read().empty());
  ASSERT_TRUE(feed_->save({}));
  start();
  EXPECT_TRUE(read().empty());
}

TEST_F(FeedTest, WhatIsOpenInTheNextFileIsNotLeft) {
  start();
  Process process(temp_.spool(), clock_, 1, 1);  // a file for each batch
  const SpanId slow = process.begin(1s);
  for (int i = 0; i < 5; ++i) {
    process.ended(2s);
    process.flush();
    EXPECT_EQ(read().size(), 1u);
  }
  process.end(slow);
  process.flush();
  EXPECT_EQ(ids(read()), (std::vector{slow}));
}

TEST_F(FeedTest, AfterARestartOnlyWhatIsUndecidedIsToldAgain) {
  start();
  auto process = std::make_unique<Process>(temp_.spool(), clock_, 1);
  const SpanId a = process->ended(0s), b = process->ended(1s), slow = process->begin(2s);
  process->flush();
  EXPECT_EQ(ids(read()), (std::vector{a, b}));
  const TraceId trace = process->sample().trace_id();
  ASSERT_TRUE(feed_->save(std::vector<SpanKey>{{trace, b}}));
  const SpanId c = process->ended(3s);
  process->flush();
  start();
  EXPECT_EQ(ids(read()), (std::vector{b, c}));
  ASSERT_TRUE(feed_->save(std::vector<SpanKey>{{trace, c}}));
  process.reset();
  start();
  EXPECT_EQ(ids(read()), (std::vector{c, slow}));
  // What was made up is undecided like all else.
  ASSERT_TRUE(feed_->save(std::vector<SpanKey>{{trace, slow}}));
  start();
  EXPECT_EQ(ids(read()), (std::vector{slow}));
  ASSERT_TRUE(feed_->save({}));
  start();
  EXPECT_TRUE(read().empty());
}

TEST_F(FeedTest, LogsAreToldAndUndecidedAsTheirSpansAre) {
  start();
  Process process(temp_.spool(), clock_, 1);
  const SpanId a = process.ended(0s), b = process.ended(1s);
  process.log(a, 0s);
  process.log(b, 1s);
  process.log(b, 1s);
  process.flush();
  const std::vector<Told> told = read();
  EXPECT_EQ(ids(told), (std::vector{a, b, a, b, b}));
  EXPECT_EQ(told[2].type, spool::RecordType::kLog);
  EXPECT_EQ(told[2].bytes, "the log of " + a.hex());
  EXPECT_EQ(told[2].service, "everything");
  ASSERT_TRUE(feed_->save(std::vector<SpanKey>{{process.sample().trace_id(), b}}));
  start();
  EXPECT_EQ(ids(read()), (std::vector{b, b, b}));
  ASSERT_TRUE(feed_->save({}));
  start();
  EXPECT_TRUE(read().empty());
}

// A full disk takes nothing but what closes: the root is told from that.
TEST_F(FeedTest, ARootThatOnlyItsCloseHasIsTold) {
  start();
  auto process = std::make_unique<Process>(temp_.spool(), clock_, 1);
  process->close(5s, true);
  process->flush();
  process.reset();
  const std::vector<Told> told = read();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].type, spool::RecordType::kSpan);
  EXPECT_TRUE(told[0].header.has(trace::kRootSpan));
  const auto root = otlp::decode_span(told[0].bytes);
  ASSERT_TRUE(root);
  EXPECT_EQ(root->attribute("mcptrace.end"), nullptr) << "it was not killed";
  EXPECT_EQ(root->end, SampleOptions().start + 5s);
  ASSERT_TRUE(feed_->save(std::vector<SpanKey>{{told[0].header.trace_id, told[0].header.span_id}}));
  start();
  EXPECT_EQ(read().size(), 1u) << "undecided";
}

TEST_F(FeedTest, ASaveBeforeAllIsToldAgainForgetsNothing) {
  start();
  auto process = std::make_unique<Process>(temp_.spool(), clock_, 1);
  const SpanId a = process->ended(0s), b = process->ended(1s);
  process->flush();
  read();
  const TraceId trace = process->sample().trace_id();
  ASSERT_TRUE(feed_->save(std::vector<SpanKey>{{trace, a}, {trace, b}}));
  start();
  ASSERT_TRUE(feed_->save({}));  // nothing was told yet
  start();
  EXPECT_EQ(ids(read()), (std::vector{a, b}));
}

TEST_F(FeedTest, AnInitializeThatStartsIsNotTwoSpans) {
  start();
  Process process(temp_.spool(), clock_, 1);
  SampleCall initialize;
  initialize.method = mcp::Method::kInitialize;
  initialize.span_id.bytes.fill(7);
  initialize.open = true;
  initialize.flags = trace::kStarting | trace::kTreeRoot;
  initialize.trace_id.bytes.fill(8);
  initialize.parent_id.bytes.fill(9);
  auto waiting = std::make_unique<Process>(temp_.spool(), clock_, 2);
  waiting->sample().call(initialize);
  process.sample().call(initialize);
  process.flush();
  initialize.trace_id = {};
  initialize.flags = trace::kStarted;
  initialize.open = false;
  process.sample().call(initialize);
  process.flush();
  EXPECT_EQ(ids(read()), (std::vector{initialize.span_id}));
}

TEST_F(FeedTest, AStartThatWasNeverToldEndsUnderARootOfItsOwn) {
  start();
  auto process = std::make_unique<Process>(temp_.spool(), clock_, 1);
  process->close(1s);
  SampleCall initialize;
  initialize.method = mcp::Method::kInitialize;
  initialize.open = true;
  initialize.flags = trace::kStarting;
  initialize.trace_id.bytes.fill(8);
  initialize.parent_id.bytes.fill(9);
  process->sample().call(initialize);
  process->flush();
  EXPECT_EQ(read().size(), 1u) << "the root of what was closed";
  process.reset();
  const std::vector<Told> told = read();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_TRUE(told[0].header.has(trace::kRootSpan));
  EXPECT_EQ(told[0].header.span_id, initialize.parent_id);
  EXPECT_EQ(told[1].header.outcome, Outcome::kAbandoned);
  EXPECT_EQ(told[1].header.trace_id, initialize.trace_id);
}

TEST_F(FeedTest, OpenSpansAreBounded) {
  auto feed = Feed::open(temp_.spool(), "small", {.most_open_bytes = 1000});
  ASSERT_TRUE(feed);
  auto process = std::make_unique<Process>(temp_.spool(), clock_, 1);
  for (int i = 0; i < 20; ++i) process->begin(0s);
  process->flush();
  process.reset();
  std::size_t told = 0;
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(feed->read([&](const Entry&) { ++told; }));
  EXPECT_GT(told, 0u);
  EXPECT_EQ(told + feed->left_out(), 21u);
}

// Processes live, rotate, and die at random; the consumer reads, saves and restarts at random. What was decided is
// never told again, and in the end all was told.
TEST_F(FeedTest, AgainstAModel) {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    std::mt19937 random(seed);
    const auto chance = [&](unsigned of) { return random() % of == 0; };
    spool::TempDirectory temp;
    std::vector<std::unique_ptr<Process>> processes;
    std::set<SpanId> wrote, told, decided, undecided;
    std::set<SpanId> wrote_logs, told_logs, told_since_start, decided_logs;
    std::map<SpanId, TraceId> traces;
    std::uint64_t next_seed = seed * 1000;
    auto feed = std::make_unique<Feed>(*Feed::open(temp.spool(), "c"));
    const auto tell = [&](const Entry& entry) {
      if (entry.header.has(trace::kRootSpan)) return;
      if (entry.type == spool::RecordType::kLog) {
        EXPECT_FALSE(decided_logs.contains(entry.header.span_id)) << "its span was decided; " << seed;
        told_logs.insert(entry.header.span_id);
        told_since_start.insert(entry.header.span_id);
        return;
      }
      EXPECT_FALSE(decided.contains(entry.header.span_id)) << "it was decided; " << seed;
      told.insert(entry.header.span_id);
      undecided.insert(entry.header.span_id);
    };
    const auto save = [&] {
      std::vector<SpanKey> keys;
      for (auto it = undecided.begin(); it != undecided.end();) {
        if (chance(2)) {
          keys.push_back({traces.at(*it), *it});
          ++it;
        } else {
          decided.insert(*it);
          if (told_since_start.contains(*it)) decided_logs.insert(*it);
          it = undecided.erase(it);
        }
      }
      ASSERT_TRUE(feed->save(keys));
    };
    const auto note = [&](Process& process, const SpanId& id) {
      wrote.insert(id);
      traces[id] = process.sample().trace_id();
    };
    for (int step = 0; step < 600; ++step) {
      if (processes.size() < 3 && chance(10)) {
        processes.push_back(std::make_unique<Process>(temp.spool(), clock_, ++next_seed, chance(2) ? 3000 : 1 << 20));
      }
      clock_.advance(1ms);
      if (!processes.empty()) {
        const std::size_t which = random() % processes.size();
        Process& process = *processes[which];
        const Nanos at = 1ms * step;
        switch (random() % 6) {
          case 0:
            note(process, process.begin(at));
            break;
          case 1:
            if (!process.open().empty()) process.end(process.open()[random() % process.open().size()].span_id);
            break;
          case 2:
            if (chance(8)) processes.erase(processes.begin() + static_cast<std::ptrdiff_t>(which));
            break;
          case 3:
            process.flush();
            break;
          default:
            for (unsigned i = random() % 30; i-- > 0;) {
              const SpanId id = process.ended(at);
              note(process, id);
              if (!chance(2)) continue;
              process.log(id, at);
              wrote_logs.insert(id);
            }
        }
      }
      if (chance(4)) ASSERT_TRUE(feed->read(tell, 1 + random() % 40));
      if (chance(6)) ASSERT_TRUE(feed->read_ahead(tell, 1 + random() % 40, chance(2)));
      if (chance(15)) save();
      if (chance(25)) {
        undecided.clear();
        told_since_start.clear();
        feed.reset();
        feed = std::make_unique<Feed>(*Feed::open(temp.spool(), "c"));
      }
    }
    processes.clear();
    for (int quiet = 0; quiet < 3;) quiet = *feed->read(tell, 50) == 0 ? quiet + 1 : 0;
    EXPECT_EQ(told, wrote) << seed;
    EXPECT_EQ(told_logs, wrote_logs) << seed;
  }
}

// A destination of the environment gets what its processes wrote, in all their files, and nothing of others.
TEST_F(FeedTest, TellsOfOneDestinationWhatItsProcessesWrote) {
  constexpr std::uint64_t kSmall = 3000;
  Process ours(temp_.spool(), clock_, 1, kSmall, "otel-1"), other(temp_.spool(), clock_, 2, kSmall, "otel-2"),
      none(temp_.spool(), clock_, 3, kSmall);
  std::vector<SpanId> wrote;
  start("otel-1");
  for (int i = 0; i < 60; ++i) {
    clock_.advance(1ms);
    wrote.push_back(ours.ended(1ms * i));
    other.ended(1ms * i);
    none.ended(1ms * i);
    for (Process* process : {&ours, &other, &none}) process->flush();
    if (i == 30) {
      std::vector<SpanId> told = ids(read());
      EXPECT_EQ(told, wrote);
      wrote.clear();
      ASSERT_TRUE(feed_->save({}));
      feed_.reset();
      start("otel-1");
    }
  }
  EXPECT_GT(spool::files_of(temp_.spool()).size(), 6u);
  EXPECT_EQ(ids(read()), wrote);
  EXPECT_EQ(feed_->entries().unsupported(), 0u);
}

TEST_F(FeedTest, FilesOfOthersArePassedByAsFarAsTheyAreWritten) {
  auto other = std::make_unique<Process>(temp_.spool(), clock_, 2);
  other->begin(0ms);
  other->flush();
  start("otel-1");
  EXPECT_TRUE(read().empty());
  ASSERT_TRUE(feed_->save({}));
  EXPECT_EQ(place().decided, spool::files_of(temp_.spool()).back().bytes);
  EXPECT_FALSE(place().closed);
  other->ended(1ms);
  other->flush();
  EXPECT_TRUE(read().empty());
  ASSERT_TRUE(feed_->save({}));
  EXPECT_EQ(place().decided, spool::files_of(temp_.spool()).back().bytes) << "it goes on being passed by";
  other.reset();
  EXPECT_TRUE(read().empty()) << "what was left open there is not ours to end";
  ASSERT_TRUE(feed_->save({}));
  EXPECT_EQ(place().decided, spool::files_of(temp_.spool()).back().bytes);
  EXPECT_TRUE(place().closed);
}

TEST_F(FeedTest, AFeedOfEverythingTellsWhateverDestinationItNames) {
  Process one(temp_.spool(), clock_, 1, 16u << 20, "otel-1");
  clock_.advance(1ms);
  Process none(temp_.spool(), clock_, 2);
  const SpanId ids_of[] = {one.ended(1ms), none.ended(1ms)};
  one.flush();
  none.flush();
  start();
  EXPECT_EQ(ids(read()), std::vector<SpanId>(std::begin(ids_of), std::end(ids_of)));
  EXPECT_EQ(feed_->entries().unsupported(), 0u);
}

// Passed by, a file that is deleted is forgotten like others.
TEST_F(FeedTest, AFileOfOthersMayGo) {
  auto other = std::make_unique<Process>(temp_.spool(), clock_, 2);
  start("otel-1");
  EXPECT_TRUE(read().empty());
  other.reset();
  std::filesystem::remove(spool::files_of(temp_.spool()).back().path);
  EXPECT_TRUE(read().empty());
  ASSERT_TRUE(feed_->save({}));
  Process ours(temp_.spool(), clock_, 1, 16u << 20, "otel-1");
  const SpanId id = ours.ended(1ms);
  ours.flush();
  EXPECT_EQ(ids(read()), std::vector{id});
}

}  // namespace
}  // namespace mcptrace::ledger
