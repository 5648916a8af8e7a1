#include "observe/session.h"

#include <gtest/gtest.h>

namespace mcptrace::observe {
namespace {

constexpr Nanos kNever = Nanos::min();
constexpr std::size_t kRoom = 1000;
constexpr Session::Page kOnly{.first = true, .last = true, .whole = true, .asked = Nanos(100)};

Session session() { return Session({}, {Nanos(1), Nanos(1)}); }

TEST(Session, TakesNothingOfItsFirstMessageButWhoseItIs) {
  mcp::CallContext first;
  first.session = 7, first.session_print = 8;
  first.root_span_id.bytes.fill(1);
  first.parent_source = mcp::ParentSource::kMeta;
  first.span_id.bytes.fill(2);
  first.randomness = 9;
  const Session made(first, {});
  EXPECT_EQ(made.root.session, 7u);
  EXPECT_EQ(made.root.root_span_id, first.root_span_id);
  EXPECT_EQ(made.root.parent_source, mcp::ParentSource::kRoot);
  EXPECT_TRUE(made.root.span_id.is_zero());
  EXPECT_EQ(made.root.randomness, 0u);
}

TEST(Session, KnowsWhatAWholeListLacks) {
  Session known = session();
  known.learn_page(kOnly, {{2}, {4}}, kRoom);
  EXPECT_FALSE(known.knows_undeclared(2, kNever));
  EXPECT_TRUE(known.knows_undeclared(6, kNever));
}

TEST(Session, APageWithNamesLeftOutTellsNothing) {
  Session known = session();
  known.learn_page({.first = true, .last = false, .whole = false, .asked = Nanos(100)}, {{2}, {4}}, kRoom);
  known.learn_page({.first = false, .last = true, .whole = true, .asked = Nanos(200)}, {{8}}, kRoom);
  EXPECT_FALSE(known.knows_undeclared(6, kNever));
  known.learn_page(kOnly, {{2}, {4}}, kRoom);
  EXPECT_TRUE(known.knows_undeclared(6, kNever));
}

TEST(Session, AFactThatWasLostMayHaveBeenOfTheList) {
  Session known = session();
  known.learn_page(kOnly, {{2}}, kRoom);
  EXPECT_TRUE(known.knows_undeclared(6, Nanos(99)));
  EXPECT_FALSE(known.knows_undeclared(6, Nanos(100)));
}

TEST(Session, RemembersNoMoreThanThereIsRoomFor) {
  Session known = session();
  known.learn_page(kOnly, {{2}, {4}, {6}}, 2);
  EXPECT_EQ(known.declared_count(), 2u);
  EXPECT_FALSE(known.knows_undeclared(8, kNever));
  known.forget_declared();
  EXPECT_EQ(known.declared_count(), 0u);
  EXPECT_FALSE(known.knows_undeclared(8, kNever));
}

}  // namespace
}  // namespace mcptrace::observe
