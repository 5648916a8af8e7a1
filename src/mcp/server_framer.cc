#include "mcp/server_framer.h"

#include <utility>

namespace mcptrace::mcp {

const Found* ServerFramer::next() {
  while (true) {
    if (const Found* found = scanner_.next()) return found;
    if (bytes_.empty()) return nullptr;
    if (counted_.undecided() && counted_.look(bytes_, scanner_)) line_bytes_ = 0;
    if (counted_.is_counted()) {
      counted_.feed(bytes_, scanner_);
    } else {
      feed_line();
    }
  }
}

// As much of one as there is.
void ServerFramer::feed_line() {
  const auto newline = bytes_.find('\n');
  const bool whole = newline != std::string_view::npos;
  const auto piece = bytes_.substr(0, newline);
  const std::size_t taken = piece.size() + (whole ? 1 : 0);
  scanner_.feed(piece);
  line_bytes_ += taken;
  bytes_.remove_prefix(taken);
  if (whole) end();
}

void ServerFramer::end() {
  if (line_bytes_ != 0) scanner_.end_line(std::exchange(line_bytes_, 0));
}

}  // namespace mcptrace::mcp
