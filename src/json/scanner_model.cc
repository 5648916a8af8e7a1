#include "json/scanner_model.h"

#include <utility>

namespace mcptrace::json {
namespace {

// Keeps what it is told as events.
class Recorder {
 public:
  Recorder(Policy policy, Report& report) : policy_(policy), report_(report) {}

  Step on_value(const Key& key, Kind kind, std::uint64_t offset) {
    Event event{.type = Event::Type::kValue, .kind = kind, .offset = offset};
    if (key.text.data() != nullptr) {
      event.keyed = true;
      event.escaped = key.escaped;
      event.cut = key.cut;
      event.text = key.text;
    }
    report_.events.push_back(std::move(event));
    return decide(policy_, key, kind, offset);
  }
  void on_text(std::string_view piece) {
    if (report_.events.empty() || report_.events.back().type != Event::Type::kText) {
      report_.events.push_back({.type = Event::Type::kText});
    }
    report_.events.back().text += piece;
  }
  // Pauses now and then.
  bool on_end(Kind kind, std::uint64_t offset) {
    report_.events.push_back({.type = Event::Type::kEnd, .kind = kind, .offset = offset});
    return ++ends_ % 3 == 0;
  }

 private:
  Policy policy_;
  Report& report_;
  int ends_ = 0;
};

// Reads the whole input, a byte at a time, by recursive descent.
class Model {
 public:
  Model(std::string_view input, Policy policy, Report& report) : input_(input), recorder_(policy, report) {
    bool escaped = false;
    bool inside = false;
    for (const char byte : input) {
      const bool quote = byte == '"' && !escaped;
      escaped = byte == '\\' && !escaped;
      inside = inside != quote;
      quote_.push_back(quote);
      inside_.push_back(inside || quote);
    }
  }

  Shape run() {
    std::size_t at = after_blanks(0);
    if (at == input_.size()) return Shape::kBlank;
    if (kind_at(at) == Kind::kOther || !value(at, Key{}, 0)) return Shape::kBroken;
    return after_blanks(at) == input_.size() ? Shape::kComplete : Shape::kBroken;
  }

 private:
  static bool is_blank(char byte) { return std::string_view(" \t\r\n").contains(byte); }

  std::size_t after_blanks(std::size_t at) const {
    while (at < input_.size() && is_blank(input_[at])) ++at;
    return at;
  }

  Kind kind_at(std::size_t at) const {
    static constexpr std::string_view kFirst = "{[\"-0123456789tfn";
    static constexpr Kind kKinds[] = {Kind::kObject, Kind::kArray, Kind::kString};
    const std::size_t which = kFirst.find(input_[at]);
    if (which == std::string_view::npos) return Kind::kOther;
    if (which < 3) return kKinds[which];
    if (which < 14) return Kind::kNumber;
    return which == 14 ? Kind::kTrue : which == 15 ? Kind::kFalse : Kind::kNull;
  }

  std::size_t string_end(std::size_t at) const {
    do ++at;
    while (at < input_.size() && !quote_[at]);
    return at;
  }

  bool value(std::size_t& at, const Key& key, int level) {
    const Kind kind = kind_at(at);
    const Step step = recorder_.on_value(key, kind, at);
    if (kind == Kind::kString) return string(at, step);
    if (kind != Kind::kObject && kind != Kind::kArray) return scalar(at, kind, step, level);
    return step == Step::kEnter && level < kMaxEntered ? items(at, kind, level + 1) : skip(at);
  }

  bool string(std::size_t& at, Step step) {
    const std::size_t begin = at + 1;
    const std::size_t end = string_end(at);
    if (step == Step::kText && begin < end) recorder_.on_text(input_.substr(begin, end - begin));
    if (end == input_.size()) return false;
    at = end + 1;
    if (step == Step::kText) recorder_.on_end(Kind::kString, at);
    return true;
  }

  bool scalar(std::size_t& at, Kind kind, Step step, int level) {
    const std::size_t begin = at;
    while (at < input_.size() && !quote_[at] && !std::string_view(" \t\r\n,:[]{}").contains(input_[at])) ++at;
    if (step == Step::kText) recorder_.on_text(input_.substr(begin, at - begin));
    if (at == input_.size() && level > 0) return false;
    if (step == Step::kText) recorder_.on_end(kind, at);
    return true;
  }

  bool skip(std::size_t& at) {
    std::size_t depth = 0;
    for (; at < input_.size(); ++at) {
      if (inside_[at]) continue;
      if (input_[at] == '{' || input_[at] == '[') ++depth;
      if ((input_[at] == '}' || input_[at] == ']') && --depth == 0) {
        ++at;
        return true;
      }
    }
    return false;
  }

  Key key_at(std::size_t& at) const {
    const std::size_t begin = at + 1;
    const std::size_t end = string_end(at);
    const std::string_view whole = input_.substr(begin, end - begin);
    const std::string_view text = whole.substr(0, kMaxKey);
    at = end + 1;
    return {text, text.contains('\\'), whole.size() > kMaxKey};
  }

  bool items(std::size_t& at, Kind kind, int level) {
    Key key;
    for (++at; at < input_.size();) {
      const char byte = input_[at];
      if (is_blank(byte) || byte == ':') {
        ++at;
      } else if (byte == ',') {
        key = Key{};
        ++at;
      } else if (byte == '}' || byte == ']') {
        if ((byte == '}') != (kind == Kind::kObject)) return false;
        recorder_.on_end(kind, ++at);
        return true;
      } else if (byte == '"' && kind == Kind::kObject && key.text.data() == nullptr) {
        key = key_at(at);
      } else {
        if (kind == Kind::kObject && key.text.data() == nullptr) return false;
        if (!value(at, std::exchange(key, Key{}), level)) return false;
      }
    }
    return false;
  }

  std::string_view input_;
  Recorder recorder_;
  std::vector<bool> quote_;
  std::vector<bool> inside_;
};

Step decide_message(const Key& key, Kind kind, std::uint64_t offset) {
  static constexpr std::string_view kEntered[] = {"params", "_meta", "result", "error"};
  static constexpr std::string_view kTexts[] = {"id", "method", "name", "traceparent", "code"};
  if (kind == Kind::kObject) {
    if (key.text.data() == nullptr) return offset < 2 ? Step::kEnter : Step::kSkip;
    for (const std::string_view name : kEntered) {
      if (key.text == name) return Step::kEnter;
    }
    return Step::kSkip;
  }
  for (const std::string_view name : kTexts) {
    if (key.text == name) return Step::kText;
  }
  return Step::kSkip;
}

}  // namespace

Step decide(Policy policy, const Key& key, Kind kind, std::uint64_t offset) {
  const bool container = kind == Kind::kObject || kind == Kind::kArray;
  switch (policy) {
    case Policy::kEverything:
      return container ? Step::kEnter : Step::kText;
    case Policy::kMessage:
      return decide_message(key, kind, offset);
    case Policy::kMixed:
      break;
  }
  // Any answer may come for any kind.
  return static_cast<Step>((offset * 0x9e3779b97f4a7c15 >> 40) % 3);
}

Report scan_report(const Kernel& kernel, std::string_view input, Policy policy,
                   const std::function<std::size_t()>& next_size) {
  Report report;
  Recorder recorder(policy, report);
  Scanner<Recorder> scanner(recorder, kernel);
  while (!input.empty()) {
    // A copy that goes away, so that a view kept too long is found by AddressSanitizer.
    const std::vector<char> piece(input.begin(),
                                  input.begin() + static_cast<std::ptrdiff_t>(std::min(next_size(), input.size())));
    for (std::string_view left(piece.data(), piece.size()); !left.empty();) left.remove_prefix(scanner.feed(left));
    input.remove_prefix(piece.size());
  }
  report.shape = scanner.finish();
  return report;
}

Report model_report(std::string_view input, Policy policy) {
  Report report;
  report.shape = Model(input, policy, report).run();
  return report;
}

std::string to_string(const Report& report) {
  static constexpr std::string_view kTypes[] = {"value", "text", "end"};
  std::string out;
  for (const Event& event : report.events) {
    out +=
        std::string(kTypes[std::to_underlying(event.type)]) + " kind=" + std::to_string(std::to_underlying(event.kind));
    out += " @" + std::to_string(event.offset);
    if (event.escaped) out += " escaped";
    if (event.cut) out += " cut";
    out += event.text.empty() && !event.keyed ? "\n" : " <" + event.text + ">\n";
  }
  return out + "shape=" + std::to_string(std::to_underlying(report.shape)) + "\n";
}

}  // namespace mcptrace::json
