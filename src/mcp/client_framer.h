// The client's half of a stdio relay, without I/O: bytes in as they were read, pieces out as they go on.
//
// Cuts the stream into lines, has each scanned, and holds a line back until it is complete, 1 MiB long or 20 ms old, so
// that it can be injected; what was not complete by then goes on as it is. Every byte goes on, in order; with `inject`
// off nothing is ever held, nor of a stream that is framed by Content-Length (counted_framer.h). Memory is bounded
// whatever comes. One object, one thread; no clock: the caller says what time it is.
//
//   std::span<char> room = framer.room();  // read(2) into it
//   framer.arrived(n, now);
//   while (const Message* message = framer.next()) …framer.inject(injection) if it may() be…
//   while (!framer.ready().empty()) { …writev(2) all of framer.ready()…; framer.sent(); …next() as above… }
//
//   if (auto at = framer.deadline()) …poll(2) until then, and framer.on_time(now), next() as above
//
//   framer.end(now);                       // end of file: what is held becomes ready by next()
//
// At most 1,000 pieces are ready at a time.
#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/page_buffer.h"
#include "mcp/counted_framer.h"
#include "mcp/message_scanner.h"
#include "mcp/splice.h"

namespace mcptrace::mcp {

inline constexpr std::size_t kHoldBytes = 1 << 20;
inline constexpr Nanos kHoldTime = std::chrono::milliseconds(20);

class ClientFramer {
 public:
  // `key` must outlive the framer.
  ClientFramer(const HashKey& key, bool inject);

  std::span<char> room();  // never empty; at least 64 KiB unless a line is held
  void arrived(std::size_t count, Instant now);
  // The next message, before its bytes become ready; valid until the next call. Null: that was all for now. To be asked
  // until then after each arrived(), sent(), on_time() and end(), before anything else.
  const Message* next();
  // Of that message: NotInjected::kNone if it can be injected.
  [[nodiscard]] NotInjected may() const { return may_; }
  // Injects it, if it may().
  void inject(const Injection& injection);
  [[nodiscard]] Instant now() const { return now_; }  // what the caller said last

  [[nodiscard]] std::span<const iovec> ready() const { return pieces_; }
  void sent();                                          // all of ready() was taken; there may be more
  [[nodiscard]] std::optional<Nanos> deadline() const;  // on the boot clock; nothing held = none
  void on_time(Instant now) { now_ = now; }
  void end(Instant now);
  // From now on nothing is held, nor injected.
  void stop_injecting(NotInjected why);

 private:
  [[nodiscard]] bool has_room() const;
  [[nodiscard]] NotInjected judge(const Message& message) const;
  bool feed();
  bool feed_end();
  void finish_line();
  void release_if_due();
  void emit_to(std::size_t end);
  void emit_edited();
  bool make_room_to_insert();
  void insert(std::string_view text);
  void compact();
  void give_back();

  MessageScanner scanner_;
  CountedFramer counted_;
  bool inject_;
  NotInjected off_ = NotInjected::kOff;  // why not
  Instant now_;
  bool ended_ = false;

  // [0, emitted) is ready to go, [emitted, scanned) is the held beginning of a line, [scanned, filled) has not been
  // looked at because the list of pieces is full.
  PageBuffer buffer_;
  std::size_t emitted_ = 0, scanned_ = 0, filled_ = 0;
  std::size_t high_water_ = 0;
  std::vector<iovec> pieces_;
  std::string inserted_;  // what pieces_ insert

  // The line that is under way.
  std::uint64_t line_bytes_ = 0;
  Nanos line_since_{};                         // when its first byte came
  NotInjected released_ = NotInjected::kNone;  // why some of it went on before its end
  bool line_over_ = false;                     // it is complete, and what it came to is being given
  const SpliceMap* map_ = nullptr;             // of the message that was given
  NotInjected may_ = NotInjected::kNone;
  bool edited_ = false;  // edits_ are for it
  Edits edits_;
};

}  // namespace mcptrace::mcp
