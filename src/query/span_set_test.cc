#include "query/span_set.h"

#include <gtest/gtest.h>

#include "ledger/root_attributes.h"
#include "query/export.h"
#include "query/testing.h"

namespace mcptrace::query {
namespace {

using namespace std::chrono_literals;
using trace::Attr;
using trace::Outcome;

SampleCall open_call(std::string tool, Nanos at, std::uint8_t n, std::uint8_t flags = 0) {
  SampleCall call;
  call.tool = std::move(tool);
  call.at = at;
  call.open = true;
  call.flags = flags;
  call.span_id.bytes.fill(n);
  return call;
}

TraceView view(const std::vector<MemoryFile>& files, Nanos now) {
  const ledger::Ledger ledger = ledger_of(files);
  return view_of(files, ledger.sessions().begin()->second, now);
}

const TraceSpan& span_of(const TraceView& view, std::uint8_t n) {
  for (const TraceSpan& span : view.spans) {
    if (span.header.span_id.bytes[0] == n && span.header.span_id.bytes[7] == n) return span;
  }
  ADD_FAILURE() << "no span " << int{n};
  return view.spans.front();
}

TEST(SpanSet, KilledCallsAndRootAreCompleted) {
  std::vector<MemoryFile> files(1);
  Sample sample(files[0].sink());
  sample.open();
  sample.call("echo", 0s, 1ms);
  sample.call(open_call("slow", 1s, 0x11));
  sample.call(open_call("listen", 2s, 0x22, trace::kStanding));
  sample.call("last", 8s, 2s);
  const TraceView view = query::view(files, sample.options().start + 1h);
  ASSERT_EQ(view.spans.size(), 5u);
  const Nanos last = sample.options().start + 10s;

  const TraceSpan& slow = span_of(view, 0x11);
  EXPECT_EQ(slow.ending, Ending::kUnknown);
  EXPECT_EQ(slow.header.outcome, Outcome::kAbandoned);
  EXPECT_EQ(slow.header.status, trace::StatusCode::kError);
  EXPECT_EQ(slow.end(), last);
  const auto decoded = otlp::decode_span(slow.bytes);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->end, last);
  EXPECT_EQ(ledger::text_attribute(*decoded, Attr::kErrorType), "killed");
  EXPECT_EQ(ledger::text_attribute(*decoded, Attr::kEnd), "unknown");
  EXPECT_EQ(ledger::text_attribute(*decoded, Attr::kOutcome), "abandoned");
  EXPECT_EQ(decoded->status, 2u);

  EXPECT_EQ(span_of(view, 0x22).header.outcome, Outcome::kOk);
  const TraceSpan& root = view.spans.front();
  EXPECT_TRUE(root.is_root());
  EXPECT_EQ(root.end(), last);
  const auto root_decoded = otlp::decode_span(root.bytes);
  ASSERT_TRUE(root_decoded);
  EXPECT_EQ(root_decoded->end, last);
  EXPECT_EQ(root_decoded->status, 0u);
  EXPECT_EQ(ledger::text_attribute(*root_decoded, Attr::kEnd), "unknown");
}

TEST(SpanSet, AKilledCallEndsWhereItWasLastHeardOf) {
  std::vector<MemoryFile> files(2);
  Sample sample(files[0].sink());
  sample.open();
  SampleCall call = open_call("slow", 1s, 0x11);
  call.duration = 1s;
  sample.call(call);
  // Its process said so again at the head of its next file.
  for (const auto& entry : files[0].records) {
    if (entry.type != spool::RecordType::kCallOpen) files[1].records.push_back(entry);
  }
  std::vector<MemoryFile> later(1);
  Sample again(later[0].sink());
  again.open();
  call.duration = 30s;
  again.call(call);
  files[1].records.push_back(later[0].records.back());
  const TraceView view = query::view(files, sample.options().start + 1h);
  EXPECT_EQ(span_of(view, 0x11).header.duration, 30s);
  EXPECT_EQ(span_of(view, 0x11).ending, Ending::kUnknown);
}

// Nor has any span that is made here no length: a call that was the last that was heard of its process, and its root.
TEST(SpanSet, WhatWasKilledAtOnceLastedANanosecond) {
  std::vector<MemoryFile> files(1);
  Sample sample(files[0].sink());
  sample.open();
  sample.call(open_call("slow", 0s, 0x11));
  const TraceView view = query::view(files, sample.options().start + 1h);
  ASSERT_EQ(view.spans.size(), 2u);
  for (const TraceSpan& span : view.spans) {
    EXPECT_EQ(span.header.duration, 1ns);
    const auto decoded = otlp::decode_span(span.bytes);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(decoded->end, decoded->start + 1ns);
  }
  EXPECT_NE(waterfall(view, plain_text(sample.options().start + 1h)).find(" 0 s "), std::string::npos);
}

TEST(SpanSet, KilledCallsWithDerivedIdsAreUnobserved) {
  std::vector<MemoryFile> files(1);
  SampleOptions options;
  options.flags = trace::kDerivedIds;
  Sample sample(files[0].sink(), options);
  sample.open();
  sample.call(open_call("slow", 1s, 0x11));
  const TraceView view = query::view(files, sample.options().start + 1h);
  const TraceSpan& slow = span_of(view, 0x11);
  EXPECT_EQ(slow.header.outcome, Outcome::kUnobserved);
  EXPECT_EQ(slow.header.status, trace::StatusCode::kUnset);
}

TEST(SpanSet, OpenCallsOfAnOpenSessionRun) {
  std::vector<MemoryFile> files(1);
  Sample sample(files[0].sink());
  sample.open();
  sample.call(open_call("slow", 1s, 0x11));
  files[0].held = true;
  const TraceView view = query::view(files, sample.options().start + 5s);
  EXPECT_EQ(span_of(view, 0x11).ending, Ending::kRunning);
  EXPECT_EQ(span_of(view, 0x11).header.duration, 4s);
  EXPECT_EQ(view.spans[0].header.duration, 5s);
}

TEST(SpanSet, TheEndedSpanWinsInWhateverOrder) {
  SampleCall ended = open_call("slow", 1s, 0x11);
  ended.open = false;
  ended.duration = 3s;
  for (const bool ended_first : {false, true}) {
    std::vector<MemoryFile> files(1);
    Sample sample(files[0].sink());
    sample.open();
    if (ended_first) sample.call(ended);
    sample.call(open_call("slow", 1s, 0x11));
    if (!ended_first) sample.call(ended);
    sample.close(10s);
    const TraceView view = query::view(files, sample.options().start + 1h);
    ASSERT_EQ(view.spans.size(), 2u);
    EXPECT_EQ(span_of(view, 0x11).ending, Ending::kEnded);
    EXPECT_EQ(span_of(view, 0x11).header.duration, 3s);
  }
}

TEST(SpanSet, OfTwoEndedSpansTheLaterStays) {
  SampleCall ended = open_call("slow", 1s, 0x11);
  ended.open = false;
  std::vector<MemoryFile> files(2);
  Sample sample(files[0].sink());
  sample.open();
  for (const Nanos duration : {2s, 5s, 1s}) {
    ended.duration = duration;
    sample.call(ended);
  }
  sample.close(10s);
  files[1] = files[0];
  const TraceView view = query::view(files, sample.options().start + 1h);
  ASSERT_EQ(view.spans.size(), 2u);
  EXPECT_EQ(span_of(view, 0x11).header.duration, 5s);
}

TEST(SpanSet, RootsOfEqualIdsWiden) {
  std::vector<MemoryFile> files(1);
  SampleOptions options;
  Sample late(files[0].sink(), options);
  options.start -= 5s;
  Sample early(files[0].sink(), options);
  late.open();
  late.close(10s);
  early.open();
  early.close(6s);
  const TraceView view = query::view(files, late.options().start + 1h);
  ASSERT_EQ(view.spans.size(), 1u);
  EXPECT_EQ(view.spans[0].header.start, early.options().start);
  EXPECT_EQ(view.spans[0].end(), late.options().start + 10s);
}

TEST(SpanSet, CallsInACallersTraceBelong) {
  std::vector<MemoryFile> files(1);
  Sample sample(files[0].sink());
  SampleOptions other;
  other.seed = 9;
  Sample stranger(files[0].sink(), other);
  sample.open();
  stranger.open();
  stranger.call("echo", 0s, 1ms);
  SampleCall joined;
  joined.trace_id.bytes.fill(0xab);
  joined.parent_id.bytes.fill(0xcd);
  sample.call(joined);
  sample.close(1s);
  const ledger::Ledger ledger = ledger_of(files);
  const TraceView view = view_of(files, *ledger.find({sample.print(), {}}), sample.options().start);
  ASSERT_EQ(view.spans.size(), 2u);
  EXPECT_EQ(view.spans[0].header.trace_id == joined.trace_id, !view.spans[0].is_root());
}

TEST(SpanSet, HoldsNoMoreThanItsLimitAndSaysSo) {
  std::vector<MemoryFile> files(1);
  Sample sample(files[0].sink());
  sample.open();
  for (int i = 0; i < 20; ++i) sample.call("echo", Nanos(1ms) * i, 1us);
  sample.close(1s);
  const ledger::Ledger ledger = ledger_of(files);
  const TraceView view = view_of(files, ledger.sessions().begin()->second, sample.options().start, 8);
  EXPECT_EQ(view.spans.size(), 8u);
  EXPECT_EQ(view.left_out, 13u);
}

TEST(SpanSet, EveryFileHasItsOwnResourceNumbers) {
  std::vector<MemoryFile> files(2);
  SampleOptions options;
  Sample first(files[0].sink(), options);
  options.service = "renamed";
  Sample second(files[1].sink(), options);
  first.open();
  second.open();
  second.call(open_call("echo", 1s, 0x11));
  const TraceView view = query::view(files, first.options().start);
  EXPECT_EQ(ledger::text_attribute(view.resources[span_of(view, 0x11).resource].attributes, trace::kServiceName),
            "renamed");
}

TEST(SpanSet, NegativeAndHugeTimesDoNotOverflow) {
  std::vector<MemoryFile> files(1);
  Sample sample(files[0].sink());
  sample.open();
  sample.call("echo", 0s, 1s);
  sample.call("back", 0s, 1s);
  sample.call(open_call("slow", 0s, 0x11));
  constexpr std::size_t kStart = 48, kDuration = 56;  // in a record's header, little endian
  const auto put = [](std::string& payload, std::size_t at, std::int64_t value) {
    for (std::size_t i = 0; i < 8; ++i) payload[at + i] = static_cast<char>(value >> (8 * i));
  };
  put(files[0].records[2].payload, kStart, INT64_MAX - 5);
  put(files[0].records[2].payload, kDuration, INT64_MAX);
  put(files[0].records[3].payload, kDuration, INT64_MIN);
  put(files[0].records[4].payload, kStart, INT64_MIN);
  const TraceView view = query::view(files, Nanos::max());
  for (const TraceSpan& span : view.spans) EXPECT_GE(span.header.duration, 1ns);
  EXPECT_FALSE(waterfall(view, plain_text(Nanos::max())).empty());
  EXPECT_FALSE(trace_json(view).empty());
}

}  // namespace
}  // namespace mcptrace::query
