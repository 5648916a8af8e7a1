// The server's half: cuts into lines, or into bodies framed by Content-Length, what was already written
// on, and has each scanned. Keeps no bytes.
#pragma once

#include "mcp/counted_framer.h"
#include "mcp/message_scanner.h"

namespace mcptrace::mcp {

class ServerFramer {
 public:
  explicit ServerFramer(MessageScanner scanner) : scanner_(std::move(scanner)) {}
  // Bytes that passed. The sink gets every message that ended in them.
  void passed(std::string_view bytes, MessageSink& sink);
  // End of file: a last line without newline counts as a line.
  void end(MessageSink& sink);
  // The stream has proved to be framed by Content-Length.
  [[nodiscard]] bool is_counted() const { return counted_.is_counted(); }

 private:
  CountedFramer counted_;
  MessageScanner scanner_;
  std::uint64_t line_bytes_ = 0;
};

}  // namespace mcptrace::mcp
