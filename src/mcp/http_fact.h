// What HTTP adds to a fact: the exchange it belongs to, and what is known of that by then. Plain numbers, no strings: a
// fact carries it as it is. Made by the relay thread, read by the observer.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/ids.h"
#include "mcp/message.h"

namespace mcptrace::mcp {

enum class HttpMethod : std::uint8_t { kOther, kGet, kPost, kDelete, kHead, kPut, kOptions, kPatch };
// The challenge of a 401 or 403. Only these are ever named.
enum class AuthScheme : std::uint8_t { kNone, kBearer, kBasic, kDigest, kDpop, kNegotiate, kOther };
// How the exchange ended, as http::ExchangeEnd says; kOpen = not yet.
enum class HttpEnd : std::uint8_t { kOpen, kComplete, kClientClosed, kServerClosed, kFailed, kStopped, kClientLeft };
// Why there was no answer to be had.
enum class HttpError : std::uint8_t {
  kNone,
  kRefused,
  kDns,
  kTls,
  kTimeout,
  kReset,
  kClosed,
  kTruncated,   // it closed in the middle of an answer
  kBadHead,     // the answer's head was refused
  kBadFraming,  // ... or a chunk of its body
  kProxy,
  kOther,
};
// What the body of an answer to messages looked like.
enum class AnswerBody : std::uint8_t {
  kEmpty,
  kNotJson,
  kBrokenJson,  // it begins as JSON, and is not whole
  kReadable,    // JSON, or an event stream
};
// Why the answer's messages were not seen.
enum class BodyProblem : std::uint8_t { kNone, kEncoding, kTooLarge, kNoRoom };

enum HttpFlag : std::uint16_t {
  kBegins = 1u << 0,        // the first fact of its exchange: Fact::client is there
  kStreamed = 1u << 1,      // the answer is an event stream
  kHasEvents = 1u << 2,     // an event with an id came on it: it may be resumed
  kSseSession = 1u << 3,    // this exchange is the stream of an HTTP+SSE session: its `endpoint` event was seen
  kKnownSession = 1u << 4,  // the request named its session: a 404, or a DELETE that succeeds, ends it
  kOwnRoot = 1u << 5,       // an initialize that failed: its session ends with it
  kGuessed = 1u << 6,       // the session is guessed (docs/spans.md)
  kModernPeer = 1u << 7,    // by its protocol version header
  kLost = 1u << 8,          // some of what passed in it was not looked at, for want of memory
  kRedirects = 1u << 9,     // the answer sends its client elsewhere: what was asked was not carried out
};

struct CallerLink {
  TraceId trace_id;
  SpanId span_id;
};

struct HttpFact {
  std::uint64_t exchange = 0;  // serial, from 1
  // Where ids are unique: the explicit transport session, else this exchange. Already mixed into the ids and tokens of
  // the fact's message (scope_ids()).
  std::uint64_t scope = 0;
  std::uint64_t event = 0;    // of the event that the message came with, if it has an id; 0 = none
  std::uint64_t resumes = 0;  // of Last-Event-ID; 0 = none
  Instant began;              // the request's first byte
  Nanos answered{};           // boot clock: the answer's head; zero = not yet
  // Boot clock: the client's side of the connection has ended; zero = not yet. With `end` it is known what that meant:
  // kClientLeft, it took its answer all the same; kClientClosed, it was gone from then on.
  Nanos left{};
  std::string_view reason{};  // with kBadHead: one of a fixed set of texts
  std::array<CallerLink, 2> links{};
  std::uint16_t status = 0;  // of the answer; 0 = none yet
  std::uint16_t client_port = 0;
  std::uint16_t route = 0;
  std::uint16_t flags = 0;  // HttpFlag
  std::uint8_t link_count = 0;
  std::uint8_t minor_version = 1;
  HttpMethod method = HttpMethod::kOther;
  AuthScheme auth = AuthScheme::kNone;
  HttpEnd end = HttpEnd::kOpen;
  HttpError error = HttpError::kNone;
  BodyProblem problem = BodyProblem::kNone;
  AnswerBody body = AnswerBody::kEmpty;

  [[nodiscard]] bool has(HttpFlag flag) const { return (flags & flag) != 0; }
};

// Makes ids of one scope different from those of any other. Done twice it undoes itself.
inline void scope_id(RequestId& id, std::uint64_t scope) {
  if (!id.usable()) return;
  const std::uint64_t mix = (scope ^ (scope >> 29)) * 0x9e3779b97f4a7c15u;
  id.exact ^= mix;
  id.loose ^= mix;
}
inline void scope_ids(Message& message, std::uint64_t scope) {
  scope_id(message.id, scope);
  scope_id(message.related, scope);
}

}  // namespace mcptrace::mcp
