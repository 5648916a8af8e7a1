#include "config/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <exception>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include "base/utf8.h"

namespace mcptrace::config {
namespace {

constexpr std::size_t kMostDepth = 32, kMostNodes = 20'000;

Place place_of(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1}; }

Node node_of(Node::Kind kind, const YAML::Mark& mark) {
  Node node;
  node.kind = kind;
  node.place = place_of(mark);
  return node;
}

std::size_t count_nodes(const Node& node) {
  std::size_t count = 1;
  for (const Member& member : node.members) count += count_nodes(member.value);
  return count;
}

// Events to a tree. After the first error it takes nothing more.
class Builder final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) fail(place_of(mark), "a second document begins here; one is read");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(node_of(Node::Kind::kNull, mark), anchor); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    const bool plain = tag == "?";
    const bool nothing = plain && (value == "~" || value == "null" || value == "Null" || value == "NULL");
    if (nothing) return OnNull(mark, anchor);
    Node node = node_of(Node::Kind::kScalar, mark);
    node.text = value;
    add(std::move(node), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) return fail(place_of(mark), "an alias stands inside of what it means");
    nodes_ += found->second.count;
    if (nodes_ > kMostNodes) return fail(place_of(mark), "too much, once aliases are followed");
    Node node = found->second.node;
    node.place = place_of(mark);
    put(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(node_of(Node::Kind::kList, mark), anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(node_of(Node::Kind::kMap, mark), anchor);
  }
  void OnMapEnd() override { close(); }

  std::expected<Node, YamlError> finish() {
    if (error_) return std::unexpected(*std::move(error_));
    return std::move(root_);
  }
  [[nodiscard]] bool failed() const { return error_.has_value(); }

 private:
  struct Open {
    Node node;
    YAML::anchor_t anchor;
    std::optional<Member> key;  // of a map: one whose value comes next
  };
  struct Anchored {
    Node node;
    std::size_t count;
  };

  void fail(Place place, std::string message) {
    if (!error_) error_ = YamlError{place, std::move(message)};
  }
  void add(Node node, YAML::anchor_t anchor) {
    if (++nodes_ > kMostNodes) return fail(node.place, "too much: more than " + std::to_string(kMostNodes) + " values");
    if (anchor != YAML::NullAnchor) anchors_[anchor] = {node, 1};
    put(std::move(node));
  }
  void open(Node node, YAML::anchor_t anchor) {
    if (error_) return;
    if (++nodes_ > kMostNodes || open_.size() >= kMostDepth) return fail(node.place, "too much, or too deep");
    open_.push_back({std::move(node), anchor, {}});
  }
  void close() {
    if (error_) return;
    Open last = std::move(open_.back());
    open_.pop_back();
    if (last.anchor != YAML::NullAnchor) anchors_[last.anchor] = {last.node, count_nodes(last.node)};
    put(std::move(last.node));
  }
  void put(Node node) {
    if (error_) return;
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& into = open_.back();
    if (into.node.kind == Node::Kind::kList) {
      into.node.members.push_back({{}, node.place, std::move(node)});
    } else if (!into.key) {
      put_key(into, node);
    } else {
      into.key->value = std::move(node);
      into.node.members.push_back(*std::exchange(into.key, std::nullopt));
    }
  }
  void put_key(Open& into, Node& node) {
    if (node.kind != Node::Kind::kScalar) return fail(node.place, "a key is a word");
    const auto same = std::ranges::find(into.node.members, node.text, &Member::key);
    if (same != into.node.members.end()) {
      return fail(node.place, "the same key stands in line " + std::to_string(same->place.line));
    }
    into.key = Member{std::move(node.text), node.place, {}};
  }

  std::vector<Open> open_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  Node root_;
  std::optional<YamlError> error_;
  std::size_t nodes_ = 0;
  int documents_ = 0;
};

// It may name a character of the file, whichever that is.
std::string on_one_line(std::string text) {
  std::ranges::replace_if(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return clean_utf8(text, text.size());
}

// yaml-cpp reads what is no UTF-8 as replacement characters.
std::optional<YamlError> not_utf8(std::string_view text) {
  int line = 1;
  for (std::size_t at = 0; at <= text.size(); ++line) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (!is_utf8(text.substr(at, end - at))) return YamlError{{line, 1}, "this line is no UTF-8"};
    at = end + 1;
  }
  return std::nullopt;
}

}  // namespace

std::expected<Node, YamlError> parse_yaml(std::string_view text) {
  if (auto error = not_utf8(text)) return std::unexpected(*std::move(error));
  Builder builder;
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (!builder.failed() && parser.HandleNextDocument(builder)) continue;
  } catch (const YAML::Exception& error) {
    if (builder.failed()) return builder.finish();
    const bool placed = error.mark.line >= 0;
    return std::unexpected(YamlError{placed ? place_of(error.mark) : Place{}, "not YAML: " + on_one_line(error.msg)});
  } catch (const std::exception&) {  // of a standard library's function that it uses
    return std::unexpected(YamlError{{}, "not YAML"});
  }
  return builder.finish();
}

}  // namespace mcptrace::config
