// Reads a copy of an encoded body (RFC 9110 8.4.1: gzip, deflate, br; RFC 8878: zstd), so that a tap can look into what
// passes as it came. Streaming: whatever can be decoded from the bytes so far is handed out at once, as an event stream
// needs.
//
// Bounded: in decoded bytes, in the ratio to what was fed, and in memory (the format's window: gzip and deflate 48 KiB,
// zstd 8 MiB, br 16 MiB, each only as far as the body fills it). After an error a decoder stays in it: that body is
// unobserved. No I/O, no clock; one object a body, one thread.
//
//   auto decoder = ContentDecoder::make(head.value(FieldName::kContentEncoding));   // null: a coding that we do not
//   read auto fed = decoder->feed(piece, [&](std::string_view text) { … });              // any number of times auto
//   whole = decoder->end();
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "base/result.h"

namespace mcptrace::http {

// Decoding runs on the thread that moves the traffic, so what a few bytes can cost it is bounded, too.
struct DecodeLimits {
  std::uint64_t bytes = 64 << 20;      // decoded, of one body
  std::uint64_t ratio = 100;           // decoded to fed bytes,
  std::uint64_t free_bytes = 1 << 20;  // beyond this many decoded bytes
};

// Whether a Content-Encoding says that the body is encoded at all: neither empty nor `identity`.
bool is_encoded(std::string_view content_encoding);

class ContentDecoder {
 public:
  // Takes decoded pieces, never empty ones.
  using Sink = std::function<void(std::string_view)>;

  // `content_encoding`: the field's value. Null if it is no single coding that we read (nor `identity`).
  static std::unique_ptr<ContentDecoder> make(std::string_view content_encoding, DecodeLimits limits = {});
  ~ContentDecoder();

  // kCorrupt: not what the coding says. kLimit: decodes to too much. kUnsupported: wants a dictionary or a larger
  // window. What was handed out before stays valid. Bytes behind the end of the encoded data are passed over.
  Result<> feed(std::string_view bytes, const Sink& sink);
  // The body is over: kCorrupt if the encoded data is not. A body without any bytes is whole.
  Result<> end() const;

  class Codec;  // one format

 private:
  ContentDecoder(std::unique_ptr<Codec> codec, DecodeLimits limits);

  Result<> stop(Errc code, std::string_view why);

  std::unique_ptr<Codec> codec_;
  DecodeLimits limits_;
  std::uint64_t fed_ = 0, decoded_ = 0;
  enum class State : std::uint8_t {
    kGoing,
    kDone,     // at the end of the encoded data, or of a part of it
    kPast,     // something else came behind it
    kStopped,  // by an error
  };
  State state_ = State::kGoing;
  Errc stopped_code_ = Errc::kCorrupt;
  std::string_view stopped_;  // why
};

}  // namespace mcptrace::http
