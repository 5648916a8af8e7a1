// W2, W19, W23, J8, J9: much traffic and odd traffic through `mcptrace run`, and what is in the spool then. W4, the
// added latency, is a number and not a verdict: the benchmarks measure it (script/bench). W21, jumps of the clock, is
// in the golden cases, which bring their own times.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "program_rig.h"

namespace mcptrace::faults {
namespace {

// Of resident memory, the program's own pages too. The benchmark has the goal (P3).
constexpr std::uint64_t kSmall = 8 << 10, kTable = 24 << 10;  // KiB

bool exited_with(const std::optional<int>& status, int code) {
  return status && WIFEXITED(*status) && WEXITSTATUS(*status) == code;
}

// What `serve` has to say of these bytes.
class Reading {
 public:
  void add(std::string_view bytes) {
    bytes_ += bytes.size();
    for (const char c : bytes) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 1099511628211u;
  }
  [[nodiscard]] std::string line(std::uint64_t injected) const {
    return "read " + std::to_string(bytes_) + " " + std::to_string(hash_) + " " + std::to_string(injected);
  }

 private:
  std::uint64_t bytes_ = 0, hash_ = 14695981039346656037u;
};

// The server's own words: stderr without the wrapper's.
std::string server_said(Session& session) {
  std::string rest, all = session.take_stderr().value_or("no end\n");
  for (std::size_t end; (end = all.find('\n')) != std::string::npos; all.erase(0, end + 1)) {
    if (!all.starts_with("mcptrace: ")) rest += all.substr(0, end);
  }
  return rest;
}

void expect_flat(std::uint64_t early, std::uint64_t peak, std::uint64_t dropped) {
  testing::Test::RecordProperty("peak_kib", std::to_string(peak));
  if (instrumented()) return;
  // A call whose answer was not observed stays in the table of what is open, so that losses cost what J8 costs.
  EXPECT_LT(peak, dropped == 0 ? kSmall : kTable);
  if (dropped == 0) {
    EXPECT_LE(peak, early + 512) << "it grows with the traffic";
  }
}

void many_small_messages(bool inject) {
  const std::uint64_t count = long_form() ? 5'000'000 : 50'000;
  Home home;
  Session session = start_run(home.path(), {.server = {"serve", "7"}, .inject = inject});
  Reading reading;
  std::uint64_t early = 0;
  for (std::uint64_t id = 0; id < count; id += 5000) {
    if (id == 20'000) early = peak_kib(session.pid());
    std::string sent;
    ASSERT_TRUE(make_calls(session, id, 5000, &sent)) << id;
    reading.add(sent);
  }
  const std::uint64_t peak = peak_kib(session.pid());
  ASSERT_TRUE(exited_with(leave_and_wait(session), 7));
  EXPECT_EQ(session.take_rest(), "");
  EXPECT_EQ(server_said(session), reading.line(inject ? count : 0));
  const Account account(home.spool(), count);
  account.expect_all(count);
  expect_flat(early, peak, account.dropped);
  // A stretch of a session ends after as many calls (docs/spans.md), each with a root of its own.
  EXPECT_EQ(account.roots, count / 5000);
  EXPECT_EQ(account.closes, count / 5000);
}

TEST(ProgramTraffic, W2_ManySmallMessagesAreExactAndEachHasItsSpan) { many_small_messages(false); }
TEST(ProgramTraffic, W2_InjectedOnesAreExactButForTheContext) { many_small_messages(true); }

// Not JSON on stdout: passed on, counted, said once, and never quoted.
TEST(ProgramTraffic, W19_BannersAreCountedAndSaidOnce) {
  Home home;
  Session session = start_run(home.path(), {.server = {"banner", "100"}});
  const std::string line = "canary banner \x1b[31m\r";
  for (int i = 0; i < 100; ++i) ASSERT_EQ(session.take_line(), line);
  ASSERT_TRUE(make_call(session, 0));
  ASSERT_TRUE(exited_with(leave_and_wait(session), 4));
  const std::string said = session.take_stderr().value_or("nothing");
  EXPECT_EQ(said.find("canary"), std::string::npos);
  const std::vector<std::string> lines = own_lines(said);
  ASSERT_EQ(lines.size(), 1u) << said;
  const Account account(home.spool(), 1);
  EXPECT_EQ(account.not_json_lines, 100u);
  EXPECT_NE(lines[0].find("100 lines (" + std::to_string(account.not_json_bytes) + " bytes)"), std::string::npos)
      << lines[0];
  EXPECT_EQ(account.not_json_bytes, 100 * (line.size() + 1));
  EXPECT_EQ(account.dropped, 0u);
  account.expect_all(1);
  read_spool(home.spool(), [](const Stored& stored) {
    EXPECT_EQ(stored.span.name.find("canary"), std::string::npos);
    for (const auto& [key, value] : stored.span.attributes) {
      if (value.string() != nullptr) EXPECT_EQ(value.string()->find("canary"), std::string::npos) << key;
    }
  });
}

TEST(ProgramTraffic, W19_TenMegabytesOfNoiseAreExact) {
  Session direct(Way::kDirect, {"@noise"});
  const auto expected = direct.take_rest();
  ASSERT_TRUE(expected && expected->size() > 10 << 20);
  Home home;
  Session session = start_run(home.path(), {.server = {"noise", ""}});
  EXPECT_TRUE(session.take_rest() == expected) << "other bytes";
  EXPECT_TRUE(exited_with(session.wait(), 0));
  std::uint64_t of_noise = 0;
  for (const std::string& line : own_lines(session.take_stderr().value_or(""))) {
    of_noise += line.find("not JSON") != std::string::npos;
  }
  EXPECT_EQ(of_noise, 1u);
  const Account account(home.spool());
  EXPECT_EQ(account.roots, 1u);
  const auto all = static_cast<std::uint64_t>(std::ranges::count(*expected, '\n'));
  EXPECT_LE(account.not_json_lines, all);
  // Blank lines are none, nor those that begin like JSON.
  EXPECT_GE(account.not_json_lines + account.dropped, all - all / 20);
}

// Nested deeper than anybody parses: there, back, and what comes after it is traced as if nothing had been.
void parse_bomb(std::string_view unit, bool inject) {
  constexpr std::size_t kBytes = 20 << 20;
  std::string bomb;
  bomb.reserve(kBytes + unit.size() + 1);
  while (bomb.size() < kBytes) bomb += unit;
  bomb += '\n';
  Home home;
  Session session = start_run(home.path(), {.inject = inject});
  ASSERT_TRUE(session.put(bomb, 3 * kSoon));
  EXPECT_TRUE(session.take(bomb.size(), 3 * kSoon) == bomb) << "other bytes";
  ASSERT_TRUE(make_call(session, 0));
  expect_peak_below(session.pid(), kSmall);
  Reading reading;
  reading.add(bomb);
  reading.add(tool_call(0));
  ASSERT_TRUE(exited_with(leave_and_wait(session), 0));
  EXPECT_EQ(server_said(session), reading.line(inject ? 1 : 0));
  const Account account(home.spool(), 1);
  account.expect_all(1);
  EXPECT_EQ(account.calls, 1u);
}

TEST(ProgramTraffic, W23_AParseBombOfArrays) { parse_bomb("[", false); }
TEST(ProgramTraffic, W23_AParseBombOfArraysWithInjection) { parse_bomb("[", true); }
TEST(ProgramTraffic, W23_AParseBombOfObjects) { parse_bomb("{\"a\":", false); }
TEST(ProgramTraffic, W23_AParseBombOfObjectsWithInjection) { parse_bomb("{\"a\":", true); }

TEST(ProgramTraffic, J8_FiftyThousandNeverAnsweredAreBoundedAndAccountedFor) {
  constexpr std::uint64_t kCalls = 50'000, kBatch = 200;
  Home home;
  Session session = start_run(home.path());
  for (std::uint64_t id = 0; id < kCalls; id += kBatch) {
    std::string out;
    for (std::uint64_t i = 0; i < kBatch; ++i) out += tool_call(id + i, "never");
    ASSERT_TRUE(session.put(out));
    ASSERT_TRUE(make_call(session, kCalls + id / kBatch));  // the server has read them, and so on
  }
  expect_peak_below(session.pid(), kTable);
  ASSERT_TRUE(exited_with(leave_and_wait(session), 0));
  const std::uint64_t all = kCalls + kCalls / kBatch;
  const Account account(home.spool(), all);
  account.expect_all(all);
  EXPECT_GT(account.unobserved, 0u) << "all were kept: unbounded";
  // Of what was open when something was dropped nobody knows whether it was answered.
  if (account.dropped == 0) {
    EXPECT_GT(account.abandoned, 0u);
    EXPECT_EQ(account.abandoned + account.unobserved, kCalls);
  }
  for (std::uint64_t id = 0; id < kCalls; ++id) ASSERT_LE(account.spans[id], 1) << id;
}

std::string cancelled(std::uint64_t id) {
  return R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":)" + std::to_string(id) + "}}\n";
}

TEST(ProgramTraffic, J9_CancelledBeforeAndAfterTheAnswerAndForUnknownIds) {
  Home home;
  Session session = start_run(home.path());
  ASSERT_TRUE(session.put(cancelled(77)));
  ASSERT_TRUE(session.put(tool_call(0, "never") + cancelled(0)));
  ASSERT_TRUE(make_call(session, 1));
  // The answer's fact follows its bytes: as long as it is not there, the client may be quicker.
  ASSERT_TRUE(eventually([&] { return Account(home.spool(), 2).spans[1] == 1; }));
  ASSERT_TRUE(session.put(cancelled(1) + cancelled(0)));
  ASSERT_TRUE(make_call(session, 2));
  ASSERT_TRUE(exited_with(leave_and_wait(session), 0));
  std::vector<std::pair<std::uint64_t, trace::Outcome>> ended;
  read_spool(home.spool(), [&](const Stored& stored) {
    const auto id = call_id(stored);
    if (id && stored.type == spool::RecordType::kSpan) ended.emplace_back(*id, stored.header.outcome);
  });
  std::ranges::sort(ended);
  using trace::Outcome;
  const std::vector<std::pair<std::uint64_t, Outcome>> expected = {
      {0, Outcome::kCancelled}, {1, Outcome::kOk}, {2, Outcome::kOk}};
  EXPECT_EQ(ended, expected);
  Account(home.spool(), 3).expect_all(3);
}

TEST(ProgramTraffic, J9_AFloodOfProgressForOneRequestIsCountedNotKept) {
  const std::uint64_t count = long_form() ? 1'000'000 : 100'000;
  const std::string note =
      R"({"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":1}})"
      "\n";
  Home home;
  Session session = start_run(home.path());
  ASSERT_TRUE(
      session.put(R"({"jsonrpc":"2.0","id":0,"method":"tools/call","params":{"name":"t","arguments":{"flood":)" +
                  std::to_string(count) +
                  R"(},"_meta":{"progressToken":"t"}}})"
                  "\n"));
  for (std::uint64_t i = 0; i < count; i += 1000) {
    const std::string block = session.take(1000 * note.size());
    ASSERT_EQ(block.size(), 1000 * note.size());
    for (std::size_t at = 0; at < block.size(); at += note.size()) ASSERT_EQ(block.compare(at, note.size(), note), 0);
  }
  ASSERT_EQ(session.take_line() + "\n", answer(0));
  expect_peak_below(session.pid(), kSmall);
  ASSERT_TRUE(exited_with(leave_and_wait(session), 0));
  std::uint64_t progress = 0, events = 0, spans = 0, not_kept = 0;
  read_spool(home.spool(), [&](const Stored& stored) {
    if (stored.type != spool::RecordType::kSpan || call_id(stored) != 0u) return;
    ++spans;
    progress = static_cast<std::uint64_t>(number_of(stored.span, trace::Attr::kProgressCount));
    events = stored.span.events.size();
    not_kept = stored.span.dropped_events;
  });
  EXPECT_EQ(spans, 1u);
  EXPECT_LE(events, 64u);
  EXPECT_EQ(events + not_kept, progress);
  const Account account(home.spool(), 1);
  EXPECT_LE(progress, count);
  EXPECT_GE(progress + account.dropped, count);
}

}  // namespace
}  // namespace mcptrace::faults
