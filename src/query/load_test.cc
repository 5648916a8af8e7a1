#include "query/load.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "query/testing.h"
#include "spool/writer.h"

namespace mcptrace::query {
namespace {

using namespace std::chrono_literals;
using trace::Outcome;

class Load : public ::testing::Test {
 protected:
  Load() {
    char path[] = "/tmp/mcptrace-load-XXXXXX";
    EXPECT_NE(::mkdtemp(path), nullptr);
    root_ = path;
    directory_ = root_ + "/spool";
  }
  ~Load() override { std::filesystem::remove_all(root_); }

  struct Process {
    Process(const std::string& directory, const Clock& clock, std::uint64_t seed, Nanos start,
            spool::WriterOptions options = {})
        : writer(with(std::move(options), directory), clock), sample(sink(), of(seed, start)) {}
    static spool::WriterOptions with(spool::WriterOptions options, const std::string& directory) {
      options.directory = directory;
      options.name_prefix = "run";
      return options;
    }
    static SampleOptions of(std::uint64_t seed, Nanos start) {
      SampleOptions options;
      options.seed = seed;
      options.start = start;
      return options;
    }
    Sample::Sink sink() {
      return [this](spool::RecordType type, std::uint32_t tag, std::string_view payload) {
        EXPECT_TRUE(writer.append(type, tag, payload));
      };
    }
    spool::Writer writer;
    Sample sample;
  };

  // A whole session of a process that is gone; its file was written at its end.
  std::string ended(std::uint64_t seed, Nanos start, int errors = 0, int calls = 3,
                    const std::function<void(Sample&)>& more = {}) {
    Process process(directory_, clock_, seed, start);
    process.sample.open();
    process.sample.initialize(0s, 1ms);
    for (int i = 0; i < calls; ++i) {
      process.sample.call("echo", 1ms * (i + 1), 1ms, i < errors ? Outcome::kToolError : Outcome::kOk);
    }
    if (more) more(process.sample);
    process.sample.close(1s);
    EXPECT_TRUE(process.writer.flush());
    touch(process.writer.path(), start + 1s);
    return process.sample.id();
  }

  static void touch(const std::string& path, Nanos wall) {
    const timespec at{static_cast<time_t>(wall / 1s), static_cast<long>((wall % 1s).count())};
    const timespec times[] = {at, at};
    EXPECT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  }

  std::vector<std::string> ids(const SessionQuery& query) {
    const auto list = load_sessions(directory_, query);
    EXPECT_TRUE(list);
    std::vector<std::string> out;
    for (const Session& session : list->sessions) out.push_back(session.id);
    return out;
  }

  SystemClock clock_;
  std::string root_, directory_;
  Nanos base_ = 1'700'000'000s;
};

TEST_F(Load, AnEmptySpool) {
  const auto list = load_sessions(directory_, {});
  ASSERT_TRUE(list);
  EXPECT_TRUE(list->empty_spool);
  EXPECT_TRUE(list->sessions.empty());
  Skips skips;
  const auto found = find_session(directory_, "", base_, skips);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Errc::kNotFound);
}

TEST_F(Load, NewestFirstUpToTheLimit) {
  std::vector<std::string> made;
  for (int i = 0; i < 5; ++i) made.push_back(ended(static_cast<std::uint64_t>(i) + 1, base_ + 10s * i));
  SessionQuery query;
  query.limit = 2;
  EXPECT_EQ(ids(query), (std::vector{made[4], made[3]}));
  EXPECT_TRUE(load_sessions(directory_, query)->more);
  query.limit = 5;
  EXPECT_EQ(ids(query).size(), 5u);
  EXPECT_FALSE(load_sessions(directory_, query)->more);
}

TEST_F(Load, Filters) {
  const std::string clean = ended(1, base_), broken = ended(2, base_ + 100s, 1), late = ended(3, base_ + 200s);
  SessionQuery query;
  query.errors = true;
  EXPECT_EQ(ids(query), std::vector{broken});
  query = {};
  query.since = base_ + 150s;
  EXPECT_EQ(ids(query), std::vector{late});
  query = {};
  query.server = "everything";
  EXPECT_EQ(ids(query).size(), 3u);
  query.server = "other";
  EXPECT_EQ(ids(query).size(), 0u);
}

TEST_F(Load, WhatProcessesLostIsTold) {
  for (const std::uint64_t seed : {1u, 2u}) {
    Process process(directory_, clock_, seed, base_);
    process.sample.open();
    process.sample.close(1s);
    const spool::NamedCounts lost{{std::string(spool::kLostUnwritten), seed},
                                  {std::string(spool::kDroppedNoMemory), 1}};
    ASSERT_TRUE(
        process.writer.append(spool::RecordType::kCounters, 0, spool::encode_counters({std::to_string(seed), lost})));
    ASSERT_TRUE(process.writer.flush());
  }
  const auto list = load_sessions(directory_, {});
  ASSERT_TRUE(list);
  EXPECT_EQ(list->skips.numbers().messages, 2u);
  EXPECT_EQ(list->skips.numbers().records, 3u);
  EXPECT_EQ(list->skips.numbers().unsupported, 0u);
  EXPECT_EQ(list->skips.lines(),
            std::vector<std::string>{"telemetry was lost: 2 messages (memory ran out), 3 records (writing failed)"});
}

TEST_F(Load, ProbesAreHidden) {
  Process process(directory_, clock_, 1, base_);
  process.sample.open();
  SampleCall discover;
  discover.method = mcp::Method::kServerDiscover;
  process.sample.call(discover);
  process.sample.close(1s);
  ASSERT_TRUE(process.writer.flush());
  const std::string agent = ended(2, base_ - 100s);
  EXPECT_EQ(ids({}), std::vector{agent});
  EXPECT_EQ(load_sessions(directory_, {})->hidden_probes, 1u);
  SessionQuery query;
  query.all = true;
  EXPECT_EQ(ids(query).size(), 2u);
  Skips skips;
  const auto found = find_session(directory_, "", base_, skips);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->session->id, agent);
  EXPECT_EQ(found->others, 0u);
}

// A server that died at its client's first question is no probe before the client has found an answer elsewhere.
TEST_F(Load, WhatWasNoUseIsShownUntilItIsKnownToBeAProbe) {
  const std::string before = ended(1, base_ - 100s);
  const auto run = [&](std::uint64_t seed, mcp::Method method, Outcome outcome) {
    Process process(directory_, clock_, seed, base_ + 1s * static_cast<int>(seed));
    if (outcome != Outcome::kOk) process.sample.options().server_name = "";
    process.sample.open();
    SampleCall call;
    call.method = method;
    call.outcome = outcome;
    process.sample.call(call);
    process.sample.close(1s);
    EXPECT_TRUE(process.writer.flush());
    touch(process.writer.path(), base_ + 1s * static_cast<int>(seed + 1));
    return process.sample.id();
  };
  const std::string asked = run(2, mcp::Method::kServerDiscover, Outcome::kAbandoned);
  Skips skips;
  SessionQuery query;
  query.now = base_ + 1h;
  query.limit = 1;
  EXPECT_EQ(ids(query), std::vector{asked});
  EXPECT_EQ(load_sessions(directory_, query)->sessions[0].state, State::kFailed);
  EXPECT_EQ(find_session(directory_, "", query.now, skips)->session->id, asked);
  const std::string tried = run(3, mcp::Method::kInitialize, Outcome::kAbandoned);
  query.limit = 20;
  query.errors = true;
  EXPECT_EQ(ids(query), (std::vector{tried, asked})) << "neither got an answer";
  EXPECT_EQ(find_session(directory_, "", query.now, skips)->session->id, tried);
  const std::string used = run(4, mcp::Method::kInitialize, Outcome::kOk);
  EXPECT_EQ(ids(query), std::vector{tried});
  query.errors = false;
  EXPECT_EQ(ids(query), (std::vector{used, tried, before}));
  EXPECT_EQ(find_session(directory_, "", query.now, skips)->session->id, used);
}

// A stream to which nobody sends a request: it has the session's id, and is found by it.
TEST_F(Load, WhatNoRequestOpenedIsNoSession) {
  ended(1, base_);
  Process process(directory_, clock_, 2, base_ + 100s);
  SampleCall stream;
  stream.method = mcp::Method::kNone;
  stream.flags = trace::kStanding;
  process.sample.resource();
  stream.open = true;
  stream.span_id = process.sample.call(stream);
  stream.open = false;
  process.sample.call(stream);
  ASSERT_TRUE(process.writer.flush());
  SessionQuery all;
  all.all = true;
  EXPECT_EQ(ids({}).size(), 1u);
  EXPECT_EQ(ids(all).size(), 1u);
  Skips skips;
  const auto newest = find_session(directory_, "", base_, skips);
  ASSERT_TRUE(newest);
  EXPECT_EQ(newest->session->id, ids({}).front());
  EXPECT_EQ(newest->others, 0u);
  EXPECT_TRUE(find_session(directory_, process.sample.id(), base_, skips));
}

TEST_F(Load, WhatIsOlderThanWasAskedForIsNotMore) {
  ended(1, base_);
  ended(2, base_ + 1h);
  SessionQuery query;
  query.since = base_ + 30min;
  const auto list = load_sessions(directory_, query);
  EXPECT_EQ(list->sessions.size(), 1u);
  EXPECT_FALSE(list->more);
}

// An agent's TRACEPARENT is that of all its servers.
TEST_F(Load, ATraceThatSeveralSessionsShareIsFoundByItsPrefixAndWhole) {
  Process first(directory_, clock_, 1, base_), second(directory_, clock_, 2, base_);
  first.sample.open();
  SampleCall call;
  call.tool = "echo";
  first.sample.call(call);
  second.sample.open();
  call.trace_id = first.sample.trace_id();
  second.sample.call(call);
  ASSERT_TRUE(first.writer.flush() && second.writer.flush());
  Skips skips;
  const std::string trace = first.sample.trace_id().hex();
  const auto found = find_session(directory_, trace.substr(0, 31), base_, skips);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->session->id, first.sample.id());
  EXPECT_EQ(load_spans(*found, base_ + 1h, skips)->spans.size(), 3u) << "root, call, and the other session's call";
}

TEST_F(Load, AKilledCallInACallersTraceIsOver) {
  TraceId trace;
  trace.bytes.fill(0xab);
  for (const bool alive : {true, false}) {
    std::optional<Process> process(std::in_place, directory_, clock_, 1, base_);
    process->sample.open();
    SampleCall call;
    call.trace_id = trace;
    call.duration = 1s;
    call.open = true;
    process->sample.call(call);
    ASSERT_TRUE(process->writer.flush());
    if (!alive) process.reset();
    Skips skips;
    const auto found = find_session(directory_, trace.hex(), base_, skips);
    ASSERT_TRUE(found) << found.error().message;
    const auto view = load_spans(*found, base_ + 1h, skips);
    ASSERT_EQ(view->spans.size(), 1u);
    EXPECT_EQ(view->spans[0].ending, alive ? Ending::kRunning : Ending::kUnknown);
    EXPECT_EQ(view->spans[0].header.duration, alive ? Nanos(1h) : Nanos(1s));
    std::filesystem::remove_all(directory_);
  }
}

TEST_F(Load, OfSeveralSessionsInAFileTheOneThatSpokeLastIsTheNewest) {
  Process process(directory_, clock_, 1, base_);
  SampleOptions options;
  options.seed = 2;
  options.start = base_;
  Sample quiet(process.sink(), options);
  quiet.open();
  quiet.call("echo", 1s, 1ms);
  process.sample.open();
  process.sample.call("echo", 60s, 1ms);
  options.seed = 3;
  options.close_tells = true;
  Sample closed(process.sink(), options);
  closed.open();
  closed.close(30s);
  ASSERT_TRUE(process.writer.flush());
  touch(process.writer.path(), base_ + 61s);
  EXPECT_EQ(ids({}), (std::vector{process.sample.id(), closed.id(), quiet.id()}));
  SessionQuery query;
  query.since = base_ + 20s;
  EXPECT_EQ(ids(query), (std::vector{process.sample.id(), closed.id()}));
  Skips skips;
  EXPECT_EQ(find_session(directory_, "", base_, skips)->session->id, process.sample.id());
}

TEST_F(Load, WhatWasStartingIsFoundByItsTraceUntilItHasASession) {
  Process process(directory_, clock_, 1, base_);
  process.sample.resource();
  SampleCall initialize;
  initialize.method = mcp::Method::kInitialize;
  initialize.span_id.bytes.fill(7);
  initialize.flags = trace::kStarting;
  initialize.open = true;
  process.sample.call(initialize);
  ASSERT_TRUE(process.writer.flush());
  Skips skips;
  const std::string trace = process.sample.trace_id().hex();
  const auto starting = find_session(directory_, trace, base_, skips);
  ASSERT_TRUE(starting);
  // Its root is made up.
  const auto view = load_spans(*starting, base_ + 5s, skips);
  ASSERT_TRUE(view);
  ASSERT_EQ(view->spans.size(), 2u);
  EXPECT_EQ(view->spans[0].header.parent_id.is_zero() + view->spans[1].header.parent_id.is_zero(), 1);
  for (const TraceSpan& span : view->spans) {
    EXPECT_EQ(span.ending, Ending::kRunning);
    EXPECT_EQ(span.header.duration, 5s);
    if (span.is_root()) EXPECT_EQ(otlp::decode_span(span.bytes)->name, "agent_session");
  }
  SampleOptions options;
  options.seed = 9;
  Sample told(process.sink(), options);
  told.open();
  initialize.flags = trace::kStarted;
  told.call(initialize);
  ASSERT_TRUE(process.writer.flush());
  const auto found = find_session(directory_, trace, base_, skips);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Errc::kNotFound);
}

TEST_F(Load, OthersAreWhatSessionsShows) {
  const std::string newest = ended(1, base_ + 100s);
  ended(2, base_);
  Process process(directory_, clock_, 3, base_ - 100s);
  process.sample.open();
  SampleCall discover;
  discover.method = mcp::Method::kServerDiscover;
  process.sample.call(discover);
  process.sample.close(1s);
  ASSERT_TRUE(process.writer.flush());
  touch(process.writer.path(), base_ - 99s);
  Skips skips;
  const auto found = find_session(directory_, "", base_, skips);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->session->id, newest);
  EXPECT_EQ(found->others, 1u);
  EXPECT_EQ(ids({}).size(), 2u);
}

TEST_F(Load, CountsComeOutOfBlocksToo) {
  const std::string id = ended(1, base_, 7, 2000);
  const auto list = load_sessions(directory_, {});
  ASSERT_TRUE(list);
  ASSERT_EQ(list->sessions.size(), 1u);
  EXPECT_EQ(list->sessions[0].counts.calls, 2000);
  EXPECT_EQ(list->sessions[0].counts.errors, 7);
  Skips skips;
  const auto found = find_session(directory_, id, base_, skips);
  ASSERT_TRUE(found);
  const auto view = load_spans(*found, base_, skips);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->spans.size(), 2002u);
  EXPECT_TRUE(skips.lines().empty());
}

TEST_F(Load, AStretchInAnOlderFileIsFoundWhateverTheLimit) {
  Process first(directory_, clock_, 1, base_);
  first.sample.open();
  first.sample.call("echo", 0s, 1ms);
  first.sample.close(1s);
  ASSERT_TRUE(first.writer.flush());
  touch(first.writer.path(), base_ + 1s);
  ended(5, base_ + 500s);
  Process second(directory_, clock_, 2, base_ + 1000s);
  second.sample.options().print = first.sample.print();
  second.sample.options().previous = {first.sample.trace_id(), first.sample.root_id(), 0, {}, "previous"};
  second.sample.open();
  second.sample.call("echo", 0s, 1ms);
  second.sample.close(1s);
  ASSERT_TRUE(second.writer.flush());
  SessionQuery query;
  query.limit = 1;
  const auto list = load_sessions(directory_, query);
  ASSERT_TRUE(list);
  ASSERT_EQ(list->sessions.size(), 1u);
  EXPECT_EQ(list->sessions[0].stretches.size(), 2u);
  EXPECT_EQ(list->sessions[0].counts.calls, 2);
  EXPECT_EQ(list->sessions[0].start, base_);
}

TEST_F(Load, ALivingProcessIsOpenAndADeadOneKilled) {
  std::optional<Process> process(std::in_place, directory_, clock_, 1, base_);
  process->sample.open();
  process->sample.call("echo", 2s, 1ms);
  ASSERT_TRUE(process->writer.flush());
  EXPECT_EQ(load_sessions(directory_, {})->sessions.at(0).state, State::kOpen);
  EXPECT_EQ(live_sessions(directory_)->count, 1u);
  process.reset();
  EXPECT_EQ(load_sessions(directory_, {})->sessions.at(0).state, State::kKilled);
  EXPECT_EQ(load_sessions(directory_, {})->sessions.at(0).counts.calls, 1);
  EXPECT_EQ(live_sessions(directory_)->count, 0u);
}

TEST_F(Load, FindsByEveryKindOfId) {
  TraceId trace;
  const std::string id = ended(1, base_, 0, 1, [&](Sample& sample) {
    trace = sample.trace_id();
    SampleCall joined;
    joined.trace_id.bytes.fill(0xab);
    joined.parent_id.bytes.fill(0xcd);
    sample.call(joined);
  });
  ended(2, base_ + 5s);
  Skips skips;
  std::string upper = id;
  for (char& c : upper) c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 32) : c;
  for (const std::string& text : {id, id.substr(2), id.substr(0, 8), upper, trace.hex(), trace.hex().substr(0, 6)}) {
    const auto found = find_session(directory_, text, base_, skips);
    ASSERT_TRUE(found) << text << ": " << found.error().message;
    ASSERT_TRUE(found->session) << text;
    EXPECT_EQ(found->session->id, id);
    EXPECT_EQ(load_spans(*found, base_, skips)->spans.size(), 4u);
  }
  const auto joined = find_session(directory_, std::string(32, 'a').replace(1, 1, "b"), base_, skips);
  EXPECT_FALSE(joined);
  const auto caller = find_session(directory_, "abababab", base_, skips);
  ASSERT_TRUE(caller);
  EXPECT_FALSE(caller->session);
  EXPECT_EQ(load_spans(*caller, base_, skips)->spans.size(), 1u);
}

TEST_F(Load, WrongAndAmbiguousIds) {
  for (std::uint64_t i = 1; i <= 3; ++i) {
    Process process(directory_, clock_, i, base_);
    process.sample.options().print = 0x1234000000000000ull + i;
    process.sample.open();
    ASSERT_TRUE(process.writer.flush());
  }
  Skips skips;
  for (const auto& [text, code] : {std::pair("s-1234", Errc::kAmbiguous),
                                   {"s-1235", Errc::kNotFound},
                                   {"123", Errc::kInvalidArgument},
                                   {"hello", Errc::kInvalidArgument},
                                   {"s-12340000000000001", Errc::kInvalidArgument}}) {
    const auto found = find_session(directory_, text, base_, skips);
    ASSERT_FALSE(found) << text;
    EXPECT_EQ(found.error().code, code) << found.error().message;
  }
  EXPECT_NE(find_session(directory_, "1234", base_, skips).error().message.find("s-1234000000000002"),
            std::string::npos);
  EXPECT_TRUE(find_session(directory_, "s-1234000000000002", base_, skips));
}

TEST_F(Load, SaysWhatWasDeletedToMakeRoom) {
  const std::string id = ended(1, base_);
  std::ofstream(directory_ + "/expired") << "1 2000000\n2 1000000\n";
  const std::vector<std::string> wanted{"of what was traced before, 3 files (3.0 MB) were deleted to make room"};
  const auto list = load_sessions(directory_, {});
  ASSERT_TRUE(list);
  EXPECT_EQ(list->sessions.size(), 1u);
  EXPECT_EQ(list->skips.lines(), wanted);
  Skips skips, of_missing;
  EXPECT_TRUE(find_session(directory_, id, base_, skips));
  EXPECT_EQ(skips.lines(), wanted);
  EXPECT_FALSE(find_session(directory_, "s-0123456789abcdef", base_, of_missing));  // it may have been among them
  EXPECT_EQ(of_missing.lines(), wanted);
}

TEST_F(Load, SaysWhatItPassedOver) {
  ended(1, base_);
  std::string path;
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    if (entry.path().extension() == ".spool") path = entry.path();
  }
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(700);
  file.write("damage", 6);
  file.close();
  const auto list = load_sessions(directory_, {});
  ASSERT_TRUE(list);
  const auto lines = list->skips.lines();
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_TRUE(lines[0].starts_with("1 damaged place (")) << lines[0];
  EXPECT_TRUE(lines[0].ends_with(") in 1 file was passed over")) << lines[0];
}

}  // namespace
}  // namespace mcptrace::query
