// D3, W11, W18: `mcptrace run` ends, by kill -9 at any instant or as it should, and what it had accepted is there.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <memory>

#include "program_rig.h"
#include "query/load.h"

namespace mcptrace::faults {
namespace {

using std::chrono::steady_clock;
using Time = steady_clock::time_point;

// The observer writes what is ended some 25 ms after it ended.
constexpr milliseconds kWrittenAfter{100};
constexpr milliseconds kPause{2};  // between calls, so that a small machine is not all ours
constexpr milliseconds kMostStart{30'000};
constexpr steady_clock::duration kMostLate = std::chrono::seconds(4);

// Whether it is killed while it starts, or with spans that have to be there, however long its start took.
enum class Killed : bool { kFromStart, kFromFirstAnswer };

// A session that is killed when it has lived so long, and until then calls again and again.
class Victim {
 public:
  Victim(Time now, Killed from, milliseconds life)
      : session_(start_run(home_.path(), {.inject = true})),
        life_(life),
        dies_at_(now + (from == Killed::kFromStart ? life : kMostStart)),
        call_at_(now) {}

  [[nodiscard]] bool alive() const { return alive_; }
  [[nodiscard]] int fd() const { return session_.from(); }
  [[nodiscard]] bool waits() const { return waiting_; }
  // The next time that something is to be done whatever the server does.
  [[nodiscard]] Time due() const { return waiting_ ? dies_at_ : std::min(dies_at_, call_at_); }

  void act(Time now, bool readable) {
    if (readable) {
      const std::string line = session_.take_line();
      EXPECT_EQ(line + "\n", answer(answered_.size()));
      answered_.push_back(now);
      dies_at_ = std::min(dies_at_, answered_.front() + life_);
      waiting_ = false;
      call_at_ = now + kPause;
    }
    if (now >= dies_at_) return die();
    if (waiting_ || now < call_at_) return;
    EXPECT_TRUE(session_.put(tool_call(answered_.size())));
    waiting_ = true;
  }

  // `late`: by how much this machine was behind, so that the observer may have been too. How many spans had to be
  // there.
  std::uint64_t check(steady_clock::duration late) {
    const std::optional<int> status = session_.wait();
    EXPECT_TRUE(status && WIFSIGNALED(*status) && WTERMSIG(*status) == SIGKILL);
    const Account account(home_.spool(), answered_.size() + 1);
    EXPECT_EQ(account.size.locked, 0u);
    EXPECT_LE(account.size.damaged_places, 1u) << "half a record, where it died";
    EXPECT_EQ(account.repeated_spans, 0u);
    EXPECT_EQ(account.roots, 0u);
    std::uint64_t due = 0;
    for (std::size_t id = 0; id < answered_.size(); ++id) {
      EXPECT_LE(account.spans[id], 1);
      if (answered_[id] + kWrittenAfter + 3 * late >= killed_at_) continue;
      ++due;
      EXPECT_EQ(account.spans[id], 1) << "call " << id << ", answered "
                                      << (killed_at_ - answered_[id]) / milliseconds(1) << " ms before";
    }
    EXPECT_EQ(account.spans.back(), 0) << "the span of a call that was not answered";
    return due;
  }

 private:
  void die() {
    killed_at_ = steady_clock::now();
    kill(session_.pid(), SIGKILL);
    alive_ = false;
  }

  Home home_;
  Session session_;
  milliseconds life_;
  Time dies_at_, killed_at_{}, call_at_;
  std::vector<Time> answered_;
  bool waiting_ = false, alive_ = true;
};

// Lets them live and die; by how much it was late at worst.
steady_clock::duration run_all(std::vector<std::unique_ptr<Victim>>& victims) {
  steady_clock::duration late{};
  while (std::ranges::any_of(victims, &Victim::alive, &std::unique_ptr<Victim>::operator*)) {
    std::vector<pollfd> watched;
    Time next = Time::max();
    for (const auto& victim : victims) {
      watched.push_back({victim->alive() && victim->waits() ? victim->fd() : -1, POLLIN, 0});
      if (victim->alive()) next = std::min(next, victim->due());
    }
    const auto left = std::chrono::ceil<milliseconds>(next - steady_clock::now());
    poll(watched.data(), watched.size(), static_cast<int>(std::max(left, milliseconds(0)).count()));
    const Time now = steady_clock::now();
    late = std::max(late, now - next);
    for (std::size_t i = 0; i < victims.size(); ++i) {
      if (victims[i]->alive()) victims[i]->act(now, (watched[i].revents & POLLIN) != 0);
    }
  }
  return late;
}

TEST(ProgramKill, D3_KilledAtRandomInstantsItLosesNothingThatWasWritten) {
  const std::uint64_t rounds = long_form() ? 250 : instrumented() ? 15 : 50;
  constexpr std::size_t kAtOnce = 4;
  Bytes random(2026);
  std::uint64_t due = 0;
  // On a machine that is late a round may tell nothing: then the next ones live longer, and there are more of them.
  steady_clock::duration late{};
  for (std::uint64_t round = 0; round < rounds || (due <= rounds && round < 10 * rounds); ++round) {
    if (testing::Test::HasFailure()) break;
    SCOPED_TRACE(round);
    std::vector<std::unique_ptr<Victim>> victims;
    const Time now = steady_clock::now();
    for (std::size_t i = 0; i < kAtOnce; ++i) {
      const Killed from = i % 2 == 0 ? Killed::kFromStart : Killed::kFromFirstAnswer;
      milliseconds life(from == Killed::kFromStart ? random.next() % 60 : 110 + random.next() % 120);
      if (from == Killed::kFromFirstAnswer) life += std::chrono::ceil<milliseconds>(std::min(4 * late, kMostLate));
      victims.push_back(std::make_unique<Victim>(now, from, life));
    }
    late = run_all(victims);
    for (const auto& victim : victims) due += victim->check(late);
  }
  EXPECT_GT(due, rounds) << "the kills came too early to tell anything";
}

// The reader's part of docs/spans.md.
void expect_killed_call(const std::string& spool) {
  query::Skips skips;
  const auto found = query::find_session(spool, "", {}, skips);
  ASSERT_TRUE(found) << found.error().message;
  ASSERT_TRUE(found->session);
  EXPECT_EQ(found->session->state, query::State::kKilled);
  const auto view = query::load_spans(*found, {}, skips);
  ASSERT_TRUE(view) << view.error().message;
  EXPECT_TRUE(skips.lines().empty());
  int calls = 0;
  for (const query::TraceSpan& stored : view->spans) {
    if (stored.header.operation != trace::Operation::kToolCall) continue;
    const auto span = otlp::decode_span(stored.bytes);
    ASSERT_TRUE(span);
    if (text_of(*span, trace::Attr::kRequestId) != "1") continue;
    ++calls;
    EXPECT_EQ(stored.ending, query::Ending::kUnknown);
    EXPECT_EQ(stored.header.outcome, trace::Outcome::kAbandoned);
    EXPECT_EQ(text_of(*span, trace::Attr::kErrorType), "killed");
  }
  EXPECT_EQ(calls, 1);
}

TEST(ProgramKill, W11_ACallThatWasOpenForASecondIsAbandonedByTheKill) {
  struct Waiting {
    Home home;
    Session session = start_run(home.path());
  };
  std::vector<std::unique_ptr<Waiting>> all;
  for (int i = 0; i < 4; ++i) {
    Waiting& one = *all.emplace_back(std::make_unique<Waiting>());
    ASSERT_TRUE(make_call(one.session, 0));
    ASSERT_TRUE(one.session.put(tool_call(1, "never")));
  }
  for (const auto& one : all) {
    ASSERT_TRUE(eventually([&] { return Account(one->home.spool()).calls_open == 1; }));
    kill(one->session.pid(), SIGKILL);
    ASSERT_TRUE(one->session.wait());
    expect_killed_call(one->home.spool());
  }
}

// From the moment that the client closes: the server's exit is in it.
TEST(ProgramEnd, W18_ItIsGoneSoonAfterTheServerAndAllSpansAreThere) {
  std::vector<milliseconds> took;
  for (int round = 0; round < 20; ++round) {
    Home home;
    Session session = start_run(home.path(), {.server = {"serve", "3"}, .inject = true});
    ASSERT_TRUE(make_calls(session, 0, 50));
    const Time start = steady_clock::now();
    const std::optional<int> status = leave_and_wait(session);
    took.push_back(std::chrono::ceil<milliseconds>(since(start)));
    ASSERT_TRUE(status && WIFEXITED(*status));
    EXPECT_EQ(WEXITSTATUS(*status), 3);
    const Account account(home.spool(), 50);
    account.expect_all(50);
    EXPECT_EQ(account.calls, 50u);
    EXPECT_EQ(account.roots, 1u);
    EXPECT_EQ(account.closes, 1u);
  }
  std::ranges::nth_element(took, took.begin() + 10);
  RecordProperty("median_ms", std::to_string(took[10].count()));
  if (!instrumented()) {
    EXPECT_LT(took[10], milliseconds(500)) << "the goal is 50 ms; this leaves room for a busy machine";
  }
}

}  // namespace
}  // namespace mcptrace::faults
