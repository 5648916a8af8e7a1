// HTTP/1.1 messages out of a byte stream, without I/O: heads, and bodies freed of their framing. Strict: what two
// parsers could read in two ways is refused, not repaired (RFC 9112).
//
// One event at a time; the caller keeps what was not consumed and gives it again, with more behind it. A head is
// parsed only when it is there as a whole, in one piece of memory, and borrows from that; nothing is consumed until
// then.
//
//   RequestParser parser;
//   for (;;) {
//     std::size_t used = 0;
//     switch (parser.next(unread, used)) { kHead: parser.head()…; kBody: parser.body()…; kEnd: …; kNeedMore: read more
//     } unread.remove_prefix(used);
//   }
//
// One object, one thread; reused by reset(). Allocates only until its field table has grown.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "http/head.h"

namespace mcptrace::http {

inline constexpr std::size_t kMaxHeadBytes = 64 << 10;
inline constexpr std::size_t kMaxTargetBytes = 16 << 10;
inline constexpr std::size_t kMaxFields = 200;

enum class ParseEvent : std::uint8_t { kNeedMore, kHead, kBody, kEnd, kBad };

// Why a message was refused, with the status that a client gets for it.
struct ParseProblem {
  int status = 400;       // 400, 405 (CONNECT), 414, 431, 501 (a transfer coding we do not know), 505
  std::string_view what;  // static text, one clause, no content: "two Content-Length fields differ"
};

class RequestParser {
 public:
  RequestParser();
  ~RequestParser();
  RequestParser(RequestParser&&) noexcept;
  RequestParser& operator=(RequestParser&&) noexcept;

  void reset();  // for the next message of the connection
  // kHead once, then kBody any number of times, then kEnd; after kBad only reset(). `used`: bytes of `input` that are
  // done with.
  ParseEvent next(std::string_view input, std::size_t& used);
  [[nodiscard]] const RequestHead& head() const;  // after kHead, while the bytes it was parsed from live
  // They live on as a copy: what began at `from` is at `to`. The old ones still live.
  void head_moved(const char* from, const char* to);
  [[nodiscard]] std::string_view body() const;  // after kBody: a piece of `input`, never empty
  [[nodiscard]] const ParseProblem& problem() const;
  [[nodiscard]] bool head_done() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

class ResponseParser {
 public:
  ResponseParser();
  ~ResponseParser();
  ResponseParser(ResponseParser&&) noexcept;
  ResponseParser& operator=(ResponseParser&&) noexcept;

  // `to_head`: the request was HEAD, so the answer has no body whatever it says. 1xx heads come as kHead followed by
  // kEnd; the caller resets for the final one (101 too: we never ask for an upgrade).
  void reset(bool to_head);
  ParseEvent next(std::string_view input, std::size_t& used);
  // The connection ended: kEnd if the body was one that lasts until then, else kBad (the message was cut).
  ParseEvent end_of_stream();
  [[nodiscard]] const ResponseHead& head() const;
  [[nodiscard]] std::string_view body() const;
  [[nodiscard]] const ParseProblem& problem() const;
  [[nodiscard]] bool head_done() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mcptrace::http
