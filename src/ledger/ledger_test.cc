#include "ledger/ledger.h"

#include <gtest/gtest.h>

#include "ledger/testing.h"
#include "otlp/encode.h"

namespace mcptrace::ledger {
namespace {

using namespace std::chrono_literals;
using trace::Outcome;

const Session& only(const Ledger& ledger) {
  EXPECT_EQ(ledger.sessions().size(), 1u);
  return ledger.sessions().begin()->second;
}

void add_all(const MemoryFile& file, Ledger& ledger) {
  for (const auto& kept : file.records) {
    if (const auto entry = ledger.read(kept.record())) ledger.add(*entry);
  }
}

// A process that forgot a session (too many) and met it again counts from there: both parts count.
TEST(Ledger, PartsOfOneProcessThatStartElsewhereAddUp) {
  std::vector<MemoryFile> files(1);
  SampleOptions options;
  options.close_tells = true;
  options.flags = trace::kDerivedIds;
  Sample first(files[0].sink(), options);
  first.open();
  first.call("echo", 1s, 1ms);
  first.call("echo", 2s, 1ms);
  first.close(5s);
  first.call("echo", 6s, 1ms);  // it went on, and is not forgotten: this root replaces the last
  first.close(7s);
  options.start += 60s;  // the same seed: the same ids
  Sample second(files[0].sink(), options);
  second.open();
  second.call("echo", 1s, 1ms, Outcome::kToolError);
  second.close(2s);
  const Ledger ledger = ledger_of(files);
  const Session& session = only(ledger);
  ASSERT_EQ(session.stretches.size(), 1u);
  EXPECT_EQ(session.stretches[0].parts.size(), 2u);
  EXPECT_EQ(session.counts.calls, 4);
  EXPECT_EQ(session.counts.of(Outcome::kOk), 3);
  EXPECT_EQ(session.counts.of(Outcome::kToolError), 1);
  EXPECT_EQ(session.end - session.start, 62s);
}

TEST(Ledger, AClosedSession) {
  for (const bool close_tells : {false, true}) {
    std::vector<MemoryFile> files(1);
    SampleOptions options;
    options.close_tells = close_tells;
    Sample sample(files[0].sink(), options);
    sample.extra = {{trace::Attr::kDropped, 4}, {trace::Attr::kExitStatus, 3}};
    sample.open();
    sample.initialize(0s, 2ms);
    sample.call("echo", 10ms, 1ms);
    sample.call("echo", 20ms, 1ms, Outcome::kToolError);
    sample.close(5s);
    const Ledger ledger = ledger_of(files);
    const Session& session = only(ledger);
    EXPECT_EQ(session.id, sample.id());
    EXPECT_EQ(session.service, "everything");
    EXPECT_EQ(session.client_name, "claude-code");
    EXPECT_EQ(session.protocol_version, "2025-11-25");
    EXPECT_EQ(session.era, "legacy");
    EXPECT_EQ(session.state, State::kClosed);
    EXPECT_EQ(session.kind, Class::kAgent);
    EXPECT_EQ(session.end - session.start, 5s);
    EXPECT_TRUE(session.counted);
    EXPECT_EQ(session.counts.calls, 2);
    EXPECT_EQ(session.counts.errors, 1);
    EXPECT_EQ(session.counts.of(Outcome::kToolError), 1);
    EXPECT_EQ(session.counts.dropped, 4);
    EXPECT_EQ(session.exit_status, 3);
    EXPECT_FALSE(needs_count(session));
  }
}

TEST(Ledger, OpenWhileItsFileIsHeldAndKilledAfter) {
  std::vector<MemoryFile> files(1);
  Sample sample(files[0].sink());
  sample.open();
  sample.initialize(0s, 2ms);
  sample.call("echo", 10ms, 1ms);
  sample.call("add", 3s, 1s, Outcome::kRpcError);
  sample.call("moved", 3s, 1s, Outcome::kRedirected);  // no call
  files[0].held = true;
  {
    const Ledger ledger = ledger_of(files);
    EXPECT_EQ(only(ledger).state, State::kOpen);
    EXPECT_EQ(only(ledger).counts.calls, 2);
    EXPECT_EQ(only(ledger).counts.errors, 1);
  }
  files[0].held = false;
  const Ledger ledger = ledger_of(files);
  EXPECT_EQ(only(ledger).state, State::kKilled);
  EXPECT_EQ(only(ledger).end - only(ledger).start, 4s);
  EXPECT_EQ(only(ledger).counts.calls, 2);
}

TEST(Ledger, ALockThatIsLetGoEndsIt) {
  MemoryFile file;
  Sample sample(file.sink());
  sample.open();
  Ledger ledger;
  ledger.begin_file(0, true, {});
  add_all(file, ledger);
  ledger.settle({});
  EXPECT_EQ(only(ledger).state, State::kOpen);
  ledger.begin_file(0, false, {});
  ledger.settle({});
  EXPECT_EQ(only(ledger).state, State::kKilled);
}

TEST(Ledger, AfterRotationTheNewFileTells) {
  std::vector<MemoryFile> files(2);
  Sample first(files[0].sink());
  first.open();
  first.call("echo", 10ms, 1ms);
  Sample second(files[1].sink());  // the same process: same ids
  second.open();
  second.call("add", 20ms, 1ms);
  files[1].held = true;
  {
    const Ledger ledger = ledger_of(files);
    EXPECT_EQ(only(ledger).state, State::kOpen);
    EXPECT_EQ(only(ledger).files, (std::vector<std::uint32_t>{0, 1}));
  }
  second.close(1s);
  const Ledger ledger = ledger_of(files);
  EXPECT_EQ(only(ledger).state, State::kClosed);
}

TEST(Ledger, RootsOfEqualIdsMerge) {
  // Two replicas of a derived session, and one of them writes its root again.
  std::vector<MemoryFile> files(2);
  SampleOptions options;
  options.flags = trace::kDerivedIds;
  options.instance = "a";
  Sample a(files[0].sink(), options);
  options.instance = "b";
  options.start -= 2s;
  Sample b(files[1].sink(), options);
  a.open();
  a.call("echo", 1s, 1ms);
  a.root(2s);
  a.call("echo", 3s, 1ms);
  a.close(4s);
  b.open();
  b.call("add", 1s, 1ms);
  b.close(3s);
  const Ledger ledger = ledger_of(files);
  EXPECT_EQ(only(ledger).stretches.size(), 1u);
  EXPECT_EQ(only(ledger).start, b.options().start);
  EXPECT_EQ(only(ledger).end, a.options().start + 4s);
  EXPECT_EQ(only(ledger).counts.calls, 3);
}

TEST(Ledger, StretchesAreOneSession) {
  std::vector<MemoryFile> files(1);
  SampleOptions options;
  Sample first(files[0].sink(), options);
  first.open();
  first.call("echo", 0s, 1ms);
  first.close(1s);
  options.seed = 2;
  options.print = first.print();
  options.start += 1h;
  options.previous = {first.trace_id(), first.root_id(), 0, {}, "previous"};
  Sample second(files[0].sink(), options);
  second.open();
  second.call("echo", 0s, 1ms);
  second.close(2s);
  const Ledger ledger = ledger_of(files);
  const Session& session = only(ledger);
  ASSERT_EQ(session.stretches.size(), 2u);
  EXPECT_EQ(session.stretches[1].previous, session.stretches[0].root);
  EXPECT_EQ(session.counts.calls, 2);
  EXPECT_EQ(session.end - session.start, 1h + 2s);
}

TEST(Ledger, NothingButDiscoverIsAProbe) {
  SampleCall discover;
  discover.method = mcp::Method::kServerDiscover;
  for (const bool more : {false, true}) {
    std::vector<MemoryFile> files(1);
    Sample sample(files[0].sink());
    sample.open();
    sample.call(discover);
    if (more) sample.initialize(1s, 1ms);
    sample.close(2s);
    EXPECT_EQ(only(ledger_of(files)).kind, more ? Class::kAgent : Class::kProbe);
  }
}

TEST(Ledger, ARefusedDiscoverSaysNothingOfTheEra) {
  for (const Outcome outcome : {Outcome::kOk, Outcome::kRpcError}) {
    std::vector<MemoryFile> files(1);
    Sample sample(files[0].sink());
    sample.open();
    trace::SpanRecord discover;
    discover.name = "mcp.discover";
    discover.add(trace::Attr::kEra, "modern");
    discover.add(trace::Attr::kProtocolVersion, "2026-07-28");
    trace::SpanHeader header;
    header.trace_id = sample.trace_id();
    header.span_id = header.parent_id = sample.root_id();
    header.span_id.bytes[0] ^= 1;
    discover.trace_id = header.trace_id;
    discover.span_id = header.span_id;
    header.start = sample.options().start;
    header.session_print = sample.print();
    header.operation = trace::Operation::kDiscover;
    header.outcome = outcome;
    header.resource = 1;
    std::string payload;
    otlp::append_header(header, payload);
    otlp::encode_span(discover, trace::Naming::kBoth, payload);
    files[0].sink()(spool::RecordType::kSpan, 0, payload);
    const Ledger ledger = ledger_of(files);
    EXPECT_EQ(only(ledger).era, outcome == Outcome::kOk ? "modern" : "legacy");
    EXPECT_EQ(only(ledger).protocol_version, outcome == Outcome::kOk ? "2026-07-28" : "2025-11-25");
  }
}

TEST(Ledger, LogsCountForNothing) {
  for (const bool logs : {false, true}) {
    std::vector<MemoryFile> files(1);
    Sample sample(files[0].sink());
    sample.open();
    const SpanId call = sample.call("echo", 1s, 1ms);
    if (logs) {
      sample.log(call, 1s);
      sample.log(sample.root_id(), 90s, trace::kRootSpan);
    }
    sample.close(2s);
    const Ledger ledger = ledger_of(files);
    EXPECT_EQ(only(ledger).counts.calls, 1);
    EXPECT_EQ(only(ledger).end, sample.options().start + 2s);
    EXPECT_EQ(only(ledger).stretches.size(), 1u);
  }
}

void add_counters(MemoryFile& file, const std::string& process, spool::NamedCounts counts) {
  file.sink()(spool::RecordType::kCounters, 0, spool::encode_counters({process, std::move(counts)}));
}

// Whatever order the files are read in, and however often.
TEST(Ledger, CountersAreTheLastOfEachProcess) {
  std::vector<MemoryFile> files(3);
  add_counters(files[0], "a", {{"lost.unwritten", 1}});
  add_counters(files[0], "a", {{"lost.unwritten", 3}, {"brand.new", 1}});
  add_counters(files[1], "a", {{"lost.unwritten", 3}});  // its head
  add_counters(files[1], "a", {{"lost.unwritten", 5}, {"expired.files", 2}});
  add_counters(files[2], "b", {{"lost.unwritten", 7}});
  files[2].sink()(spool::RecordType::kCounters, 0, "not counters");
  for (const std::vector<std::uint32_t>& order : {std::vector{0u, 1u, 2u}, std::vector{2u, 1u, 0u, 1u}}) {
    Ledger ledger;
    for (const std::uint32_t number : order) {
      ledger.begin_file(number, false, {});
      add_all(files[number], ledger);
    }
    EXPECT_EQ(ledger.entries().counters(),
              (spool::NamedCounts{{"brand.new", 1}, {"expired.files", 2}, {"lost.unwritten", 12}}));
    EXPECT_EQ(ledger.entries().processes().at("b"), (spool::NamedCounts{{"lost.unwritten", 7}}));
    EXPECT_EQ(ledger.entries().unsupported(), 1u);
  }
}

TEST(Ledger, WhatAFileThatIsForgottenCountedIsForgotten) {
  std::vector<MemoryFile> files(1);
  add_counters(files[0], "a", {{"lost.unwritten", 1}});
  Entries entries;
  entries.begin_file(4, false, {});
  for (const auto& kept : files[0].records) EXPECT_FALSE(entries.read(kept.record()));
  EXPECT_EQ(entries.processes().size(), 1u);
  entries.forget_file(4);
  EXPECT_TRUE(entries.processes().empty());
}

TEST(Ledger, ASessionThatSaidNothingIsNoProbe) {
  std::vector<MemoryFile> files(1);
  Sample sample(files[0].sink());
  sample.open();
  sample.close(2s);
  const Ledger ledger = ledger_of(files);
  EXPECT_EQ(only(ledger).kind, Class::kAgent);
  EXPECT_EQ(only(ledger).counts.calls, 0);
}

TEST(Ledger, DuplicatesCountOnce) {
  std::vector<MemoryFile> files(1);
  Sample sample(files[0].sink());
  sample.open();
  sample.call("echo", 0s, 1ms);
  files.push_back(files[0]);
  EXPECT_EQ(only(ledger_of(files)).counts.calls, 1);
}

TEST(Ledger, SpansWithoutAnOpeningAreStillASession) {
  std::vector<MemoryFile> files(1);
  SampleCall open;
  open.open = true;
  Sample sample(files[0].sink());
  sample.call(open);
  EXPECT_EQ(only(ledger_of(files)).state, State::kKilled);
}

TEST(Ledger, SpansThatNeverHadAnOpeningAreNoKilledSession) {
  std::vector<MemoryFile> files(1);
  Sample sample(files[0].sink());
  SampleCall stream;
  stream.open = true;
  stream.span_id = sample.call(stream);
  EXPECT_EQ(only(ledger_of(files)).state, State::kKilled);
  files[0].held = true;
  EXPECT_EQ(only(ledger_of(files)).state, State::kOpen);
  stream.open = false;
  sample.call(stream);
  EXPECT_EQ(only(ledger_of(files)).state, State::kClosed);
}

SampleCall initialize_of(std::uint16_t flags) {
  SampleCall call;
  call.method = mcp::Method::kInitialize;
  call.span_id.bytes.fill(7);
  call.open = true;
  call.flags = flags;
  return call;
}

TEST(Ledger, AnInitializeWithoutASessionIsOneThatStarts) {
  std::vector<MemoryFile> files(1);
  Sample waiting(files[0].sink());
  waiting.resource();
  waiting.call(initialize_of(trace::kStarting | trace::kTreeRoot));
  files[0].held = true;
  const Ledger running = ledger_of(files);
  EXPECT_EQ(only(running).state, State::kOpen);
  EXPECT_EQ(only(running).id, "");
  EXPECT_EQ(only(running).service, "everything");
  EXPECT_EQ(only(running).stretches.front().root, (SpanKey{waiting.trace_id(), waiting.root_id()}));
  files[0].held = false;
  EXPECT_EQ(only(ledger_of(files)).state, State::kKilled);
  EXPECT_EQ(only(ledger_of(files)).counts.errors, 1);
}

// Whatever file is read first, and whether or not there is a session after all (a redirection is of none).
TEST(Ledger, WhatWasStartingIsTheSessionThatItProvedToBe) {
  for (const bool redirected : {false, true}) {
    for (const bool newer_first : {false, true}) {
      std::vector<MemoryFile> files(2);
      Sample waiting(files[newer_first].sink());
      SampleCall initialize = initialize_of(trace::kStarting);
      waiting.call(initialize);
      SampleOptions options;
      options.seed = 9;
      Sample told(files[!newer_first].sink(), options);
      if (!redirected) told.open();
      initialize.flags = trace::kStarted;
      if (redirected) told.options().print = 0;
      told.call(initialize);
      const Ledger ledger = ledger_of(files);
      ASSERT_NE(ledger.started_as(starting_key(initialize.span_id)), nullptr);
      if (redirected) {
        EXPECT_TRUE(ledger.sessions().empty());
      } else {
        EXPECT_EQ(only(ledger).id, told.id());
      }
    }
  }
}

TEST(Ledger, AClosedSessionThatGoesOnIsOpenAndMayBeKilled) {
  std::vector<MemoryFile> files(1);
  SampleOptions options;
  options.close_tells = true;
  Sample sample(files[0].sink(), options);
  sample.open();
  sample.call("echo", 1s, 1ms);
  sample.close(2s);
  EXPECT_EQ(only(ledger_of(files)).state, State::kClosed);
  sample.open();
  sample.call("echo", 3s, 1ms);
  files[0].held = true;
  EXPECT_EQ(only(ledger_of(files)).state, State::kOpen);
  EXPECT_EQ(only(ledger_of(files)).counts.calls, 2);
  files[0].held = false;
  EXPECT_EQ(only(ledger_of(files)).state, State::kKilled);
  EXPECT_EQ(only(ledger_of(files)).counts.calls, 2);
  sample.close(4s);
  EXPECT_EQ(only(ledger_of(files)).state, State::kClosed);
}

TEST(Ledger, RecordsOfANewerLayoutAreCounted) {
  MemoryFile file;
  Sample sample(file.sink());
  sample.open();
  file.records[1].payload[0] = 99;
  Ledger ledger;
  ledger.begin_file(0, false, {});
  add_all(file, ledger);
  EXPECT_EQ(ledger.entries().unsupported(), 1u);
  EXPECT_TRUE(ledger.sessions().empty());
}

}  // namespace
}  // namespace mcptrace::ledger
