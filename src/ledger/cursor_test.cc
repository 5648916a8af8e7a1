#include "ledger/cursor.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/testing.h"
#include "spool/cursor.h"
#include "spool/spool_testing.h"
#include "spool/writer.h"

namespace mcptrace::ledger {
namespace {

class CursorTest : public testing::Test {
 protected:
  // Its name.
  std::string a_file() {
    spool::Writer writer({.directory = temp_.spool()}, clock_);
    EXPECT_TRUE(writer.append(spool::RecordType::kSpan, 1, "x"));
    EXPECT_TRUE(writer.flush());
    return writer.path().substr(writer.path().rfind('/') + 1);
  }
  static SpanKey key(std::uint8_t n) {
    SpanKey key;
    key.trace_id.bytes.fill(n);
    key.span_id.bytes.fill(n);
    return key;
  }
  spool::TempDirectory temp_;
  ManualClock clock_;
};

TEST_F(CursorTest, KeepsItsPlacesOverARestart) {
  const std::string name = a_file(), gone = "00000000000000000001-gone-1-00000000.spool";
  {
    auto cursor = Cursor::open(temp_.spool(), "ship-1");
    ASSERT_TRUE(cursor);
    EXPECT_EQ(cursor->place(name).read, 0u);
    cursor->set(name, {.decided = 53, .read = 99, .closed = true, .undecided = {key(1), key(0xfe)}});
    cursor->set(gone, {.decided = 1, .read = 1, .undecided = {}});
    ASSERT_TRUE(cursor->save());
  }
  const auto again = Cursor::open(temp_.spool(), "ship-1");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->place(name).decided, 53u);
  EXPECT_EQ(again->place(name).read, 99u);
  EXPECT_TRUE(again->place(name).closed);
  EXPECT_EQ(again->place(name).undecided, (std::vector{key(1), key(0xfe)}));
  EXPECT_EQ(again->place(gone).read, 0u);
  EXPECT_EQ(Cursor::open(temp_.spool(), "other")->place(name).read, 0u);
  // What the deletion of files asks for is what is decided.
  const auto positions = spool::read_cursors(temp_.spool());
  ASSERT_EQ(positions->size(), 2u);
  EXPECT_EQ((*positions)[0].contains(name) ? (*positions)[0].at(name) : (*positions)[1].at(name), 53u);
}

TEST_F(CursorTest, RefusesNamesThatCouldBePaths) {
  for (const char* name : {"", "..", "a/b", "a.tmp", "a b", "\n"}) {
    EXPECT_EQ(Cursor::open(temp_.spool(), name).error().code, Errc::kInvalidArgument) << name;
  }
}

TEST_F(CursorTest, LinesThatCannotBeReadCountAsNotThere) {
  const std::string name = a_file(), other = a_file();
  ASSERT_TRUE(Cursor::open(temp_.spool(), "c"));
  std::ofstream(temp_.spool() + "/cursors/c") << "\n\nnonsense\n"
                                              << name << " x\n"
                                              << name << " 99999999999999999999 1 0\n"
                                              << name << " 1 1 0 abc\n"
                                              << other << " 7 8 0\n"
                                              << name << " 1";
  const auto cursor = Cursor::open(temp_.spool(), "c");
  ASSERT_TRUE(cursor);
  EXPECT_EQ(cursor->place(name).read, 0u);
  EXPECT_EQ(cursor->place(other).decided, 7u);
  EXPECT_EQ(cursor->place(other).read, 8u);
}

}  // namespace
}  // namespace mcptrace::ledger
