#include "query/waterfall.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "ledger/ledger.h"
#include "query/axis.h"
#include "query/findings.h"
#include "query/rows.h"

namespace mcptrace::query {
namespace {

using trace::Outcome;

constexpr std::string_view kRed = "\x1b[31m", kDim = "\x1b[2m", kBold = "\x1b[1m", kPlain = "\x1b[0m";
constexpr std::size_t kLeastBar = 10;
constexpr std::size_t kFollowLabel = 36;
constexpr std::size_t kMostFindings = 5;

std::string painted(const TextOptions& options, std::string_view color, std::string text) {
  if (!options.color || text.empty()) return text;
  return std::string(color).append(text).append(kPlain);
}

// Symbols of our own where the terminal cannot show them, of the same width.
std::string plain_symbols(std::string text, const TextOptions& options) {
  if (options.unicode) return text;
  static constexpr std::pair<std::string_view, std::string_view> kSymbols[] = {{"✗", "!"}, {"→", ">"}, {"↗", "^"},
                                                                               {"×", "x"}, {"…", "~"}, {"µ", "u"}};
  for (const auto& [from, to] : kSymbols) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
      text.replace(at, from.size(), to);
    }
  }
  return text;
}

std::string name_and_version(const std::string& name, const std::string& version) {
  return version.empty() ? name : name + " " + version;
}

std::string peers_line(const Session& session) {
  const std::string client = session.client_name.empty() ? "unknown client" : session.client_name;
  const std::string server = session.server().empty() ? "unknown server" : session.server();
  std::string line = name_and_version(client, session.client_version) + " → ";
  line += name_and_version(server, session.server_version);
  if (!session.protocol_version.empty()) line += ", protocol " + session.protocol_version;
  if (!session.era.empty()) line += " (" + session.era + ")";
  if (!session.service.empty() && session.service != server) line += ", service " + session.service;
  return line;
}

std::string counts_line(const Session& session) {
  const Counts& counts = session.counts;
  const std::string more = session.at_least ? "at least " : "";
  std::string line = more + format_count(static_cast<std::uint64_t>(counts.calls), "tool call") + ", " + more +
                     format_count(static_cast<std::uint64_t>(counts.errors), "error");
  std::string kinds;
  for (std::size_t i = 0; i < kOutcomes; ++i) {
    const auto outcome = static_cast<Outcome>(i);
    if (outcome == Outcome::kOk || outcome == Outcome::kNone || counts.of(outcome) == 0) continue;
    kinds.append(kinds.empty() ? "" : ", ").append(std::to_string(counts.of(outcome))).append(" ");
    kinds.append(trace::outcome_text(outcome));
  }
  if (!kinds.empty()) line += " (calls: " + kinds + ")";
  return line;
}

std::vector<std::string> session_notes(const Session& session) {
  std::vector<std::string> notes;
  const auto note = [&](std::int64_t count, std::string_view what, std::string_view rest) {
    if (count > 0) notes.push_back(format_count(static_cast<std::uint64_t>(count), what).append(rest));
  };
  note(session.counts.dropped, "message", " could not be traced (dropped): what follows is not all");
  note(session.counts.not_injected, "request", " forwarded without our trace context");
  if (session.exit_status && *session.exit_status != 0) {
    notes.push_back("the server ended with status " + std::to_string(*session.exit_status));
  }
  if (session.exit_signal) notes.push_back("the server was ended by signal " + std::to_string(*session.exit_signal));
  if (session.guessed) notes.emplace_back("the session is guessed: it may hold several clients");
  if (session.state == State::kKilled) notes.emplace_back("it was killed: ends are where it was last heard of");
  return notes;
}

std::string failure_line(const Session& session) {
  const std::string& scheme = session.course.auth_scheme;
  switch (session.failure) {
    case Failure::kNone:
      break;
    case Failure::kNotStarted:
      return "failed: the server could not be started";
    case Failure::kEndedFirst:
      return "failed: the server ended before it had answered anything";
    case Failure::kRefused:
      return "failed: the server refused the handshake, or could not be reached";
    case Failure::kNoAnswer:
      return "failed: the server did not answer the handshake";
    case Failure::kNeedsSignIn:
      return "failed: the server needs sign-in" + (scheme.empty() ? "" : " (" + scheme + ")");
  }
  return {};
}

std::string ids_line(const Session& session) {
  std::string line = session.id.empty() ? "session without id" : "session " + session.id;
  if (session.stretches.size() == 1) line += "  trace " + session.stretches.front().root.trace_id.hex();
  if (session.stretches.size() > 1) line += "  " + std::to_string(session.stretches.size()) + " stretches";
  return line;
}

std::string line_of(const std::string& text, const TextOptions& options) {
  return plain_symbols(cut(display(text), options.width), options) + "\n";
}

}  // namespace

std::string session_summary(const Session& session, const TextOptions& options) {
  std::string out = painted(options, kBold, line_of(ids_line(session), options));
  out += line_of(peers_line(session), options);
  const Nanos end = session.state == State::kOpen ? options.now : session.end;
  const std::string ago = format_ago(session.start, options.now, options.offset);
  out += line_of("started " + format_local(session.start, options.offset) +
                     (ago.ends_with("ago") ? " (" + ago + "), " : ", ") +
                     (session.state == State::kOpen ? "open for " : "took ") +
                     format_duration(subtract(end, session.start)) + ", " + std::string(state_text(session.state)),
                 options);
  if (session.failure != Failure::kNone) out += line_of(failure_line(session), options);
  out += line_of(counts_line(session), options);
  for (const std::string& note : session_notes(session)) out += line_of("note: " + note, options);
  for (const std::string& line : finding_lines(session.counts, kMostFindings)) {
    out += plain_symbols(line, options) + "\n";
  }
  return out;
}

namespace {

TimeAxis axis_of(const TraceView& view) {
  Interval whole{Nanos::max(), Nanos::min()};
  std::vector<Interval> busy;
  for (const TraceSpan& span : view.spans) {
    whole.begin = std::min(whole.begin, span.header.start);
    whole.end = std::max(whole.end, span.end());
    if (!span.is_root() && (span.header.flags & trace::kStanding) == 0) busy.push_back({span.header.start, span.end()});
  }
  if (view.spans.empty()) whole = {};
  return TimeAxis(whole, std::move(busy));
}

class Bars {
 public:
  Bars(const TimeAxis& axis, std::size_t width, bool unicode) : axis_(axis), width_(width), unicode_(unicode) {}

  [[nodiscard]] std::string draw(const Row& row) const {
    const double cells = static_cast<double>(width_);
    const double from = axis_.position(row.begin) * cells, to = std::max(axis_.position(row.end) * cells, from);
    const std::size_t first = std::min(static_cast<std::size_t>(from), width_ - 1);
    // A bar shorter than a cell keeps its own length; a longer one ends where it ends.
    const double length = to - from < 1 ? to - from : to - static_cast<double>(first);
    const std::size_t most = (width_ - first) * 8;
    const std::size_t eighths =
        std::clamp<std::size_t>(static_cast<std::size_t>(std::llround(length * 8)), 1, std::max<std::size_t>(most, 1));
    std::vector<std::string_view> line(width_, " ");
    std::size_t used = first;
    for (std::size_t i = 0; i < eighths / 8; ++i, ++used) line[used] = cell(row, used);
    if (eighths % 8 != 0 && used < width_) line[used++] = partial(eighths % 8);
    if (row.running) line[std::min(used, width_ - 1)] = unicode_ ? "▸" : ">";
    std::string bar;
    for (const std::string_view text : line) bar += text;
    return bar;
  }

 private:
  [[nodiscard]] std::string_view cell(const Row& row, std::size_t at) const {
    const double cells = static_cast<double>(width_);
    if (row.root && axis_.shortened(static_cast<double>(at) / cells, static_cast<double>(at + 1) / cells)) {
      return unicode_ ? "╌" : "-";
    }
    return unicode_ ? (row.root ? "━" : "█") : (row.root ? "=" : "#");
  }
  [[nodiscard]] std::string_view partial(std::size_t eighths) const {
    static constexpr std::string_view kBlocks[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    return unicode_ ? kBlocks[eighths] : eighths >= 4 ? "#" : "|";
  }

  const TimeAxis& axis_;
  std::size_t width_;
  bool unicode_;
};

std::string duration_text(const Row& row) {
  return format_duration(subtract(row.end, row.begin)) + (row.running ? " so far" : "");
}

struct Layout {
  std::size_t label = 0, bar = 0, duration = 0, note = 0;
};

Layout lay_out(const std::vector<Row>& rows, std::size_t width) {
  Layout layout;
  std::size_t note = 0;
  for (const Row& row : rows) {
    layout.label = std::max(layout.label, columns(row.guide) + columns(row.label));
    layout.duration = std::max(layout.duration, columns(duration_text(row)));
    note = std::max(note, columns(row.note));
  }
  layout.label = std::min(layout.label, std::max<std::size_t>(width * 9 / 20, 16));
  layout.note = std::min(note, std::max<std::size_t>(width * 3 / 10, 16));
  const std::size_t used = layout.label + 2 + layout.duration + 2 + (layout.note != 0 ? layout.note + 2 : 0);
  layout.bar = width >= used + kLeastBar ? width - used : 0;
  if (layout.bar == 0) {  // narrow: the words matter more
    const std::size_t rest = layout.label + 2 + layout.duration + 2;
    layout.note = width > rest + 4 ? width - rest : 0;
  }
  return layout;
}

std::string render_rows(const std::vector<Row>& rows, const TimeAxis& axis, const TextOptions& options) {
  const Layout layout = lay_out(rows, options.width);
  const Bars bars(axis, std::max<std::size_t>(layout.bar, 1), options.unicode);
  std::string out;
  for (const Row& row : rows) {
    const std::size_t guide = std::min(columns(row.guide), layout.label / 2);
    const std::string_view color = row.error ? kRed : row.folded != 0 ? kDim : "";
    const auto paint = [&](std::string text) {
      return color.empty() ? text : painted(options, color, std::move(text));
    };
    std::string line = painted(options, kDim, plain_symbols(cut(row.guide, guide), options));
    line += paint(plain_symbols(pad(row.label, layout.label - guide), options));
    if (layout.bar != 0) line += "  " + paint(bars.draw(row));
    line += "  " + plain_symbols(pad(duration_text(row), layout.duration, true), options);
    if (layout.note != 0 && !row.note.empty()) {
      line += "  " + paint(plain_symbols(cut(row.note, layout.note), options));
    }
    while (line.ends_with(' ')) line.pop_back();
    out += line + "\n";
  }
  return out;
}

std::string trace_summary(const TraceView& view, const TextOptions& options) {
  std::set<std::string> sessions, traces;
  for (const TraceSpan& span : view.spans) {
    traces.insert(span.header.trace_id.hex());
    if (span.header.session_print != 0) sessions.insert(ledger::session_id(span.header.session_print));
  }
  std::string text = "trace";
  for (const std::string& trace : traces) text += " " + trace;
  std::string out = painted(options, kBold, line_of(text, options));
  out += line_of(format_count(view.spans.size(), "span") + " of it " + (view.spans.size() == 1 ? "was" : "were") +
                     " seen here, in " + format_count(sessions.size(), "session"),
                 options);
  for (const std::string& session : sessions) out += line_of("  " + session, options);
  return out;
}

}  // namespace

std::string waterfall(const TraceView& view, const TextOptions& options) {
  std::string out = view.session ? session_summary(*view.session, options) : trace_summary(view, options);
  const TimeAxis axis = axis_of(view);
  if (axis.shortened_gaps() != 0) {
    out += line_of("note: " + format_count(axis.shortened_gaps(), "idle gap") + " (" +
                       format_duration(axis.shortened_time()) + " in all) drawn shorter than " +
                       (axis.shortened_gaps() == 1 ? "it was" : "they were"),
                   options);
  }
  if (view.left_out != 0) {
    out += line_of("note: " + format_count(view.left_out, "span") + " more than fit are not shown", options);
  }
  const Tree tree = build_tree(view.spans);
  RowOptions row_options{.unicode = options.unicode};
  if (options.full) row_options.fold_over = view.spans.size();
  out += "\n" + render_rows(make_rows(view.spans, tree, row_options), axis, options);
  return out;
}

std::string span_line(const TraceSpan& span, const TextOptions& options) {
  const Description description = describe(span);
  std::string line = format_clock(span.header.start, options.offset) + "  ";
  line += pad(description.label, kFollowLabel) + "  " + pad(format_duration(span.header.duration), 8, true);
  if (!description.note.empty()) line += "  " + description.note;
  line = plain_symbols(cut(line, options.width), options);
  return painted(options, description.error ? kRed : "", std::move(line)) + "\n";
}

}  // namespace mcptrace::query
