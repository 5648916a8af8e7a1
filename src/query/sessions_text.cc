#include "query/sessions_text.h"

#include <algorithm>
#include <array>
#include <map>

namespace mcptrace::query {
namespace {

constexpr std::size_t kShortestId = 8;
constexpr std::size_t kGap = 2;
constexpr std::string_view kRed = "\x1b[31m", kGreen = "\x1b[32m", kBold = "\x1b[1m", kPlain = "\x1b[0m";

enum Column : std::size_t {
  kStarted,
  kClient,
  kServer,
  kProtocol,
  kCalls,
  kErrors,
  kDrops,
  kDuration,
  kState,
  kId,
  kColumns
};
constexpr std::array<std::string_view, kColumns> kTitles = {"STARTED", "CLIENT", "SERVER",   "PROTOCOL", "CALLS",
                                                            "ERRORS",  "DROPS",  "DURATION", "STATE",    "ID"};
constexpr std::array<bool, kColumns> kRight = {false, false, false, false, true, true, true, true, false, false};

using Cells = std::array<std::string, kColumns>;

std::string digits_of(const Session& session) {
  if (!session.id.empty()) return session.id.substr(2);
  return session.stretches.empty() ? session.key.trace_id.hex() : session.stretches.front().root.trace_id.hex();
}

// The shortest length at which all ids differ.
std::size_t id_length(const std::vector<Session>& sessions) {
  std::vector<std::string> ids;
  for (const Session& session : sessions) ids.push_back(digits_of(session));
  std::ranges::sort(ids);
  std::size_t length = kShortestId;
  for (std::size_t i = 1; i < ids.size(); ++i) {
    const auto [a, b] = std::ranges::mismatch(ids[i - 1], ids[i]);
    if (a != ids[i - 1].end()) length = std::max(length, static_cast<std::size_t>(a - ids[i - 1].begin()) + 1);
  }
  return length;
}

std::string number(const Session& session, std::int64_t count) {
  if (!session.counted) return "?";
  return std::to_string(count) + (session.at_least ? "+" : "");
}

Cells cells_of(const Session& session, std::size_t id, const TextOptions& options) {
  const std::string& server = session.server();
  const Nanos end = session.state == State::kOpen ? options.now : session.end;
  Cells cells;
  cells[kStarted] = format_ago(session.start, options.now, options.offset);
  cells[kClient] = session.client_name.empty() ? "-" : display(session.client_name);
  cells[kServer] = server.empty() ? "-" : display(server);
  cells[kProtocol] = session.protocol_version.empty() ? "-" : display(session.protocol_version);
  if (!session.era.empty() && session.era != "legacy") cells[kProtocol] += " " + display(session.era);
  cells[kCalls] = number(session, session.counts.calls);
  cells[kErrors] = number(session, session.counts.errors);
  cells[kDrops] = session.of_roots || !session.counted ? number(session, session.counts.dropped) : "-";
  cells[kDuration] = format_duration(subtract(end, session.start));
  cells[kState] = std::string(state_text(session.state));
  if (session.kind == Class::kProbe) cells[kState] = "probe";
  cells[kId] = (session.id.empty() ? "" : "s-") + digits_of(session).substr(0, id);
  return cells;
}

using Widths = std::array<std::size_t, kColumns>;  // zero: not shown

std::size_t total(const Widths& widths) {
  std::size_t sum = 0;
  for (const std::size_t width : widths) sum += width == 0 ? 0 : width + kGap;
  return sum - kGap;
}

void shrink_names(Widths& widths, std::size_t room, std::size_t least) {
  while (total(widths) > room) {
    std::size_t& widest = widths[kClient] >= widths[kServer] ? widths[kClient] : widths[kServer];
    if (widest <= least) return;
    --widest;
  }
}

// On a narrow terminal long names give way first, then what is seldom looked for, then short names.
Widths widths_of(const std::vector<Cells>& rows, const std::vector<Session>& sessions, std::size_t room) {
  Widths widths{};
  for (std::size_t c = 0; c < kColumns; ++c) {
    widths[c] = kTitles[c].size();
    for (const Cells& cells : rows) widths[c] = std::max(widths[c], columns(cells[c]));
  }
  shrink_names(widths, room, 14);
  if (total(widths) > room) widths[kProtocol] = 0;
  const bool drops = std::ranges::any_of(sessions, [](const Session& session) { return session.counts.dropped != 0; });
  if (total(widths) > room && !drops) widths[kDrops] = 0;
  shrink_names(widths, room, 8);
  return widths;
}

std::string line_of(const Cells& cells, const Widths& widths, const TextOptions& options, const Session* session) {
  std::string line;
  for (std::size_t c = 0; c < kColumns; ++c) {
    if (widths[c] == 0) continue;
    if (c != 0) line += std::string(kGap, ' ');
    std::string text = pad(cells[c], widths[c], kRight[c]);
    if (c + 1 == kColumns) text = cells[c];
    std::string_view color;
    if (options.color && session != nullptr) {
      if (c == kErrors && session->counts.errors > 0) color = kRed;
      if (c == kDrops && session->counts.dropped > 0) color = kRed;
      if (c == kState && (session->state == State::kFailed || session->state == State::kKilled)) color = kRed;
      if (c == kState && session->state == State::kOpen) color = kGreen;
    }
    line += color.empty() ? text : std::string(color).append(text).append(kPlain);
  }
  while (line.ends_with(' ')) line.pop_back();
  return line;
}

// How a line is bracketed with its neighbours of one agent.
std::string bracket(const std::vector<Session>& sessions, std::size_t i, bool unicode) {
  const auto same = [&](std::size_t other) {
    return other < sessions.size() && !sessions[i].client_process.empty() &&
           sessions[other].client_process == sessions[i].client_process;
  };
  const bool above = i > 0 && same(i - 1), below = same(i + 1);
  if (!above && !below) return "  ";
  if (!unicode) return "| ";
  return above && below ? "│ " : below ? "╭ " : "╰ ";
}

}  // namespace

std::vector<Session> grouped_by_agent(std::vector<Session> sessions) {
  std::map<std::string, std::vector<std::size_t>> agents;
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    if (!sessions[i].client_process.empty()) agents[sessions[i].client_process].push_back(i);
  }
  std::vector<Session> out;
  out.reserve(sessions.size());
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    const auto it = agents.find(sessions[i].client_process);
    if (it == agents.end()) {
      out.push_back(std::move(sessions[i]));
    } else if (it->second.front() == i) {
      const std::vector<std::size_t> members = it->second;
      for (const std::size_t member : members) out.push_back(sessions[member]);
    }
  }
  return out;
}

std::string sessions_table(const std::vector<Session>& sessions, const TextOptions& options) {
  const std::size_t id = id_length(sessions);
  std::vector<Cells> rows;
  bool brackets = false;
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    rows.push_back(cells_of(sessions[i], id, options));
    brackets |= bracket(sessions, i, true) != "  ";
  }
  const std::size_t room = options.width - std::min<std::size_t>(options.width, brackets ? 2 : 0);
  const Widths widths = widths_of(rows, sessions, room);
  Cells titles;
  std::ranges::copy(kTitles, titles.begin());
  const std::string title = (brackets ? "  " : "") + line_of(titles, widths, options, nullptr);
  std::string out = options.color ? std::string(kBold).append(title).append(kPlain) : title;
  out += "\n";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    out += (brackets ? bracket(sessions, i, options.unicode) : "") + line_of(rows[i], widths, options, &sessions[i]) +
           "\n";
  }
  return out;
}

}  // namespace mcptrace::query
