#include "query/sessions_text.h"

#include <gtest/gtest.h>

namespace mcptrace::query {
namespace {

using namespace std::chrono_literals;

constexpr Nanos kNow = 1'700'000'000s;

Session session(std::string id, std::string client, std::string service, Nanos age) {
  Session out;
  out.id = "s-" + id;
  out.client_name = std::move(client);
  out.service = std::move(service);
  out.protocol_version = "2025-11-25";
  out.era = "legacy";
  out.state = State::kClosed;
  out.start = kNow - age;
  out.end = out.activity = out.start + 12s;
  out.counted = out.of_roots = true;
  out.counts.calls = 7;
  return out;
}

TextOptions text(std::size_t width = 100) {
  TextOptions options;
  options.width = width;
  options.now = kNow;
  options.offset = [](Nanos) { return 0s; };
  return options;
}

TEST(SessionsTable, LinesUp) {
  Session open = session("1111111100000000", "claude-code", "everything", 5s);
  open.state = State::kOpen;
  open.of_roots = false;
  open.client_process = "agent";
  Session killed = session("2222222200000000", "claude-code", "日本語サーバー", 2h);
  killed.state = State::kKilled;
  killed.of_roots = false;
  killed.client_process = "agent";
  killed.counts.errors = 3;
  killed.at_least = true;
  Session failed = session("3333333300000000", "", "fs", 50h);
  failed.state = State::kFailed;
  failed.era = "modern";
  failed.counts.dropped = 12;
  failed.server_name = "fs-server";
  Session idle = session("5555555500000000", "x", "y", 3min);
  idle.state = State::kIdle;
  Session unknown = session("4444444400000000", "x", "y", 1min);
  unknown.counted = false;
  EXPECT_EQ(sessions_table({open, killed, failed, idle, unknown}, text(120)),
            R"(  STARTED      CLIENT       SERVER          PROTOCOL           CALLS  ERRORS  DROPS  DURATION  STATE   ID
╭ 5s ago       claude-code  everything      2025-11-25             7       0      -    5.00 s  open    s-11111111
╰ 2h ago       claude-code  日本語サーバー  2025-11-25            7+      3+      -    12.0 s  killed  s-22222222
  11-12 20:13  -            fs-server       2025-11-25 modern      7       0     12    12.0 s  failed  s-33333333
  3m ago       x            y               2025-11-25             7       0      0    12.0 s  idle    s-55555555
  1m ago       x            y               2025-11-25             ?       ?      ?    12.0 s  closed  s-44444444
)");
}

TEST(SessionsTable, GivesWayOnANarrowTerminal) {
  const std::vector<Session> sessions = {session("1111111100000000", std::string(40, 'c'), std::string(40, 's'), 5s)};
  for (const std::size_t width : {76u, 80u, 90u, 120u}) {
    const std::string table = sessions_table(sessions, text(width));
    for (std::size_t at = 0; at < table.size(); at = table.find('\n', at) + 1) {
      EXPECT_LE(columns(table.substr(at, table.find('\n', at) - at)), width) << table;
    }
    EXPECT_NE(table.find("ccc…"), std::string::npos) << table;
    EXPECT_NE(table.find("s-11111111"), std::string::npos) << table;
    EXPECT_EQ(table.find("PROTOCOL") != std::string::npos, width > 100) << table;
  }
}

TEST(SessionsTable, IdsAreLongEnoughToDiffer) {
  const std::string table =
      sessions_table({session("1111111122220000", "a", "b", 5s), session("1111111122230000", "a", "b", 5s)}, text());
  EXPECT_NE(table.find("s-111111112222\n"), std::string::npos) << table;
  EXPECT_NE(table.find("s-111111112223\n"), std::string::npos) << table;
}

TEST(SessionsTable, HostileNamesStayOnTheirLine) {
  const std::string table = sessions_table({session("1111111100000000", "a\n\x1b[2J", "b\u202e", 5s)}, text());
  EXPECT_EQ(table.find('\x1b'), std::string::npos);
  EXPECT_NE(table.find("a\\x0a\\x1b[2J"), std::string::npos) << table;
  EXPECT_NE(table.find("b\\u{202e}"), std::string::npos) << table;
}

TEST(SessionsTable, ColourMarksErrors) {
  Session bad = session("1111111100000000", "a", "b", 5s);
  bad.counts.errors = 2;
  TextOptions options = text();
  options.color = true;
  EXPECT_NE(sessions_table({bad}, options).find("\x1b[31m     2\x1b[0m"), std::string::npos);
}

TEST(GroupedByAgent, TogetherWhereTheNewestStands) {
  std::vector<Session> list;
  for (const auto& [id, agent] : {std::pair("a", "one"), {"b", ""}, {"c", "two"}, {"d", "one"}, {"e", ""}}) {
    list.push_back(session(id, "c", "s", 5s));
    list.back().client_process = agent;
  }
  std::string order;
  for (const Session& one : grouped_by_agent(list)) order += one.id.substr(2);
  EXPECT_EQ(order, "adbce");
}

}  // namespace
}  // namespace mcptrace::query
