#include "config/reader.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/shown.h"
#include "base/utf8.h"
#include "config/options.h"
#include "config/value.h"
#include "config/words.h"

namespace mcptrace::config {
namespace {

constexpr std::size_t kShown = 60, kMostProblems = 100;

enum class Shape : std::uint8_t { kUnknown, kValue, kValues, kMap, kMaps, kNames };

// What stands at a key of the table, "destinations" or "spool.size".
Shape shape_of(std::string_view pattern) {
  for (const Option& option : options()) {
    if (!option.key.starts_with(pattern)) continue;
    const std::string_view rest = option.key.substr(pattern.size());
    if (rest.empty()) return Shape::kValue;
    if (rest == "[]") return Shape::kValues;
    if (rest == ".*") return Shape::kNames;
    if (rest.starts_with("[].")) return Shape::kMaps;
    if (rest.starts_with('.')) return Shape::kMap;
  }
  return Shape::kUnknown;
}

std::string_view wanted_of(Shape shape) {
  switch (shape) {
    case Shape::kValue:
      return "one value";
    case Shape::kValues:
      return "a list, like [a, b]";
    case Shape::kMaps:
      return "a list of maps, each behind a dash";
    case Shape::kMap:
    case Shape::kNames:
    case Shape::kUnknown:
      break;
  }
  return "keys and their values";
}

std::string_view name_of(Node::Kind kind) {
  switch (kind) {
    case Node::Kind::kNull:
      return "nothing";
    case Node::Kind::kScalar:
      return "one value";
    case Node::Kind::kList:
      return "a list";
    case Node::Kind::kMap:
      return "keys and their values";
  }
  return {};
}

// The keys that may stand below one ("" = at the top).
std::vector<std::string_view> keys_below(std::string_view pattern) {
  const std::string start = pattern.empty() ? std::string() : std::string(pattern) + ".";
  std::vector<std::string_view> keys;
  for (const Option& option : options()) {
    if (option.key.empty() || !option.key.starts_with(start)) continue;
    const std::string_view rest = option.key.substr(start.size());
    const std::string_view key = rest.substr(0, rest.find_first_of(".["));
    if (std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
  }
  return keys;
}

class Reader {
 public:
  // A map whose keys the table knows; `pattern` and `key` name it there and here.
  void read_map(const Node& node, const std::string& pattern, const std::string& key) {
    if (node.kind == Node::Kind::kNull) return;
    if (node.kind != Node::Kind::kMap) return wrong_kind(node, key, Shape::kMap);
    for (const Member& member : node.members) read_member(member, pattern, key);
  }

  Reading take() { return std::move(reading_); }

 private:
  void read_member(const Member& member, const std::string& parent, const std::string& parent_key) {
    const std::string dot = parent.empty() ? "" : ".";
    const std::string pattern = parent + dot + member.key, key = parent_key + dot + member.key;
    const bool plain = !member.key.empty() && member.key.find_first_of(".[]*") == std::string::npos;
    const Shape shape = plain ? shape_of(pattern) : Shape::kUnknown;
    if (shape == Shape::kUnknown) return unknown(member, parent, parent_key);
    if (member.value.kind == Node::Kind::kNull) return;  // "destinations:" with nothing behind it
    switch (shape) {
      case Shape::kValue:
        return read_value(member.value, pattern, key, {});
      case Shape::kMap:
        return read_map(member.value, pattern, key);
      case Shape::kNames:
        return read_names(member.value, pattern + ".*", key);
      case Shape::kValues:
      case Shape::kMaps:
        return read_list(member.value, shape, pattern + "[]", key);
      case Shape::kUnknown:
        break;
    }
  }

  void read_list(const Node& node, Shape shape, const std::string& pattern, const std::string& key) {
    if (node.kind != Node::Kind::kList) return wrong_kind(node, key, shape);
    for (std::size_t i = 0; i < node.members.size(); ++i) {
      const Node& element = node.members[i].value;
      const std::string name = key + "[" + std::to_string(i) + "]";
      if (shape == Shape::kValues) {
        read_value(element, pattern, name, {});
        continue;
      }
      if (element.kind != Node::Kind::kMap) {
        wrong_kind(element, name, Shape::kMap);
        continue;
      }
      read_map(element, pattern, name);
      check_required(element, pattern, name);
    }
  }

  void read_names(const Node& node, const std::string& pattern, const std::string& key) {
    if (node.kind != Node::Kind::kMap) return wrong_kind(node, key, Shape::kNames);
    for (const Member& member : node.members) read_value(member.value, pattern, key + "." + member.key, member.key);
  }

  void read_value(const Node& node, const std::string& pattern, const std::string& key, std::string_view name) {
    if (node.kind != Node::Kind::kScalar) return wrong_kind(node, key, Shape::kValue);
    const Option* const option = find_option(pattern);
    if (const auto good = check_value(*option, name, node.text); !good) {
      return add({node.place, key, good.error().message});
    }
    reading_.settings.push_back({key, node.text, Origin::kFile, {}, node.place, option});
  }

  void check_required(const Node& node, const std::string& pattern, const std::string& key) {
    for (const Option& option : options()) {
      if (!option.required || !option.key.starts_with(pattern + ".")) continue;
      const std::string_view name = option.key.substr(pattern.size() + 1);
      const auto found = std::ranges::find(node.members, name, &Member::key);
      const bool missing = found == node.members.end() || found->value.kind == Node::Kind::kNull;
      if (missing) add({node.place, key, "wants a key '" + std::string(name) + "': " + wanted(option)});
    }
  }

  void unknown(const Member& member, const std::string& parent, const std::string& parent_key) {
    const std::vector<std::string_view> keys = keys_below(parent);
    const std::string_view meant = nearest(member.key, keys);
    std::string message = "unknown key '" + clean_utf8(shown(member.key), kShown) + "'";
    message += meant.empty() ? "." : "; did you mean '" + std::string(meant) + "'?";
    add({member.place, parent_key, message + " Known here: " + join(keys, ", ")});
  }

  void wrong_kind(const Node& node, const std::string& key, Shape shape) {
    add({node.place, key, "wants " + std::string(wanted_of(shape)) + ", got " + std::string(name_of(node.kind))});
  }

  void add(Problem problem) {
    if (reading_.problems.size() < kMostProblems) reading_.problems.push_back(std::move(problem));
  }

  Reading reading_;
};

}  // namespace

std::string text_of(const std::string& file, const Problem& problem) {
  std::string text = file;
  if (problem.place.line != 0) {
    text += ":" + std::to_string(problem.place.line) + ":" + std::to_string(problem.place.column);
  }
  return text + ": " + (problem.key.empty() ? "" : problem.key + ": ") + problem.message;
}

Reading read_settings(const Node& root) {
  Reader reader;
  reader.read_map(root, {}, {});
  return reader.take();
}

}  // namespace mcptrace::config
