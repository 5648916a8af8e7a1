#include "query/waterfall.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "otlp/encode.h"
#include "query/rows.h"
#include "query/testing.h"

namespace mcptrace::query {
namespace {

using namespace std::chrono_literals;
using trace::Outcome;

struct Drawn {
  std::vector<MemoryFile> files{1};
  Sample sample{files[0].sink()};

  TraceView view(Nanos now) {
    const ledger::Ledger ledger = ledger_of(files);
    return view_of(files, *ledger.find({sample.print(), {}}), now);
  }
  std::string text(Nanos after, std::size_t width = 100) {
    const Nanos now = sample.options().start + after;
    return waterfall(view(now), plain_text(now, width));
  }
};

TEST(Waterfall, OfASmallSession) {
  Drawn drawn;
  drawn.sample.extra = {{trace::Attr::kNotInjectedCount, 3}, {trace::finding_count(mcp::Finding::kLateAnswer), 2}};
  drawn.sample.open();
  drawn.sample.initialize(0ms, 200ms);
  const SpanId outer = drawn.sample.call("get-sum", 250ms, 500ms);
  SampleCall inner;
  inner.method = mcp::Method::kSamplingCreateMessage;
  inner.parent_id = outer;
  inner.at = 300ms;
  inner.duration = 300ms;
  drawn.sample.call(inner);
  drawn.sample.call("echo", 800ms, 1ms, Outcome::kToolError);
  SampleCall refused;
  refused.tool = "nope";
  refused.at = 850ms;
  refused.duration = 150ms;
  refused.outcome = Outcome::kRpcError;
  refused.code = -32602;
  drawn.sample.call(refused);
  drawn.sample.close(1s);
  EXPECT_EQ(drawn.text(90s),
            "session s-" + drawn.sample.id().substr(2) + "  trace " + drawn.sample.trace_id().hex() + R"(
claude-code 2.1.0 → mcp-servers/everything 1.0.0, protocol 2025-11-25 (legacy), service everything
started 2023-11-14 22:13:20 (1m ago), took 1.00 s, closed
3 tool calls, 2 errors (calls: 1 tool_error, 1 rpc_error)
note: 3 requests forwarded without our trace context
notice late_answer, 2 times: An answer came after its request was given up.

agent_session                     ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━   1.00 s
├─ mcp.initialize                 ███████▍                                200 ms
├─ mcp.tool_call get-sum                   ██████████████████▊            500 ms
│  └─ mcp.sampling_createMessage             ███████████▎                 300 ms
├─ mcp.tool_call echo                                          ▏         1.00 ms  ✗ tool_error
└─ mcp.tool_call nope                                            ██████   150 ms  ✗ rpc_error -32602
)");
}

TEST(Waterfall, RunsOn) {
  Drawn drawn;
  drawn.files[0].held = true;
  drawn.sample.open();
  drawn.sample.call("echo", 0s, 1s);
  SampleCall open;
  open.tool = "slow";
  open.at = 1s;
  open.open = true;
  drawn.sample.call(open);
  EXPECT_EQ(drawn.text(5s, 80).substr(drawn.text(5s, 80).find("started")),
            R"(started 2023-11-14 22:13:20 (5s ago), open for 5.00 s, open
1 tool call, 0 errors

agent_session          ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━▸  5.00 s so far
├─ mcp.tool_call echo  ████████▍                                          1.00 s
└─ mcp.tool_call slow          █████████████████████████████████▸  4.00 s so far
)");
}

TEST(Waterfall, KilledSession) {
  Drawn drawn;
  drawn.sample.open();
  SampleCall open;
  open.tool = "slow";
  open.at = 1s;
  open.open = true;
  drawn.sample.call(open);
  drawn.sample.call("echo", 2s, 1s);
  const std::string text = drawn.text(5min);
  EXPECT_NE(text.find("\n2 tool calls, 1 error (calls: 1 abandoned)\n"), std::string::npos) << text;
  EXPECT_NE(text.find("note: it was killed: ends are where it was last heard of\n"), std::string::npos) << text;
  EXPECT_NE(text.find("✗ abandoned (killed), end unk…\n"), std::string::npos) << text;
}

TEST(Waterfall, AFailedSessionSaysWhy) {
  Drawn drawn;
  drawn.sample.options().server_name = "";
  drawn.sample.options().error_type = "server_exit";
  drawn.sample.open();
  drawn.sample.close(1s);
  const std::string text = drawn.text(5min);
  EXPECT_NE(text.find(", took 1.00 s, failed\nfailed: the server ended before it had answered anything\n"),
            std::string::npos)
      << text;
}

TEST(Waterfall, AnIdleSessionEndsWithItsLastMessage) {
  Drawn drawn;
  drawn.files[0].held = true;
  drawn.sample.open();
  drawn.sample.call("echo", 0s, 4s);
  const Nanos now = drawn.sample.options().start + 1h;
  const Session session = *ledger_of(drawn.files, now).find({drawn.sample.print(), {}});
  const TraceView view = view_of(drawn.files, session, now);
  EXPECT_EQ(view.spans.front().header.duration, 4s);
  EXPECT_EQ(view.spans.front().ending, Ending::kRunning);
  const std::string text = waterfall(view, plain_text(now));
  EXPECT_NE(text.find(", took 4.00 s, idle\n"), std::string::npos) << text;
}

TEST(Waterfall, FindingsTheWorstFirstAndNotAll) {
  Drawn drawn;
  using enum mcp::Finding;
  for (const mcp::Finding finding : {kLateAnswer, kLost, kBadEncoding, kUndeclaredTool, kNullId, kStdoutNotJson}) {
    drawn.sample.extra.push_back({trace::finding_count(finding), finding == kStdoutNotJson ? 3 : 1});
  }
  drawn.sample.open();
  drawn.sample.close(1s);
  const std::string text = drawn.text(5min);
  EXPECT_NE(
      text.find("\nerror null_id: A request has `\"id\":null`.\nwarning stdout_not_json, 3 times: The server wrote"),
      std::string::npos)
      << text;
  EXPECT_EQ(text.find("late_answer"), std::string::npos) << text;
  EXPECT_NE(text.find("\nand 1 finding more: --format json\n"), std::string::npos) << text;
}

TEST(Waterfall, LongGapsAreDrawnShorterAndSaidToBe) {
  Drawn drawn;
  drawn.sample.open();
  drawn.sample.call("a", 0s, 1s);
  drawn.sample.call("b", 3600s, 1s);
  drawn.sample.close(3601s);
  const std::string text = drawn.text(2h, 80);
  EXPECT_EQ(text.substr(text.find("note")), R"(note: 1 idle gap (59m 59s in all) drawn shorter than it was

agent_session       ━━━━━━━━━━━━━╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌━━━━━━━━━━━━━  1h 00m
├─ mcp.tool_call a  █████████████                                         1.00 s
└─ mcp.tool_call b                                         █████████████  1.00 s
)");
}

TEST(Waterfall, AsciiWhereTheTerminalHasNothingElse) {
  Drawn drawn;
  drawn.sample.open();
  drawn.sample.call("a", 0s, 500us, Outcome::kToolError);
  drawn.sample.close(1ms);
  TextOptions options = plain_text(drawn.sample.options().start, 70);
  options.unicode = false;
  const std::string text = waterfall(drawn.view(options.now), options);
  for (const char c : text) EXPECT_LT(static_cast<unsigned char>(c), 0x80) << text;
  EXPECT_NE(text.find("`- mcp.tool_call a"), std::string::npos) << text;
}

TEST(Waterfall, HostileNamesStayText) {
  Drawn drawn;
  drawn.sample.options().client_name = "a\x1b]0;owned\x07\n\u202e";
  drawn.sample.options().service = "evil\r\x9b";
  drawn.sample.open();
  drawn.sample.call("t\x1b[2J\u2028" + std::string(5000, 'x'), 0s, 1s, Outcome::kToolError);
  drawn.sample.close(1s);
  for (const std::size_t width : {40u, 80u, 200u}) {
    const std::string text = drawn.text(1h, width);
    std::size_t lines = 0;
    for (std::size_t at = 0; at < text.size(); ++lines) {
      const std::size_t end = text.find('\n', at);
      const std::string line = text.substr(at, end - at);
      EXPECT_LE(columns(line), width) << line;
      EXPECT_EQ(display(line), line);
      at = end + 1;
    }
    EXPECT_EQ(lines, 7u) << text;
  }
}

TEST(Waterfall, ManyGoodCallsAreFoldedByName) {
  Drawn drawn;
  drawn.sample.open();
  drawn.sample.initialize(0s, 1ms);
  for (int i = 0; i < 300; ++i) drawn.sample.call("echo", 10ms * (i + 1), Nanos(1ms) * (i % 30 + 1));
  drawn.sample.call("echo", 4s, 1ms, Outcome::kToolError);
  for (int i = 0; i < 5; ++i) drawn.sample.call("add", 5s + 10ms * i, 1ms);
  drawn.sample.close(6s);
  const std::string text = drawn.text(10s, 120);
  EXPECT_NE(text.find("├─ … 300 × mcp.tool_call echo"), std::string::npos) << text;
  EXPECT_NE(text.find("ok, p50 15.0 ms, max 30.0 ms"), std::string::npos) << text;
  EXPECT_NE(text.find("└─ … 5 × mcp.tool_call add"), std::string::npos) << text;
  EXPECT_EQ(std::ranges::count(text, '\n'), 6 + 5);

  TextOptions full = plain_text(drawn.sample.options().start + 10s);
  full.full = true;
  const std::string all = waterfall(drawn.view(full.now), full);
  EXPECT_GT(std::ranges::count(all, '\n'), 307);
}

TEST(Waterfall, ManyMixedCallsAreFoldedTogether) {
  Drawn drawn;
  drawn.sample.open();
  for (int i = 0; i < 600; ++i) drawn.sample.call(i % 3 == 0 ? "echo" : "add", 10ms * i, 1ms);
  drawn.sample.close(6s);
  const std::string text = drawn.text(10s, 160);
  EXPECT_NE(text.find("└─ … 600 × mcp.tool_call (add 400, echo 200)"), std::string::npos) << text;
}

TEST(Waterfall, DeepTreesStayWithinTheWidth) {
  Drawn drawn;
  drawn.sample.open();
  SpanId parent{};
  for (int i = 0; i < 60; ++i) {
    SampleCall call;
    call.tool = "t" + std::to_string(i);
    call.at = Nanos(1ms) * i;
    call.duration = 1s;
    call.parent_id = parent;
    parent = drawn.sample.call(call);
  }
  drawn.sample.close(2s);
  const std::string text = drawn.text(10s, 80);
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    EXPECT_LE(columns(text.substr(at, text.find('\n', at) - at)), 80u);
  }
  EXPECT_NE(text.find("t59"), std::string::npos) << text;
}

TEST(Waterfall, MarksACallersTraceAndALoop) {
  Drawn drawn;
  drawn.sample.open();
  SampleCall call;
  call.tool = "echo";
  call.trace_id.bytes.fill(0xab);
  call.parent_id.bytes.fill(0xcd);
  call.duration = 1s;
  drawn.sample.call(call);
  call.trace_id = {};
  call.span_id.bytes.fill(0x77);
  call.parent_id.bytes.fill(0x77);
  drawn.sample.call(call);
  call.span_id.bytes.fill(0x78);
  call.parent_id.bytes.fill(0xee);
  drawn.sample.call(call);
  drawn.sample.close(2s);
  const std::string text = drawn.text(10s, 120);
  EXPECT_NE(text.find("↗ trace abababab"), std::string::npos) << text;
  EXPECT_NE(text.find("parents form a loop"), std::string::npos) << text;
  EXPECT_NE(text.find("parent eeeeeeee not received"), std::string::npos) << text;
}

TEST(Waterfall, WithoutASession) {
  Drawn drawn;
  drawn.sample.open();
  SampleCall call;
  call.tool = "echo";
  call.trace_id.bytes.fill(0xab);
  call.parent_id.bytes.fill(0xcd);
  call.duration = 1s;
  drawn.sample.call(call);
  SpanSelection selection;
  selection.traces = {call.trace_id};
  const std::string text = waterfall(view_of(drawn.files, selection, {}, 0s), plain_text(0s, 80));
  EXPECT_NE(text.find("1 span of it was seen here, in 1 session\n  " + drawn.sample.id() + "\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("\nmcp.tool_call echo"), std::string::npos) << text;
}

TEST(Waterfall, ColourOnlyWhereWanted) {
  Drawn drawn;
  drawn.sample.open();
  drawn.sample.call("a", 0s, 1s, Outcome::kToolError);
  drawn.sample.close(1s);
  TextOptions options = plain_text(drawn.sample.options().start);
  EXPECT_EQ(waterfall(drawn.view(options.now), options).find('\x1b'), std::string::npos);
  options.color = true;
  EXPECT_NE(waterfall(drawn.view(options.now), options).find("\x1b[31m"), std::string::npos);
}

TEST(SpanLine, WhatIsNoErrorByItsStatusIsNotMarked) {
  for (const auto naming : {trace::Naming::kBoth, trace::Naming::kSemconv}) {
    for (const auto status : {trace::StatusCode::kUnset, trace::StatusCode::kError}) {
      trace::SpanRecord record;
      record.trace_id.bytes[0] = record.span_id.bytes[0] = 1;
      record.name = "server/discover";
      record.status = status;
      record.outcome = Outcome::kRpcError;
      record.add(trace::Attr::kErrorCode, std::int64_t{-32601});
      record.add(trace::Attr::kRpcStatusCode, "-32601");
      TraceSpan span;
      span.header.status = status;
      span.header.outcome = Outcome::kRpcError;
      otlp::encode_span(record, naming, span.bytes);
      const Description description = describe(span);
      const bool error = status == trace::StatusCode::kError;
      EXPECT_EQ(description.error, error);
      EXPECT_EQ(description.note, error ? "✗ rpc_error -32601" : "rpc_error -32601");
    }
  }
}

TEST(SpanLine, OneEndedCall) {
  Drawn drawn;
  drawn.sample.open();
  drawn.sample.call("echo", 1s + 123ms, 12ms, Outcome::kToolError);
  const TraceView view = drawn.view(0s);
  EXPECT_EQ(span_line(view.spans[1], plain_text(0s, 80)),
            "22:13:21.123  mcp.tool_call echo                     12.0 ms  ✗ tool_error\n");
}

}  // namespace
}  // namespace mcptrace::query
