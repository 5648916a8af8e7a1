#include "ship/roots.h"

#include <gtest/gtest.h>

#include "base/testing.h"
#include "otlp/decode.h"
#include "otlp/encode.h"
#include "spool/spool_testing.h"

namespace mcptrace::ship {
namespace {

using namespace std::chrono_literals;
using trace::Attr;

constexpr Nanos kStart = 1000h;

struct Written {
  trace::SpanHeader header;
  std::string bytes;
};

Written root(Nanos duration, std::uint16_t flags = 0, std::string_view era = "legacy", bool ended = true) {
  trace::SpanRecord record;
  record.trace_id.bytes.fill(1);
  record.span_id.bytes.fill(2);
  record.name = trace::kRootName;
  record.start = kStart;
  record.duration = duration;
  record.ended = ended;
  record.add(Attr::kEra, era);
  record.add(Attr::kCalls, std::int64_t{duration / 1s});
  Written written{trace::header_of(record), {}};
  written.header.flags = static_cast<std::uint16_t>(trace::kRootSpan | flags);
  written.header.session_print = 77;
  otlp::encode_span(record, trace::Naming::kBoth, written.bytes);
  return written;
}

class RootsTest : public testing::Test {
 protected:
  Roots make() { return {temp_.path() + "/state/roots", key_, random_}; }
  std::optional<otlp::Span> write(Roots& roots, const Written& root) {
    const auto bytes = roots.written(root.header, root.bytes);
    EXPECT_TRUE(bytes);
    if (!bytes || !*bytes) return std::nullopt;
    return *otlp::decode_span(**bytes);
  }
  std::optional<otlp::Span> open(Roots& roots, const Written& root, Nanos last) {
    const auto bytes = roots.open(root.header, root.bytes, last);
    EXPECT_TRUE(bytes);
    if (!bytes || !*bytes) return std::nullopt;
    return *otlp::decode_span(**bytes);
  }

  spool::TempDirectory temp_;
  HashKey key_{std::array<std::uint8_t, 32>{}};
  SeededRandom random_{1};
};

TEST_F(RootsTest, ARootIsSentOnce) {
  Roots roots = make();
  const Written written = root(5s);
  EXPECT_EQ(*roots.written(written.header, written.bytes), written.bytes) << "as it is";
  EXPECT_FALSE(write(roots, written));
}

TEST_F(RootsTest, WhatComesAfterALongOnesShareIsItsEnd) {
  Roots roots = make();
  const auto partial = open(roots, root(0s, 0, "legacy", false), kStart + 10min);
  ASSERT_TRUE(partial);
  EXPECT_EQ(partial->name, "agent_session");
  EXPECT_EQ(partial->end, kStart + 10min);
  EXPECT_EQ(std::get<bool>(partial->attribute("mcptrace.partial")->v), true);
  EXPECT_FALSE(open(roots, root(0s, 0, "legacy", false), kStart + 11min));
  const auto end = write(roots, root(1h));
  ASSERT_TRUE(end);
  EXPECT_EQ(end->name, "agent_session.end");
  EXPECT_EQ(end->trace_id, partial->trace_id);
  EXPECT_EQ(end->parent_id, partial->span_id);
  EXPECT_NE(end->span_id, partial->span_id);
  EXPECT_EQ(end->start, kStart + 10min);
  EXPECT_EQ(end->end, kStart + 1h);
  EXPECT_EQ(*end->attribute("mcptrace.calls")->integer(), 3600);
  EXPECT_EQ(end->attribute("mcptrace.partial"), nullptr);
  EXPECT_FALSE(write(roots, root(1h)));
  const auto more = write(roots, root(2h));  // the session went on
  ASSERT_TRUE(more);
  EXPECT_EQ(more->start, kStart + 1h);
  EXPECT_NE(more->span_id, end->span_id);
}

TEST_F(RootsTest, TheEndsIdIsTheSameEachTimeItIsTold) {
  const auto id_of_end = [this] {
    Roots roots = make();
    open(roots, root(0s, 0, "legacy", false), kStart + 10min);
    return write(roots, root(1h))->span_id;
  };
  EXPECT_EQ(id_of_end(), id_of_end());
}

TEST_F(RootsTest, ADerivedRootIsOfWhoSawTheHandshake) {
  Roots roots = make();
  const auto part = write(roots, root(5s, trace::kDerivedIds));
  ASSERT_TRUE(part);
  EXPECT_EQ(part->name, "agent_session.part");
  EXPECT_EQ(part->parent_id, root(5s).header.span_id);
  Roots modern = make();
  EXPECT_EQ(write(modern, root(5s, trace::kDerivedIds, "modern"))->name, "agent_session");
  Roots owner = make();
  owner.saw_initialize(77, kStart);
  EXPECT_EQ(write(owner, root(5s, trace::kDerivedIds))->name, "agent_session");
  ASSERT_TRUE(owner.save({}));
  Roots next_day = make();
  Written other = root(5s, trace::kDerivedIds);
  other.header.trace_id.bytes.fill(9);
  EXPECT_EQ(write(next_day, other)->name, "agent_session") << "on whatever day";
}

TEST_F(RootsTest, WhatWasSentIsKnownAfterARestartUnlessNobodyAnswered) {
  const ledger::SpanKey key = ledger::key_of(root(0s).header);
  {
    Roots roots = make();
    open(roots, root(0s, 0, "legacy", false), kStart + 10min);
    ASSERT_TRUE(roots.save({key}));
  }
  {
    Roots roots = make();
    EXPECT_TRUE(open(roots, root(0s, 0, "legacy", false), kStart + 10min));
    ASSERT_TRUE(roots.save({}));
    write(roots, root(1h));
    ASSERT_TRUE(roots.save({key}));  // the partial one is still known
  }
  Roots roots = make();
  EXPECT_EQ(write(roots, root(1h))->name, "agent_session.end");
}

TEST_F(RootsTest, ADamagedFileCountsAsNotThere) {
  std::filesystem::create_directories(temp_.path() + "/state");
  spool::overwrite(temp_.path() + "/state/roots", "root zz\nours x y\n\nroot 01 02 3\n\xff");
  Roots roots = make();
  EXPECT_EQ(write(roots, root(5s))->name, "agent_session");
}

}  // namespace
}  // namespace mcptrace::ship
