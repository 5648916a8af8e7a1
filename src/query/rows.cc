#include "query/rows.h"

#include <algorithm>
#include <map>
#include <span>

#include "ledger/root_attributes.h"
#include "query/text.h"

namespace mcptrace::query {
namespace {

using trace::Attr;
using trace::Outcome;

constexpr std::size_t kShortestRun = 4;
constexpr std::size_t kDeepestGuide = 4;
constexpr std::size_t kNamesInRow = 4;

void append_note(std::string& note, std::string_view text) {
  if (text.empty()) return;
  if (!note.empty()) note += ", ";
  note += text;
}

// By either naming.
std::string error_code(const otlp::Span& span) {
  if (const auto code = ledger::integer_attribute(span, Attr::kErrorCode)) return std::to_string(*code);
  return ledger::text_attribute(span, Attr::kRpcStatusCode);
}

std::string outcome_note(const TraceSpan& span, const otlp::Span& decoded, bool& error) {
  const Outcome outcome = span.header.outcome;
  error = span.header.status == trace::StatusCode::kError;  // what is no error by its naming's rules is shown as none
  std::string note;
  if (outcome != Outcome::kOk && outcome != Outcome::kNone) note = trace::outcome_text(outcome);
  const std::string type = ledger::text_attribute(decoded, Attr::kErrorType);
  if (const std::string code = error_code(decoded); !code.empty()) {
    note += (note.empty() ? "" : " ") + code;
  } else if (outcome == Outcome::kUnobserved) {
    if (const std::string why = ledger::text_attribute(decoded, Attr::kUnobserved); !why.empty())
      note += " (" + why + ")";
  } else if (error && !type.empty() && type != note) {
    note += note.empty() ? type : " (" + type + ")";
  }
  if (error) note = note.empty() ? "✗ error" : "✗ " + note;
  return note;
}

std::string link_note(const otlp::Span& span) {
  std::string note;
  for (const otlp::Link& link : span.links) {
    const std::string relation = ledger::text_attribute(link.attributes, trace::attr_key(Attr::kLinkRelation));
    if (relation.empty() || relation == "session" || relation == "previous" || relation == "caller") continue;
    append_note(note, relation + " of " + link.span_id.hex().substr(0, 8));
    if (note.size() > 64) break;
  }
  return note;
}

std::string placed_note(const TraceSpan& span, Placed placed) {
  switch (placed) {
    case Placed::kByParent:
      return {};
    case Placed::kForeign:
      return "↗ trace " + span.header.trace_id.hex().substr(0, 8);
    case Placed::kOrphan:
      return "parent " + span.header.parent_id.hex().substr(0, 8) + " not received";
    case Placed::kLoop:
      return "parents form a loop";
  }
  return {};
}

}  // namespace

Description describe(const TraceSpan& span, Placed placed) {
  Description out;
  out.running = span.ending == Ending::kRunning;
  const auto decoded = otlp::decode_span(span.bytes);
  if (!decoded) {
    out.label = "(unreadable span)";
    out.note = display(decoded.error().message);
    return out;
  }
  std::string name = decoded->name;
  std::string target = ledger::text_attribute(*decoded, Attr::kToolName);
  if (target.empty()) target = ledger::text_attribute(*decoded, Attr::kGenAiToolName);
  if (target.empty()) target = ledger::text_attribute(*decoded, Attr::kGenAiPromptName);
  if (name == trace::kHttpName) target = ledger::text_attribute(*decoded, Attr::kHttpMethod);
  if (!target.empty() && !name.ends_with(" " + target)) name += " " + target;
  out.label = display(name);
  std::string note = outcome_note(span, *decoded, out.error);
  if (const otlp::Value* value = decoded->attribute(trace::attr_key(Attr::kToolUndeclared)); value != nullptr) {
    if (const bool* undeclared = std::get_if<bool>(&value->v); undeclared != nullptr && *undeclared) {
      append_note(note, "undeclared tool");
    }
  }
  if (span.ending == Ending::kUnknown && !span.is_root()) append_note(note, "end unknown");
  append_note(note, link_note(*decoded));
  append_note(note, placed_note(span, placed));
  out.note = display(note);
  return out;
}

namespace {

// Consecutive children [first, last) in one row.
struct Run {
  std::size_t first, last;
};

class RowMaker {
 public:
  RowMaker(const std::vector<TraceSpan>& spans, const Tree& tree, const RowOptions& options)
      : spans_(spans), tree_(tree), options_(options) {
    descriptions_.reserve(spans.size());
    for (std::size_t i = 0; i < spans.size(); ++i) descriptions_.push_back(describe(spans[i], tree.placed[i]));
  }

  std::vector<Row> make() {
    open(tree_.tops, "", 0);
    while (!stack_.empty()) {
      Level& level = stack_.back();
      if (level.next == level.runs.size()) {
        stack_.pop_back();
        continue;
      }
      const Run run = level.runs[level.next++];
      emit(level, run);
    }
    return std::move(rows_);
  }

 private:
  struct Level {
    std::span<const std::uint32_t> children;
    std::vector<Run> runs;
    std::size_t next = 0;
    std::string guide;  // of the level's own rows, without the branch
    std::size_t depth = 0;
  };

  void open(std::span<const std::uint32_t> children, std::string guide, std::size_t depth) {
    stack_.push_back({children, runs_of(children), 0, std::move(guide), depth});
  }

  [[nodiscard]] bool foldable(std::uint32_t span) const {
    const Description& description = descriptions_[span];
    const trace::Operation operation = spans_[span].header.operation;  // the handshake is always shown
    return (operation == trace::Operation::kToolCall || operation == trace::Operation::kNone) &&
           description.note.empty() && !description.running && tree_.children[span].empty() && !spans_[span].is_root();
  }

  // Maximal runs; `same_label`: of equal names only.
  std::vector<Run> fold(std::span<const std::uint32_t> children, bool same_label) const {
    std::vector<Run> runs;
    for (std::size_t first = 0; first < children.size();) {
      std::size_t last = first + 1;
      if (foldable(children[first])) {
        while (last < children.size() && foldable(children[last]) &&
               (!same_label || descriptions_[children[last]].label == descriptions_[children[first]].label)) {
          ++last;
        }
      }
      if (last - first < kShortestRun) last = first + 1;
      runs.push_back({first, last});
      first = last;
    }
    return runs;
  }

  std::vector<Run> runs_of(std::span<const std::uint32_t> children) const {
    if (children.size() <= options_.fold_over) {
      std::vector<Run> singles;
      for (std::size_t i = 0; i < children.size(); ++i) singles.push_back({i, i + 1});
      return singles;
    }
    std::vector<Run> runs = fold(children, true);
    if (runs.size() > options_.fold_over) runs = fold(children, false);
    return runs;
  }

  // May reallocate stack_: `level` is not used after open().
  void emit(const Level& level, Run run) {
    const bool last = level.next == level.runs.size();
    const bool top = level.depth == 0;
    const char* branch = options_.unicode ? (last ? "└─ " : "├─ ") : (last ? "`- " : "|- ");
    const char* pass = options_.unicode ? (last ? "   " : "│  ") : (last ? "   " : "|  ");
    Row row = run.last - run.first == 1 ? single(level.children[run.first]) : folded(level.children, run);
    row.guide = top ? "" : level.guide + branch;
    rows_.push_back(std::move(row));
    if (run.last - run.first != 1) return;
    const auto& children = tree_.children[level.children[run.first]];
    if (children.empty()) return;
    std::string guide = top || level.depth >= kDeepestGuide ? level.guide : level.guide + pass;
    open(children, std::move(guide), level.depth + 1);
  }

  Row single(std::uint32_t index) const {
    const TraceSpan& span = spans_[index];
    const Description& description = descriptions_[index];
    Row row;
    row.label = description.label;
    row.note = description.note;
    row.begin = span.header.start;
    row.end = span.end();
    row.error = description.error;
    row.running = description.running;
    row.root = span.is_root();
    return row;
  }

  Row folded(std::span<const std::uint32_t> children, Run run) const {
    Row row;
    row.folded = run.last - run.first;
    row.begin = Nanos::max();
    row.end = Nanos::min();
    std::vector<Nanos> durations;
    std::map<std::string_view, std::size_t> names;
    for (const std::uint32_t index : children.subspan(run.first, row.folded)) {
      row.begin = std::min(row.begin, spans_[index].header.start);
      row.end = std::max(row.end, spans_[index].end());
      durations.push_back(spans_[index].header.duration);
      ++names[descriptions_[index].label];
    }
    const auto middle = durations.begin() + static_cast<std::ptrdiff_t>((durations.size() - 1) / 2);
    std::ranges::nth_element(durations, middle);
    row.p50 = *middle;
    row.max = std::ranges::max(durations);
    row.label = "… " + std::to_string(row.folded) + " × " + names_text(names);
    row.note = "ok, p50 " + format_duration(row.p50) + ", max " + format_duration(row.max);
    return row;
  }

  static std::string names_text(const std::map<std::string_view, std::size_t>& names) {
    if (names.size() == 1) return std::string(names.begin()->first);
    std::vector<std::pair<std::size_t, std::string_view>> by_count;
    for (const auto& [name, count] : names) by_count.emplace_back(count, name);
    std::ranges::sort(by_count, [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    // "mcp.tool_call (echo 7, add 5)" where all begin with the same word.
    std::string_view shared = by_count.front().second.substr(0, by_count.front().second.find(' ') + 1);
    for (const auto& [count, name] : by_count) {
      if (!name.starts_with(shared)) shared = {};
    }
    std::string text = std::string(shared) + "(";
    for (std::size_t i = 0; i < by_count.size() && i < kNamesInRow; ++i) {
      text += i == 0 ? "" : ", ";
      text.append(by_count[i].second.substr(shared.size())).append(" ").append(std::to_string(by_count[i].first));
    }
    if (by_count.size() > kNamesInRow) text += ", …";
    return text + ")";
  }

  const std::vector<TraceSpan>& spans_;
  const Tree& tree_;
  const RowOptions options_;
  std::vector<Description> descriptions_;
  std::vector<Level> stack_;
  std::vector<Row> rows_;
};

}  // namespace

std::vector<Row> make_rows(const std::vector<TraceSpan>& spans, const Tree& tree, const RowOptions& options) {
  return RowMaker(spans, tree, options).make();
}

}  // namespace mcptrace::query
