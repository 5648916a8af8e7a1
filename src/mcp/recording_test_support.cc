#include "mcp/recording_test_support.h"

#include <gtest/gtest.h>

#include <sstream>

namespace mcptrace::mcp {
namespace {

std::ostream& operator<<(std::ostream& out, const RequestId& id) {
  return out << static_cast<int>(id.type) << '/' << id.exact << '/' << id.loose;
}

// RFC 8259, by recursive descent; as deep as the tests need.
class Checker {
 public:
  explicit Checker(std::string_view text) : text_(text) {}
  bool whole() {
    space();
    return value(0) && (space(), text_.empty());
  }

 private:
  bool value(int depth) {
    if (text_.empty() || depth > 200) return false;
    switch (text_.front()) {
      case '{':
        return container('}', depth, true);
      case '[':
        return container(']', depth, false);
      case '"':
        return string();
      case 't':
        return literal("true");
      case 'f':
        return literal("false");
      case 'n':
        return literal("null");
      default:
        return number();
    }
  }
  bool container(char end, int depth, bool object) {
    take();
    space();
    if (eat(end)) return true;
    while (true) {
      if (object && !(string() && (space(), eat(':')) && (space(), true))) return false;
      if (!value(depth + 1)) return false;
      space();
      if (eat(end)) return true;
      if (!eat(',')) return false;
      space();
    }
  }
  bool string() {
    if (!eat('"')) return false;
    while (!text_.empty()) {
      const char c = take();
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c != '\\') continue;
      if (text_.empty()) return false;
      const char escape = take();
      if (escape == 'u') {
        for (int i = 0; i < 4; ++i) {
          if (text_.empty() || !isxdigit(static_cast<unsigned char>(take()))) return false;
        }
      } else if (std::string_view("\"\\/bfnrt").find(escape) == std::string_view::npos) {
        return false;
      }
    }
    return false;
  }
  bool number() {
    eat('-');
    if (!eat('0') && digits() == 0) return false;
    if (eat('.') && digits() == 0) return false;
    if (!eat('e') && !eat('E')) return true;
    if (!eat('+')) eat('-');
    return digits() > 0;
  }
  std::size_t digits() {
    std::size_t count = 0;
    for (; !text_.empty() && text_.front() >= '0' && text_.front() <= '9'; ++count) take();
    return count;
  }
  bool literal(std::string_view word) {
    if (!text_.starts_with(word)) return false;
    text_.remove_prefix(word.size());
    return true;
  }
  void space() {
    while (!text_.empty() && std::string_view(" \t\r\n").find(text_.front()) != std::string_view::npos) take();
  }
  char take() {
    const char c = text_.front();
    text_.remove_prefix(1);
    return c;
  }
  bool eat(char c) {
    if (text_.empty() || text_.front() != c) return false;
    take();
    return true;
  }

  std::string_view text_;
};

}  // namespace

std::string describe(const Message& message) {
  std::ostringstream out;
  out << "kind " << static_cast<int>(message.kind) << " direction " << static_cast<int>(message.direction) << " method "
      << static_cast<int>(message.method) << " result " << static_cast<int>(message.result_type) << " flags "
      << message.flags << " id " << message.id << " related " << message.related << " bytes " << message.bytes
      << " code " << message.error_code << " prints";
  for (const std::uint64_t print :
       {message.error_print, message.name_hash, message.name_print, message.method_print, message.id_print,
        message.peer_name_print, message.peer_version_print, message.request_state, message.task}) {
    out << ' ' << print;
  }
  for (std::size_t i = 0; i < kTextCount; ++i) out << ' ' << i << "=<" << message.text[i] << '>';
  out << '\n';
  return out.str();
}

std::string describe(const SpliceMap& map) {
  std::ostringstream out;
  out << "map";
  for (const Range& range : {map.root, map.params, map.meta, map.traceparent, map.traceparent_member, map.tracestate,
                             map.tracestate_member}) {
    out << ' ' << range.begin << '-' << range.end;
  }
  for (const bool flag :
       {map.params_is_object, map.params_is_empty, map.meta_is_object, map.meta_is_empty, map.context_is_odd}) {
    out << ' ' << flag;
  }
  out << '\n';
  return out.str();
}

void Recording::add(const Found& found) {
  EXPECT_NE(found.message == nullptr, found.declared.empty());
  EXPECT_LE(found.declared.size(), 64u);
  if (found.message == nullptr) {
    declared.insert(declared.end(), found.declared.begin(), found.declared.end());
    log += "declared " + std::to_string(found.declared.size()) + "\n";
    return;
  }
  Recorded& kept = messages.emplace_back();
  kept.message = *found.message;
  for (const std::string_view text : found.message->text) kept.texts.emplace_back(text);
  log += describe(*found.message);
  if (found.map == nullptr) return;
  kept.map = *found.map;
  log += describe(*found.map);
}

Recording scan_line(std::string_view line, Direction direction) {
  Recording found;
  MessageScanner scanner = test_scanner(direction);
  scanner.feed(line);
  scanner.end_line(line.size() + 1);
  found.take(scanner);
  return found;
}

Recorded scan_one(std::string_view line, Direction direction) {
  Recording found = scan_line(line, direction);
  EXPECT_EQ(found.messages.size(), 1u) << line;
  return found.messages.empty() ? Recorded{{}, std::vector<std::string>(kTextCount), {}} : found.messages.front();
}

bool is_json(std::string_view text) { return Checker(text).whole(); }

}  // namespace mcptrace::mcp
