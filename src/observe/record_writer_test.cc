#include "observe/record_writer.h"

#include <gtest/gtest.h>

#include "observe/traced_test_support.h"

namespace mcptrace::observe {
namespace {

using spool::RecordType;

TEST(RecordWriter, ARecordComesAfterTheResourceOfItsRoute) {
  TracedParts parts({.routes = {{"one", {}, 0}, {"two", {}, 0}}});
  Session first({}, {}), second({}, {});
  second.route = 1;
  parts.writer.root(first, RecordType::kSessionOpen);
  parts.writer.root(second, RecordType::kSessionOpen);
  parts.writer.root(first, RecordType::kSpan);
  ASSERT_EQ(parts.kept.records.size(), 3u);
  EXPECT_EQ(parts.kept.records[0].service, "one");
  EXPECT_EQ(parts.kept.records[1].service, "two");
  EXPECT_EQ(parts.kept.records[2].service, "one");
}

TEST(RecordWriter, TheHeaderSaysWhatACallIs) {
  TracedParts parts;
  mcp::OpenCall& parent = parts.open(TracedParts::request(1, 1, 0));
  Session& session = *parts.sessions.find(1);
  const auto flags_of = [&](const mcp::OpenCall& call) {
    parts.writer.call(call, session, {});
    return parts.kept.records.back().header.flags;
  };
  EXPECT_EQ(flags_of(parent), trace::kTreeRoot);
  parent.context.parent_source = mcp::ParentSource::kMeta;
  EXPECT_EQ(flags_of(parent), trace::kTreeRoot | trace::kJoined);
  mcp::OpenCall nested;
  nested.direction = mcp::Direction::kServerToClient;
  nested.parent = &parent;
  EXPECT_EQ(flags_of(nested), trace::kFromServer);
  session.root.derived = true;
  EXPECT_EQ(flags_of(nested), trace::kFromServer | trace::kDerivedIds);
}

}  // namespace
}  // namespace mcptrace::observe
