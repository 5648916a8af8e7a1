// For the tests of this folder: what keeps what is found, a text form of messages to compare them by, and a
// strict little JSON checker that shares nothing with the scanner.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mcp/long_hash.h"
#include "mcp/message_scanner.h"
#include "mcp/splice.h"

namespace mcptrace::mcp {

inline const HashKey& test_key() {
  static const HashKey key({1, 2, 3});
  return key;
}

inline MessageScanner test_scanner(Direction direction = Direction::kClientToServer) { return {direction, test_key()}; }

// The keyed hash that a message carries of `text`.
inline std::uint64_t print_of(std::string_view domain, std::string_view text) {
  LongHash hash(test_key(), domain);
  hash.update(text);
  return hash.finish();
}

// All of a message, one field after the other.
std::string describe(const Message& message);
std::string describe(const SpliceMap& map);

struct Recorded {
  Message message;  // its texts point into `texts`
  std::vector<std::string> texts;
  std::optional<SpliceMap> map;
  [[nodiscard]] std::string_view operator[](Text which) const { return texts[static_cast<std::size_t>(which)]; }
};

struct Recording {
  void add(const Found& found);
  // All that there is.
  template <class Framer>
  void take(Framer& framer) {
    while (const Found* found = framer.next()) add(*found);
  }

  std::vector<Recorded> messages;
  std::vector<DeclaredTool> declared;
  std::string log;  // describe() of everything, in order
};

// The messages of one line.
Recording scan_line(std::string_view line, Direction direction = Direction::kClientToServer);
// Of one line that is one message.
Recorded scan_one(std::string_view line, Direction direction = Direction::kClientToServer);

bool is_json(std::string_view text);

}  // namespace mcptrace::mcp
