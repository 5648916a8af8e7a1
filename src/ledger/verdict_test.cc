#include "ledger/verdict.h"

#include <gtest/gtest.h>

#include "ledger/testing.h"

namespace mcptrace::ledger {
namespace {

using namespace std::chrono_literals;
using trace::Outcome;

SampleCall request(mcp::Method method, Outcome outcome, Nanos duration = 1ms) {
  SampleCall call;
  call.method = method;
  call.outcome = outcome;
  call.duration = duration;
  return call;
}
SampleCall initialize(Outcome outcome, Nanos duration = 1ms) {
  return request(mcp::Method::kInitialize, outcome, duration);
}
SampleCall discover(Outcome outcome) { return request(mcp::Method::kServerDiscover, outcome); }
SampleCall open(SampleCall call) {
  call.open = true;
  return call;
}

// A session whose server has not said its name.
struct Told {
  MemoryFile file;
  Sample sample{file.sink(), nameless()};

  static SampleOptions nameless() {
    SampleOptions options;
    options.server_name = options.server_version = "";
    return options;
  }
  explicit Told(const std::vector<SampleCall>& calls) {
    sample.open();
    for (const SampleCall& call : calls) sample.call(call);
  }
  Told& close(std::string error_type = "") {
    sample.options().error_type = std::move(error_type);
    sample.close(1s);
    return *this;
  }
  Session at(Nanos after) {
    return *ledger_of({file}, sample.options().start + after).find({.print = sample.print(), .trace_id = {}});
  }
};

TEST(Failure, OfAServerThatWasNoUse) {
  using enum Outcome;
  SampleCall denied = initialize(kTransportError), challenged = initialize(kAuthRequired);
  denied.status = 403;
  challenged.auth_scheme = "Bearer";
  SampleCall notification = request(mcp::Method::kNotificationsInitialized, kOk);
  notification.flags = trace::kStanding;
  const SampleCall list = request(mcp::Method::kToolsList, kAbandoned);
  const struct {
    std::vector<SampleCall> calls;
    std::string root;
    Failure failure;
  } cases[] = {
      {{}, "server_not_started", Failure::kNotStarted},
      {{}, "server_exit", Failure::kEndedFirst},
      {{initialize(kAbandoned)}, "server_exit", Failure::kEndedFirst},
      {{initialize(kAbandoned)}, "server_closed", Failure::kEndedFirst},
      {{initialize(kRpcError)}, "server_exit", Failure::kRefused},
      {{initialize(kRpcError)}, "initialize_failed", Failure::kRefused},
      {{initialize(kTransportError)}, "initialize_failed", Failure::kRefused},
      {{discover(kRpcError), initialize(kRpcError)}, "initialize_failed", Failure::kRefused},
      {{initialize(kAbandoned), notification, list}, "initialize_failed", Failure::kNoAnswer},
      {{initialize(kCancelled)}, "initialize_failed", Failure::kNoAnswer},
      {{discover(kAbandoned)}, "", Failure::kNoAnswer},
      {{denied, challenged, denied}, "", Failure::kNeedsSignIn},
      // Used, whatever came before and after.
      {{initialize(kOk)}, "server_exit", Failure::kNone},
      {{initialize(kRpcError), request(mcp::Method::kToolsList, kOk)}, "initialize_failed", Failure::kNone},
      {{discover(kAbandoned), initialize(kOk)}, "", Failure::kNone},
      {{denied, initialize(kOk), denied}, "", Failure::kNone},
      {{discover(kRpcError)}, "", Failure::kNone},
      {{}, "", Failure::kNone},
  };
  for (const auto& [calls, root, failure] : cases) {
    const Session session = Told(calls).close(root).at(1h);
    SCOPED_TRACE(std::to_string(calls.size()) + " requests, " + root);
    EXPECT_EQ(failure_text(session.failure), failure_text(failure));
    EXPECT_EQ(session.state, failure == Failure::kNone ? State::kClosed : State::kFailed);
    EXPECT_EQ(session.kind == Class::kProbe, session.failure == Failure::kNone && calls.size() == 1 &&
                                                 calls[0].method == mcp::Method::kServerDiscover);
    EXPECT_EQ(session.course.auth_scheme, failure == Failure::kNeedsSignIn ? "Bearer" : "");
  }
}

TEST(Failure, AHandshakeMayTakeAMinute) {
  for (const auto method : {mcp::Method::kInitialize, mcp::Method::kServerDiscover}) {
    Told it({open(request(method, Outcome::kNone))});
    it.file.held = true;
    EXPECT_EQ(it.at(60s).state, State::kOpen);
    EXPECT_EQ(it.at(61s).failure, Failure::kNoAnswer);
    EXPECT_EQ(it.at(61s).kind, Class::kAgent);
    // Its wrapper died: nobody knows what it would have said.
    it.file.held = false;
    EXPECT_EQ(it.at(61s).state, State::kKilled);
  }
  // The client that was not answered asks anew.
  Told again({discover(Outcome::kAbandoned), open(initialize(Outcome::kNone))});
  again.file.held = true;
  EXPECT_EQ(again.at(10s).state, State::kOpen);
}

TEST(State, OpenForAMinuteThenIdleAndNoLonger) {
  Told it({initialize(Outcome::kOk)});
  it.file.held = true;
  it.sample.call("echo", 5s, 1s);
  EXPECT_EQ(it.at(66s).state, State::kOpen);
  EXPECT_EQ(it.at(67s).state, State::kIdle);
  SampleCall slow;
  slow.at = 10s;
  slow.duration = 1s;
  slow.span_id.bytes.fill(7);
  it.sample.call(open(slow));
  // While it waits the session is open, and no longer than to what was asked.
  EXPECT_EQ(it.at(1h).state, State::kOpen);
  EXPECT_EQ(it.at(1h).end - it.at(1h).start, 10s);
  slow.duration = 2s;
  it.sample.call(slow);
  EXPECT_EQ(it.at(1h).state, State::kIdle);
  EXPECT_EQ(it.at(1h).end - it.at(1h).start, 12s);
  // Nor does a stream that is open, whoever holds it.
  slow.at = 20s;
  slow.span_id.bytes.fill(8);
  slow.flags = trace::kStanding;
  it.sample.call(open(slow));
  EXPECT_EQ(it.at(1h).state, State::kIdle);
  it.sample.close(15s);
  EXPECT_EQ(it.at(1h).state, State::kClosed);
}

TEST(State, WhatClosedForSilenceIsIdle) {
  Told it({initialize(Outcome::kOk)});
  it.file.held = true;
  it.sample.options().flags = trace::kEndUnseen;
  it.sample.close(1s);
  EXPECT_EQ(it.at(1h).state, State::kIdle);
  EXPECT_EQ(it.at(1h).end - it.at(1h).start, 1s);
  it.file.held = false;
  EXPECT_EQ(it.at(1h).state, State::kIdle) << "nothing was lost";
  it.sample.options().flags = 0;
  it.sample.close(1s);
  EXPECT_EQ(it.at(1h).state, State::kClosed);
}

TEST(State, WithDerivedIdsNothingIsKilled) {
  Told it({});
  it.sample.options().flags = trace::kDerivedIds;
  it.sample.open();
  it.sample.call("echo", 5s, 1s);
  EXPECT_EQ(it.at(30s).state, State::kOpen);
  EXPECT_EQ(it.at(1h).state, State::kIdle);
}

// What the server asks counts neither as a call nor, when it is killed, as an error.
TEST(Counts, OnlyTheClientsCalls) {
  SampleCall asked = request(mcp::Method::kToolsCall, Outcome::kOk), waits = open(asked);
  asked.flags = waits.flags = trace::kFromServer;
  Told it({initialize(Outcome::kOk), asked, waits, open(discover(Outcome::kNone))});
  const Session session = it.at(1h);
  EXPECT_EQ(session.state, State::kKilled);
  EXPECT_EQ(session.counts.calls, 0);
  EXPECT_EQ(session.counts.errors, 0);
}

// A client asks in a process of its own, which may say nothing or end at once, and starts another one.
TEST(Probe, UnansweredOnlyIfTheNextProcessWasUsed) {
  const auto kind = [](Nanos after, const std::function<void(SampleOptions&)>& change, bool answers) {
    std::vector<MemoryFile> files(2);
    SampleOptions options = Told::nameless();
    Sample probe(files[0].sink(), options);
    probe.open();
    probe.call(discover(Outcome::kAbandoned));
    probe.close(2s);
    options.seed = 2;
    options.start += after;
    change(options);
    Sample next(files[1].sink(), options);
    next.open();
    next.call(initialize(answers ? Outcome::kOk : Outcome::kAbandoned));
    next.close(1s);
    const Ledger ledger = ledger_of(files, options.start + 1h);
    const Session& session = *ledger.find({.print = probe.print(), .trace_id = {}});
    EXPECT_EQ(session.state, session.kind == Class::kProbe ? State::kClosed : State::kFailed);
    return session.kind;
  };
  const auto same = [](SampleOptions&) {};
  EXPECT_EQ(kind(1s, same, true), Class::kProbe);
  EXPECT_EQ(kind(62s, same, true), Class::kProbe);
  EXPECT_EQ(kind(63s, same, true), Class::kAgent);
  EXPECT_EQ(kind(-1s, same, true), Class::kAgent);
  EXPECT_EQ(kind(1s, same, false), Class::kAgent);
  EXPECT_EQ(kind(1s, [](SampleOptions& options) { options.command = "c0ffee0000000003"; }, true), Class::kAgent);
  EXPECT_EQ(kind(1s, [](SampleOptions& options) { options.client_process = "c0ffee0000000003"; }, true), Class::kAgent);
  EXPECT_EQ(kind(1s, [](SampleOptions& options) { options.command = ""; }, true), Class::kAgent);
}

TEST(Findings, OfAllRootsAddUp) {
  std::vector<MemoryFile> files(1);
  SampleOptions options;
  options.flags = trace::kDerivedIds;
  for (const std::string instance : {"a", "b"}) {
    options.instance = instance;
    Sample sample(files[0].sink(), options);
    sample.extra = {{trace::finding_count(mcp::Finding::kNullId), 2}, {trace::Attr::kFinding, 7}};
    sample.open();
    sample.close(1s);
  }
  const Counts counts = ledger_of(files).sessions().begin()->second.counts;
  EXPECT_EQ(counts.findings, (std::map<mcp::Finding, std::int64_t>{{mcp::Finding::kNullId, 4}}));
}

}  // namespace
}  // namespace mcptrace::ledger
