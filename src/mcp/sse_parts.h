// What SseFramer reads by: where lines end, and what ids are compared by.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/keyed_hash.h"

namespace mcptrace::mcp {

// In-memory hash of an event id of any length, in bounded memory: its blocks are mixed one after the other.
class SseIdPrint {
 public:
  void update(std::string_view piece) {
    while (!piece.empty()) {
      if (size_ == block_.size()) flush();
      const std::size_t taken = std::min(piece.size(), block_.size() - size_);
      std::memcpy(block_.data() + size_, piece.data(), taken);
      size_ += taken;
      piece.remove_prefix(taken);
    }
  }
  // And starts afresh. 0 only of an empty id.
  std::uint64_t finish() {
    if (size_ == 0) return 0;
    flush();
    const std::uint64_t print = std::exchange(hash_, kSeed);
    return print == 0 ? 1 : print;
  }

 private:
  static constexpr std::uint64_t kSeed = 0x6a09e667f3bcc908;

  void flush() {
    hash_ = mix64({block_.data(), size_}, hash_);
    size_ = 0;
  }

  std::array<char, 128> block_;
  std::size_t size_ = 0;
  std::uint64_t hash_ = kSeed;
};

// Where the lines of a piece end. No byte is searched twice for the same kind of end, whichever of them the piece has.
class LineEnds {
 public:
  LineEnds() = default;
  explicit LineEnds(std::string_view piece)
      : piece_(piece), feed_(find('\n', 0, piece.size())), return_(find('\r', 0, feed_)) {}

  // The first line end at or after `from`, or the piece's size. `from` never goes back.
  std::size_t next(std::size_t from) {
    if (feed_ < from) {
      feed_ = find('\n', from, piece_.size());
      return_ = find('\r', from, feed_);
    } else if (return_ < from) {
      return_ = find('\r', from, feed_);
    }
    return return_;
  }

 private:
  std::size_t find(char end, std::size_t from, std::size_t to) const {
    const void* found = std::memchr(piece_.data() + from, end, to - from);
    return found == nullptr ? to : static_cast<std::size_t>(static_cast<const char*>(found) - piece_.data());
  }

  std::string_view piece_;
  std::size_t feed_ = 0;
  std::size_t return_ = 0;  // at most feed_
};

}  // namespace mcptrace::mcp
