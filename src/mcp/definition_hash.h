// The definition hash of a tool as its server lists it (docs/architecture.md, What may be written): the sum, mod 2^128,
// of keyed hashes of every value in its object with the path to it. So the order of members does not matter, and
// nothing is kept of the object. Fed by MessageHandler as it walks the object, in pieces of any size; allocates
// nothing.
//
//   hash.begin();
//   hash.at(key, kind);                    // a member, or an element where the key has no data
//   hash.enter(); … hash.leave();          // of a container that is walked, too
//   hash.feed(raw); … hash.end();          // of a scalar
//   Definition definition = hash.sum();
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/keyed_hash.h"
#include "json/scanner.h"
#include "mcp/long_hash.h"
#include "mcp/message.h"
#include "mcp/string_decoder.h"

namespace mcptrace::mcp {

class DefinitionHash {
 public:
  // `key` must outlive this.
  explicit DefinitionHash(const HashKey& key) : key_(key), hash_(key) {}

  // Starts afresh, in the object of a tool.
  void begin();
  void at(const json::Key& key, json::Kind kind);
  void enter() { levels_[++depth_] = {.path = path_, .elements = 0}; }
  void leave() { --depth_; }
  void feed(std::string_view raw);
  void end();
  // In place of feed() and end(): all of a string, decoded.
  void take(std::string_view decoded);

  [[nodiscard]] Definition sum() const { return sum_; }

 private:
  struct Level {
    std::uint64_t path = 0;      // of the container
    std::uint64_t elements = 0;  // so far
  };
  void append(std::string_view decoded);
  void add();
  [[nodiscard]] std::uint64_t path_to(char what, std::string_view name) const;

  // What is hashed of a value begins with the path to it, its kind, and whether its text or its LongHash follows.
  static constexpr std::size_t kHead = sizeof(std::uint64_t) + 2;
  // Texts up to this length are hashed whole; of a longer one its LongHash is.
  static constexpr std::size_t kWhole = 4096;

  const HashKey& key_;
  TableHash hash_;
  Definition sum_;
  std::array<Level, json::kMaxEntered + 1> levels_{};
  std::size_t depth_ = 0;

  // The value at hand.
  std::uint64_t path_ = 0;
  json::Kind kind_ = json::Kind::kNull;
  StringDecoder decoder_;
  std::array<char, kHead + kWhole> bytes_;
  std::size_t size_ = 0;  // of the text in there
  std::optional<LongHash> long_;
};

}  // namespace mcptrace::mcp
