// YAML as a tree of texts with their places. yaml-cpp's only includer is yaml.cc; its exceptions stop there. Bounded:
// what is too deep, or too many nodes once aliases are followed, is an error. Pure.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "config/setting.h"

namespace mcptrace::config {

struct Member;

struct Node {
  enum class Kind : std::uint8_t { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  Place place;
  std::string text;             // of kScalar
  std::vector<Member> members;  // of kMap, in its order; of kList, without keys
};

struct Member {
  std::string key;
  Place place;  // of the key
  Node value;
};

struct YamlError {
  Place place;
  std::string message;
};

inline constexpr std::size_t kMostYaml = 1 << 20;

// One document, or none (kNull). A map with a key twice is an error.
std::expected<Node, YamlError> parse_yaml(std::string_view text);

}  // namespace mcptrace::config
