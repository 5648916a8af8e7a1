// Reads a copy of an encoded body (RFC 9110 8.4.1: gzip, deflate, br; RFC 8878: zstd), so that a tap can look into what
// passes as it came. Streaming: whatever can be decoded from the bytes so far is handed out at once, as an event stream
// needs.
//
// What a Content-Encoding says is not always so: servers write `none` or `utf-8` there, or name a coding that they did
// not apply. So the body's first bytes are looked at: plain text is handed out as it is.
//
// Bounded: in decoded bytes, in the ratio to what was fed, and in memory (the format's window: gzip and deflate 48 KiB,
// zstd 8 MiB, br 16 MiB, each only as far as the body fills it). After an error a decoder stays in it: that body is
// unobserved. No I/O, no clock; one object a body, one thread.
//
//   auto decoder = ContentDecoder::make(head.list(FieldName::kContentEncoding));
//   auto fed = decoder->feed(piece, [&](std::string_view text) { … });  // any number of times
//   auto whole = decoder->end();
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/hold_budget.h"

namespace mcptrace::http {

// Decoding runs on the thread that moves the traffic, so what a few bytes can cost it is bounded, too.
struct DecodeLimits {
  std::uint64_t bytes = 64 << 20;      // decoded, of one body
  std::uint64_t ratio = 100;           // decoded to fed bytes,
  std::uint64_t free_bytes = 1 << 20;  // beyond this many decoded bytes
};

// Whether a Content-Encoding says that the body is encoded at all: it names something but `identity`.
bool is_encoded(std::string_view content_encoding);

// What a body's first bytes are: the beginning of JSON or of an event stream, or nothing that a reader of text begins
// with. Unclear while there are fewer than kLookBytes of them and all is open.
enum class Look : std::uint8_t { kUnclear, kPlain, kCoded };
inline constexpr std::size_t kLookBytes = 12;
Look look_at(std::string_view begin);

class ContentDecoder {
 public:
  // Takes decoded pieces, never empty ones.
  using Sink = std::function<void(std::string_view)>;

  // `content_encoding`: the field's value. Of a coding that we do not read, or of several, only plain text is read.
  // What it remembers is taken from `budget`; null: there is none.
  static std::unique_ptr<ContentDecoder> make(std::string_view content_encoding, DecodeLimits limits = {},
                                              HoldBudget* budget = nullptr);
  ~ContentDecoder();

  // kCorrupt: neither what the coding says nor plain. kLimit: decodes to too much. kUnsupported: a coding that we do
  // not read, or it wants a dictionary or a larger window. kIo: there is no room for what it remembers. What was handed
  // out before stays valid. Bytes behind the end
  // of the encoded data are passed over.
  Result<> feed(std::string_view bytes, const Sink& sink);
  // The body is over: kCorrupt if the encoded data is not. A body without any bytes is whole. Plain text that is
  // shorter than kLookBytes is not handed out: no message is so short.
  Result<> end() const;
  // The body is plain, whatever it says.
  [[nodiscard]] bool is_plain() const { return state_ == State::kPlain; }

  class Codec;  // one format

 private:
  ContentDecoder(std::unique_ptr<Codec> codec, DecodeLimits limits);

  Result<> look(std::string_view bytes, const Sink& sink);
  Result<> decode(std::string_view bytes, const Sink& sink);
  Result<> stop(Errc code, std::string_view why);

  std::unique_ptr<Codec> codec_;  // null: a coding that we do not read
  DecodeLimits limits_;
  std::uint64_t fed_ = 0, decoded_ = 0;
  enum class State : std::uint8_t {
    kLooking,  // at the first bytes
    kPlain,
    kGoing,
    kDone,     // at the end of the encoded data, or of a part of it
    kPast,     // something else came behind it
    kStopped,  // by an error
  };
  State state_ = State::kLooking;
  std::string held_;  // kLooking: fewer than kLookBytes
  Errc stopped_code_ = Errc::kCorrupt;
  std::string_view stopped_;  // why
};

}  // namespace mcptrace::http
