// The scanner against simdjson's DOM: the same members, in the same order, with the same values.
#include <simdjson.h>

#include <charconv>
#include <string>
#include <vector>

#include "json/scanner_model.h"
#include "json/text.h"

namespace mcptrace::json {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

// What both sides are brought to: a line a value, and its end if it is a container.
using Lines = std::vector<std::string>;

Kind kind_of(element value) {
  switch (value.type()) {
    case element_type::OBJECT:
      return Kind::kObject;
    case element_type::ARRAY:
      return Kind::kArray;
    case element_type::STRING:
      return Kind::kString;
    case element_type::BOOL:
      return value.get_bool().value_unsafe() ? Kind::kTrue : Kind::kFalse;
    case element_type::NULL_VALUE:
      return Kind::kNull;
    default:
      return Kind::kNumber;
  }
}

// simdjson keeps no raw numbers, so numbers are compared as doubles.
std::string number_text(double number) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof(text), number + 0.0).ptr};  // -0 becomes 0
}

std::string scalar_text(element value) {
  switch (value.type()) {
    case element_type::STRING:
      return std::string(value.get_string().value_unsafe());
    case element_type::INT64:
      return number_text(static_cast<double>(value.get_int64().value_unsafe()));
    case element_type::UINT64:
      return number_text(static_cast<double>(value.get_uint64().value_unsafe()));
    case element_type::DOUBLE:
      return number_text(value.get_double().value_unsafe());
    case element_type::BOOL:
      return value.get_bool().value_unsafe() ? "true" : "false";
    case element_type::NULL_VALUE:
      return "null";
    default:
      return "";
  }
}

std::string line(Kind kind, const std::string& key, const std::string& text) {
  return "kind=" + std::to_string(static_cast<int>(kind)) + " key=" + key + " text=" + text;
}

void walk(element value, const std::string& key, int level, Lines& lines) {
  const Kind kind = kind_of(value);
  if (kind != Kind::kObject && kind != Kind::kArray) {
    lines.push_back(line(kind, key, scalar_text(value)));
    return;
  }
  lines.push_back(line(kind, key, ""));
  if (level >= kMaxEntered) return;
  if (kind == Kind::kObject) {
    for (const auto field : value.get_object().value_unsafe())
      walk(field.value, "<" + std::string(field.key) + ">", level + 1, lines);
  } else {
    for (const element item : value.get_array().value_unsafe()) walk(item, "-", level + 1, lines);
  }
  lines.push_back("end");
}

std::string text_of(Kind kind, const std::string& raw) {
  if (kind == Kind::kString) return decode_string(raw);
  if (kind != Kind::kNumber) return raw;
  double number = 0;
  std::from_chars(raw.data(), raw.data() + raw.size(), number);
  return number_text(number);
}

class LineHandler {
 public:
  explicit LineHandler(Lines& lines) : lines_(lines) {}

  Step on_value(const Key& key, Kind kind, std::uint64_t) {
    key_ = key.text.data() == nullptr ? "-" : "<" + decode_string(key.text) + ">";
    long_key_ |= key.cut;
    text_.clear();
    if (kind != Kind::kObject && kind != Kind::kArray) return Step::kText;
    lines_.push_back(line(kind, key_, ""));
    return Step::kEnter;
  }
  void on_text(std::string_view piece) { text_ += piece; }
  void on_end(Kind kind, std::uint64_t) {
    lines_.push_back(kind == Kind::kObject || kind == Kind::kArray ? "end" : line(kind, key_, text_of(kind, text_)));
  }
  [[nodiscard]] bool long_key() const { return long_key_; }

 private:
  Lines& lines_;
  std::string key_;
  std::string text_;
  bool long_key_ = false;
};

}  // namespace

bool simdjson_accepts(std::string_view input) {
  // Newer ones pass over a byte order mark; before our scanner that is the framers' to do.
  if (input.starts_with("\xef\xbb\xbf")) return false;
  simdjson::dom::parser parser;
  return parser.parse(simdjson::padded_string(input)).error() == simdjson::SUCCESS;
}

std::string difference_from_simdjson(std::string_view input) {
  simdjson::dom::parser parser;
  element root;
  if (!simdjson_accepts(input) || parser.parse(simdjson::padded_string(input)).get(root) != simdjson::SUCCESS)
    return "";
  Lines expected;
  walk(root, "-", 0, expected);
  Lines found;
  LineHandler handler(found);
  Scanner<LineHandler> scanner(handler);
  scanner.feed(input);
  if (scanner.finish() != Shape::kComplete) return "simdjson accepts it, but its shape is not kComplete";
  if (handler.long_key()) return "";  // cut keys cannot be the same
  for (std::size_t i = 0; i < std::min(expected.size(), found.size()); ++i) {
    if (expected[i] != found[i]) return "simdjson has " + expected[i] + ", the scanner " + found[i];
  }
  return expected.size() == found.size() ? "" : "one has more values than the other";
}

}  // namespace mcptrace::json
