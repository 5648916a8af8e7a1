// What tracing makes of HTTP exchanges: it looks at heads and bodies as they pass, places the client's messages, says
// what is to be injected, and hands facts to the observer. No I/O, no clock, no failure that the relay could see; one
// relay thread.
//
// For each exchange the relay calls, in this order:
//   begin()        the request's head is in
//   whole_body()   if body_wish() was kWhole and the body is complete and at most kHoldBytes long: says what to change.
//                  Before anything of the request goes on.
//   not_held()     once, before the first body_piece(), where body_wish() was kWhole and the body is not held after all
//   body_piece()*, body_end()   instead of whole_body(). Before the bytes go on.
//   leads_away()   before that, if the answer redirects its client to where we are not
//   bad_head()     before response(), which then is our own
//   response()     the final answer's head is in (not 1xx); of an answer of our own it has a status and no fields
//   endpoint_leads_away()       before the piece that ends the event
//   response_piece()*           after the bytes went on to the client; freed of chunk framing, otherwise as they came
//   end()          once, whatever happened; then begin() of the next exchange on this connection
// and between begin() and end(), as soon as it is seen, client_left().
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/clock.h"
#include "http/head.h"
#include "http/hold_budget.h"
#include "http/peer.h"
#include "mcp/splice.h"

namespace mcptrace::proxy {

inline constexpr std::size_t kHoldBytes = 1 << 20;

enum class BodyWish : std::uint8_t {
  kNothing,  // not to be looked at
  kPieces,   // pass it on as it comes, and show it
  kWhole,    // hold it until it is complete, kHoldBytes at most
};

// What is to be changed before the request goes on.
struct Rewrite {
  const mcp::Edits* edits = nullptr;  // in the body; valid until the tap's next call
  // Replace the head's traceparent and tracestate fields by these (tracestate empty: by none); with an empty
  // traceparent the head's fields pass as they came.
  std::string_view traceparent, tracestate;
};

enum class ExchangeEnd : std::uint8_t {
  kComplete,      // the answer went on to its last byte
  kClientClosed,  // the client left before that, whether the answer came after it or not
  kServerClosed,  // the server's connection ended before the answer did
  kFailed,        // no answer was to be had: error_type says why, and the client got our 502 or 504
  kStopped,       // we ended it: the proxy's own end, and its patience with it, was over
  kClientLeft,    // the client had closed its side before, and took the answer to its last byte all the same
};

class ExchangeTap {
 public:
  virtual ~ExchangeTap() = default;

  // `route`: index into the options' routes. `target`: the request target as the upstream gets it.
  virtual void begin(const http::RequestHead& head, std::string_view target, std::size_t route,
                     const http::PeerAddress& client, Instant first_byte) = 0;
  [[nodiscard]] virtual BodyWish body_wish() const = 0;
  virtual Rewrite whole_body(std::string_view body, Instant at) = 0;
  // `why`: kTooLarge, or kNoRoom.
  virtual void not_held(mcp::NotInjected why) = 0;
  virtual void body_piece(std::string_view bytes) = 0;
  virtual void body_end(Instant at) = 0;
  virtual void leads_away() = 0;
  // The `endpoint` event that comes next names another origin.
  virtual void endpoint_leads_away() = 0;
  // The answer's head was refused; `why` is one of a fixed set of texts.
  virtual void bad_head(std::string_view why) = 0;
  // The client's side of the connection has ended. It may be half a connection's end, and the client wait for its
  // answer: end() tells.
  virtual void client_left(Instant at) = 0;
  virtual void response(const http::ResponseHead& head, Instant at) = 0;
  virtual void response_piece(std::string_view bytes, Instant at) = 0;
  // `error_type`: refused, dns, tls, timeout, reset, closed, truncated, bad_head, bad_framing, proxy (docs/spans.md);
  // empty for kComplete and kClientLeft.
  virtual void end(ExchangeEnd how, std::string_view error_type, Instant at) = 0;
};

// Where a proxy's taps come from.
class TapSource {
 public:
  virtual ~TapSource() = default;
  // One for each client connection, used for its exchanges one after the other.
  virtual std::unique_ptr<ExchangeTap> tap() = 0;
  // What bodies are held on.
  virtual http::HoldBudget& budget() = 0;
  // Bytes went on: the observer may be woken now, if it has to be.
  virtual void wake() = 0;
};

}  // namespace mcptrace::proxy
