// From the bytes of a line to Messages: the handler that tells json::Scanner what is worth looking at.
//
// Fed as the bytes pass, in pieces of any size; it keeps a few KiB of fixed buffers and allocates nothing after
// construction. One object a direction, used by one relay thread.
//
//   MessageScanner scanner(Direction::kClientToServer, key, options);
//   scanner.feed(piece);                  // any number of times
//   scanner.end_line(line_bytes, sink);   // at the newline: calls sink.on_message() once, for a batch once an element,
//                                         // and sink.on_declared() for the tools of a tools/list result before it
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/keyed_hash.h"
#include "mcp/message.h"
#include "mcp/splice.h"

namespace mcptrace::mcp {

// Who takes the messages. Called on the relay thread.
class MessageSink {
 public:
  virtual ~MessageSink() = default;
  // A complete message. `map` is null for elements of a batch and for what is no whole JSON object. Elements of a batch
  // that are no objects come last, at most 1,000 of them.
  virtual void on_message(const Message& message, const SpliceMap* map) = 0;
  // The tools that a tools/list result names, each once its object is over, at most 64 a call, before that result's
  // on_message(). A line that turns out to be no JSON after all may have named some.
  virtual void on_declared(std::span<const DeclaredTool> tools) = 0;
};

struct ScanOptions {
  // Keys of params._meta that name a conversation, in order of preference.
  std::vector<std::string> conversation_keys;
};
// The keys that real clients use.
std::vector<std::string> default_conversation_keys();

class MessageScanner {
 public:
  // `key` must outlive the scanner.
  MessageScanner(Direction direction, const HashKey& key, ScanOptions options);
  ~MessageScanner();
  MessageScanner(MessageScanner&&) noexcept;
  MessageScanner& operator=(MessageScanner&&) noexcept;

  // Bytes of the current line, without its newline. Elements of a batch are given to the sink as they end, as are
  // declared tools, hence the sink here.
  void feed(std::string_view piece, MessageSink& sink);
  // The line is over; `line_bytes` counts its newline. Blank lines give nothing.
  void end_line(std::uint64_t line_bytes, MessageSink& sink);
  // The line turned out to be none: what was fed since the last end is forgotten. What the sink has already got stays.
  void discard();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mcptrace::mcp
