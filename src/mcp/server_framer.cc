#include "mcp/server_framer.h"

namespace mcptrace::mcp {

void ServerFramer::passed(std::string_view bytes, MessageSink& sink) {
  if (counted_.undecided()) {
    const std::size_t taken = counted_.look(bytes);
    if (counted_.is_counted()) {
      bytes.remove_prefix(taken);
      scanner_.discard();
      line_bytes_ = 0;
    }
  }
  if (counted_.is_counted()) return counted_.passed(bytes, scanner_, sink);
  while (!bytes.empty()) {
    const auto newline = bytes.find('\n');
    const bool whole = newline != std::string_view::npos;
    const auto piece = bytes.substr(0, newline);
    if (!piece.empty()) scanner_.feed(piece, sink);
    const std::size_t taken = piece.size() + (whole ? 1 : 0);
    line_bytes_ += taken;
    bytes.remove_prefix(taken);
    if (!whole) return;
    scanner_.end_line(line_bytes_, sink);
    line_bytes_ = 0;
  }
}

void ServerFramer::end(MessageSink& sink) {
  if (line_bytes_ == 0) return;
  scanner_.end_line(line_bytes_, sink);
  line_bytes_ = 0;
}

}  // namespace mcptrace::mcp
