#include "query/catalog.h"

#include <gtest/gtest.h>

#include "otlp/encode.h"
#include "query/testing.h"

namespace mcptrace::query {
namespace {

using namespace std::chrono_literals;
using trace::Outcome;

const Session& only(const Catalog& catalog) {
  EXPECT_EQ(catalog.sessions().size(), 1u);
  return catalog.sessions().begin()->second;
}

// A process that forgot a session (too many) and met it again counts from there: both parts count.
TEST(Catalog, PartsOfOneProcessThatStartElsewhereAddUp) {
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
  const Catalog catalog = catalog_of(files);
  const Session& session = only(catalog);
  ASSERT_EQ(session.stretches.size(), 1u);
  EXPECT_EQ(session.stretches[0].parts.size(), 2u);
  EXPECT_EQ(session.counts.calls, 4);
  EXPECT_EQ(session.counts.of(Outcome::kOk), 3);
  EXPECT_EQ(session.counts.of(Outcome::kToolError), 1);
  EXPECT_EQ(session.end - session.start, 62s);
}

TEST(Catalog, AClosedSession) {
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
    const Catalog catalog = catalog_of(files);
    const Session& session = only(catalog);
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

TEST(Catalog, OpenWhileItsFileIsHeldAndKilledAfter) {
  std::vector<MemoryFile> files(1);
  Sample sample(files[0].sink());
  sample.open();
  sample.initialize(0s, 2ms);
  sample.call("echo", 10ms, 1ms);
  sample.call("add", 3s, 1s, Outcome::kRpcError);
  sample.call("moved", 3s, 1s, Outcome::kRedirected);  // no call
  files[0].locked = true;
  {
    const Catalog catalog = catalog_of(files);
    EXPECT_EQ(only(catalog).state, State::kOpen);
    EXPECT_EQ(only(catalog).counts.calls, 2);
    EXPECT_EQ(only(catalog).counts.errors, 1);
  }
  files[0].locked = false;
  const Catalog catalog = catalog_of(files);
  EXPECT_EQ(only(catalog).state, State::kKilled);
  EXPECT_EQ(only(catalog).end - only(catalog).start, 4s);
  EXPECT_EQ(only(catalog).counts.calls, 2);
}

TEST(Catalog, ALockThatIsLetGoEndsIt) {
  MemoryFile file;
  Sample sample(file.sink());
  sample.open();
  Catalog catalog;
  catalog.begin_file(0, true, {});
  for (const auto& entry : file.entries) catalog.add(record_of(entry));
  catalog.settle();
  EXPECT_EQ(only(catalog).state, State::kOpen);
  catalog.begin_file(0, false, {});
  catalog.settle();
  EXPECT_EQ(only(catalog).state, State::kKilled);
}

TEST(Catalog, AfterRotationTheNewFileTells) {
  std::vector<MemoryFile> files(2);
  Sample first(files[0].sink());
  first.open();
  first.call("echo", 10ms, 1ms);
  Sample second(files[1].sink());  // the same process: same ids
  second.open();
  second.call("add", 20ms, 1ms);
  files[1].locked = true;
  {
    const Catalog catalog = catalog_of(files);
    EXPECT_EQ(only(catalog).state, State::kOpen);
    EXPECT_EQ(only(catalog).files, (std::vector<std::uint32_t>{0, 1}));
  }
  second.close(1s);
  const Catalog catalog = catalog_of(files);
  EXPECT_EQ(only(catalog).state, State::kClosed);
}

TEST(Catalog, RootsOfEqualIdsMerge) {
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
  const Catalog catalog = catalog_of(files);
  EXPECT_EQ(only(catalog).stretches.size(), 1u);
  EXPECT_EQ(only(catalog).start, b.options().start);
  EXPECT_EQ(only(catalog).end, a.options().start + 4s);
  EXPECT_EQ(only(catalog).counts.calls, 3);
}

TEST(Catalog, StretchesAreOneSession) {
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
  const Catalog catalog = catalog_of(files);
  const Session& session = only(catalog);
  ASSERT_EQ(session.stretches.size(), 2u);
  EXPECT_EQ(session.stretches[1].previous, session.stretches[0].root);
  EXPECT_EQ(session.counts.calls, 2);
  EXPECT_EQ(session.end - session.start, 1h + 2s);
}

TEST(Catalog, NothingButDiscoverIsAProbe) {
  SampleCall discover;
  discover.method = mcp::Method::kServerDiscover;
  for (const bool more : {false, true}) {
    std::vector<MemoryFile> files(1);
    Sample sample(files[0].sink());
    sample.open();
    sample.call(discover);
    if (more) sample.initialize(1s, 1ms);
    sample.close(2s);
    EXPECT_EQ(only(catalog_of(files)).kind, more ? Class::kAgent : Class::kProbe);
  }
}

TEST(Catalog, ARefusedDiscoverSaysNothingOfTheEra) {
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
    const Catalog catalog = catalog_of(files);
    EXPECT_EQ(only(catalog).era, outcome == Outcome::kOk ? "modern" : "legacy");
    EXPECT_EQ(only(catalog).protocol_version, outcome == Outcome::kOk ? "2026-07-28" : "2025-11-25");
  }
}

TEST(Catalog, ASessionThatSaidNothingIsNoProbe) {
  std::vector<MemoryFile> files(1);
  Sample sample(files[0].sink());
  sample.open();
  sample.close(2s);
  const Catalog catalog = catalog_of(files);
  EXPECT_EQ(only(catalog).kind, Class::kAgent);
  EXPECT_EQ(only(catalog).counts.calls, 0);
}

TEST(Catalog, DuplicatesCountOnce) {
  std::vector<MemoryFile> files(1);
  Sample sample(files[0].sink());
  sample.open();
  sample.call("echo", 0s, 1ms);
  files.push_back(files[0]);
  EXPECT_EQ(only(catalog_of(files)).counts.calls, 1);
}

TEST(Catalog, SpansWithoutAnOpeningAreStillASession) {
  std::vector<MemoryFile> files(1);
  SampleCall open;
  open.open = true;
  Sample sample(files[0].sink());
  sample.call(open);
  EXPECT_EQ(only(catalog_of(files)).state, State::kKilled);
}

TEST(Catalog, SpansThatNeverHadAnOpeningAreNoKilledSession) {
  std::vector<MemoryFile> files(1);
  Sample sample(files[0].sink());
  SampleCall stream;
  stream.open = true;
  stream.span_id = sample.call(stream);
  EXPECT_EQ(only(catalog_of(files)).state, State::kKilled);
  files[0].locked = true;
  EXPECT_EQ(only(catalog_of(files)).state, State::kOpen);
  stream.open = false;
  sample.call(stream);
  EXPECT_EQ(only(catalog_of(files)).state, State::kClosed);
}

// An initialize that waited had a session of its own until it was known which it is.
TEST(Catalog, AWithdrawnSessionIsNone) {
  std::vector<MemoryFile> files(2);
  Sample waiting(files[1].sink());
  waiting.open();
  SampleCall call;
  call.method = mcp::Method::kInitialize;
  call.open = true;
  waiting.call(call);
  files[1].locked = true;
  EXPECT_EQ(only(catalog_of(files)).state, State::kOpen);
  files[1].locked = false;
  EXPECT_EQ(only(catalog_of(files)).state, State::kKilled);
  EXPECT_EQ(only(catalog_of(files)).counts.errors, 1);
  // The file that withdraws it may be read first.
  Sample withdrawing(files[0].sink());
  SampleOptions options;
  options.seed = 9;
  Sample told(files[0].sink(), options);
  told.open();
  withdrawing.withdraw(told.trace_id(), told.root_id());
  const Catalog catalog = catalog_of(files);
  EXPECT_EQ(only(catalog).id, told.id());
  EXPECT_TRUE(catalog.is_withdrawn({waiting.print(), {}}));
  EXPECT_EQ(catalog.moved_to({waiting.print(), {}}), &only(catalog));
}

TEST(Catalog, AClosedSessionThatGoesOnIsOpenAndMayBeKilled) {
  std::vector<MemoryFile> files(1);
  SampleOptions options;
  options.close_tells = true;
  Sample sample(files[0].sink(), options);
  sample.open();
  sample.call("echo", 1s, 1ms);
  sample.close(2s);
  EXPECT_EQ(only(catalog_of(files)).state, State::kClosed);
  sample.open();
  sample.call("echo", 3s, 1ms);
  files[0].locked = true;
  EXPECT_EQ(only(catalog_of(files)).state, State::kOpen);
  EXPECT_EQ(only(catalog_of(files)).counts.calls, 2);
  files[0].locked = false;
  EXPECT_EQ(only(catalog_of(files)).state, State::kKilled);
  EXPECT_EQ(only(catalog_of(files)).counts.calls, 2);
  sample.close(4s);
  EXPECT_EQ(only(catalog_of(files)).state, State::kClosed);
}

TEST(Catalog, RecordsOfANewerLayoutAreCounted) {
  MemoryFile file;
  Sample sample(file.sink());
  sample.open();
  file.entries[1].payload[0] = 99;
  Catalog catalog;
  catalog.begin_file(0, false, {});
  for (const auto& entry : file.entries) catalog.add(record_of(entry));
  EXPECT_EQ(catalog.unsupported(), 1u);
  EXPECT_TRUE(catalog.sessions().empty());
}

}  // namespace
}  // namespace mcptrace::query
