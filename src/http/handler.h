// What stands on the server half of this folder: a handler answers the requests of one client connection, one after the
// other. Relay thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/clock.h"
#include "http/message_parser.h"
#include "http/peer.h"
#include "http/stream.h"

namespace mcptrace::http {

// How the client's connection goes on after a request.
enum class After : std::uint8_t {
  kReuse,   // with the next request
  kFinish,  // it is closed in order: FIN, and some patience with what the client still sends
  kClose,   // at once: nobody is there any more, or the answer was cut so
  kReset,
};

class Handler {
 public:
  virtual ~Handler() = default;
  // `parser` has a head, whose bytes are the first `head_size` of the client's unread ones.
  virtual Async<After> run(RequestParser& parser, std::size_t head_size, Instant first_byte) = 0;
  // The server is ending: what it does not wait for is to end. Between requests, too.
  virtual void drain() = 0;
  // What is under way ends: run() returns once the signal is fired. Between requests, too.
  virtual void stop() = 0;
};

// One for each connection. `signal` is fired by all that happens to `client`; what a handler waits for beside that is
// to fire it, too. References outlive the handler.
using MakeHandler = std::function<std::unique_ptr<Handler>(Stream& client, Signal& signal, const PeerAddress& peer)>;

}  // namespace mcptrace::http
