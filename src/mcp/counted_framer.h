// Stdio that is framed by Content-Length, as LSP's is, in place of lines: told by how the stream begins, then taken
// apart into bodies, each of them scanned as a line would be. Only looks: the bytes go on elsewhere, as they came.
// Fixed memory; what cannot be followed any more is passed over. Used by the two framers, on their threads.
//
//   frame = *( field ":" value CRLF ) CRLF body      with a Content-Length among the fields; a bare LF will do
//
//   CountedFramer counted;
//   if (counted.undecided()) counted.look(bytes, scanner);     // the stream's first bytes
//   if (counted.is_counted()) counted.feed(bytes, scanner);    // all that follow; then scanner.next()
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "mcp/message_scanner.h"

namespace mcptrace::mcp {

class CountedFramer {
 public:
  [[nodiscard]] bool undecided() const { return state_ == State::kBeginning; }
  [[nodiscard]] bool is_counted() const { return state_ > State::kLines; }

  // While undecided(): the stream's first bytes, in order, in pieces of any size. True: now it is_counted(). What was
  // scanned of its beginning, as if it were a line, is forgotten, and what belongs to the head is taken off `bytes`.
  bool look(std::string_view& bytes, MessageScanner& scanner);
  // Only if is_counted(). Takes off `bytes` what comes before a body, and as much of the body as is there for the
  // scanner. Messages have kCounted set; their bytes are those of the frame.
  void feed(std::string_view& bytes, MessageScanner& scanner);

 private:
  enum class State : std::uint8_t { kBeginning, kLines, kHead, kBody, kLost };

  void head(std::string_view& bytes);
  void end_field();
  void body(std::string_view& bytes, MessageScanner& scanner);

  State state_ = State::kBeginning;
  std::array<char, 64> line_;  // of the head: as much of it as matters
  std::size_t line_size_ = 0;  // as long as it is
  std::uint64_t head_size_ = 0;
  std::optional<std::uint64_t> length_;
  std::uint64_t left_ = 0;  // of the body
};

}  // namespace mcptrace::mcp
