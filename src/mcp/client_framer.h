// The client's half of a stdio relay, without I/O: bytes in as they were read, pieces out as they go on.
//
// Cuts the stream into lines, has each scanned, and holds a line back until it is complete, 1 MiB long or 20 ms old, so
// that it can be injected; what was not complete by then goes on as it is. Every byte goes on, in order; with `inject`
// off nothing is ever held, nor of a stream that is framed by Content-Length (counted_framer.h). Memory is bounded
// whatever comes. One object, one thread; no clock: the caller says what time it is.
//
//   std::span<char> room = framer.room();            // read(2) into it
//   framer.arrived(n, now);                          // scans; calls the decider for each message
//   while (!framer.ready().empty()) { …writev(2) all of framer.ready()…; framer.sent(); }
//
//   if (auto at = framer.deadline()) …poll(2) until then, and framer.on_time(now)
//
//   framer.end(now);                                 // end of file: what is held becomes ready
//
// At most 1,000 pieces are ready at a time.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/clock.h"
#include "mcp/message_scanner.h"
#include "mcp/splice.h"

namespace mcptrace::mcp {

inline constexpr std::size_t kHoldBytes = 1 << 20;
inline constexpr Nanos kHoldTime = std::chrono::milliseconds(20);

// Places a client's messages in sessions and traces, and hands the facts over. Called on the relay thread, before the
// message's bytes become ready.
class ClientDecider {
 public:
  virtual ~ClientDecider() = default;
  // `may` is what the framer found: NotInjected::kNone if an injection returned here will be made. Fills `injection`
  // (its views stay valid until the next call) and returns true to inject.
  virtual bool on_message(const Message& message, NotInjected may, Instant at, Injection& injection) = 0;
  virtual void on_declared(std::span<const DeclaredTool> tools, Instant at) = 0;
};

class ClientFramer {
 public:
  // `scanner` is for Direction::kClientToServer. `decider` must outlive the framer.
  ClientFramer(MessageScanner scanner, ClientDecider& decider, bool inject);
  ~ClientFramer();

  std::span<char> room();  // never empty; at least 64 KiB unless a line is held
  void arrived(std::size_t count, Instant now);
  std::span<const iovec> ready();
  void sent();                                          // all of ready() was taken; there may be more
  [[nodiscard]] std::optional<Nanos> deadline() const;  // on the boot clock; nothing held = none
  void on_time(Instant now);
  void end(Instant now);
  // From now on nothing is held, nor injected.
  void stop_injecting(NotInjected why);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mcptrace::mcp
