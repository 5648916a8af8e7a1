// From the bytes of a line to Messages: json::Scanner with the handler that tells it what is worth looking at.
//
// Fed as the bytes pass, in pieces of any size; it keeps a few KiB of fixed buffers and allocates nothing after
// construction. One object a direction, used by one relay thread.
//
//   MessageScanner scanner(Direction::kClientToServer, key);
//   scanner.feed(piece);           // any number of times
//   while (const Found* found = scanner.next()) …
//   scanner.end_line(line_bytes);  // at the newline, be it before or after the last piece's next()
//   while (const Found* found = scanner.next()) …
//
// Most is found at the line's end, once a line; elements of a batch and declared tools as they end.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/keyed_hash.h"
#include "json/scanner.h"
#include "mcp/message_handler.h"

namespace mcptrace::mcp {

class MessageScanner {
 public:
  // `key` must outlive the scanner.
  MessageScanner(Direction direction, const HashKey& key, ScanOptions options = {});
  MessageScanner(const MessageScanner&) = delete;
  MessageScanner& operator=(const MessageScanner&) = delete;

  // Bytes of the current line, without its newline. They stay valid until next() has given null, which it must have
  // done before.
  void feed(std::string_view piece) {
    MCPTRACE_CHECK(piece_.empty() && !ending_);
    piece_ = piece;
  }
  // The line is over with what was fed; `line_bytes` counts its newline. Blank lines give nothing.
  void end_line(std::uint64_t line_bytes) {
    ending_ = true;
    line_bytes_ = line_bytes;
  }
  // The next thing that the bytes so far came to. Null: that was all.
  const Found* next() { return piece_.empty() && !ending_ && !handler_.has_found() ? nullptr : look(); }
  // The line turned out to be none: what was fed since the last end is forgotten.
  void discard();
  // All messages from now on have this.
  void mark(MessageFlag flag) { handler_.mark(flag); }

 private:
  const Found* look();

  MessageHandler handler_;
  json::Scanner<MessageHandler> scanner_;
  std::string_view piece_;  // what was not looked at yet
  bool ending_ = false;
  std::uint64_t line_bytes_ = 0;
};

}  // namespace mcptrace::mcp
