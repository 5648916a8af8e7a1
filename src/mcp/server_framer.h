// The server's half: cuts into lines, or into bodies framed by Content-Length, what was already written
// on, and has each scanned. Keeps no bytes.
//
//   framer.passed(bytes);
//   while (const Found* found = framer.next()) …
#pragma once

#include "mcp/counted_framer.h"
#include "mcp/message_scanner.h"

namespace mcptrace::mcp {

class ServerFramer {
 public:
  // `key` must outlive the framer.
  explicit ServerFramer(const HashKey& key) : scanner_(Direction::kServerToClient, key) {}
  // Bytes that passed. They stay valid until next() has given null.
  void passed(std::string_view bytes) { bytes_ = bytes; }
  // End of file: a last line without newline counts as a line.
  void end();
  // What ended in these bytes, one after the other. Null: that was all.
  const Found* next();
  // The stream has proved to be framed by Content-Length.
  [[nodiscard]] bool is_counted() const { return counted_.is_counted(); }

 private:
  void feed_line();

  CountedFramer counted_;
  MessageScanner scanner_;
  std::string_view bytes_;  // what was not looked at yet
  std::uint64_t line_bytes_ = 0;
};

}  // namespace mcptrace::mcp
