// A chunked body (RFC 9112 7.1) out of a byte stream: the data of its chunks, piece by piece. Sizes are strict,
// extensions and trailers are read for their end only, and bounded. Keeps nothing but its state; one object, one
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mcptrace::http {

class ChunkReader {
 public:
  enum class Event : std::uint8_t { kNeedMore, kPiece, kEnd, kBad };

  void reset() { *this = {}; }
  // Goes on to the next piece of data in `input`, of which `used` bytes are then done with. After kEnd and kBad: the
  // same again.
  Event next(std::string_view input, std::size_t& used);
  [[nodiscard]] std::string_view piece() const { return piece_; }      // after kPiece; never empty
  [[nodiscard]] std::string_view problem() const { return problem_; }  // after kBad; static text

 private:
  enum class State : std::uint8_t {
    kSizeStart,
    kSize,
    kExtension,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailerStart,
    kTrailerName,
    kTrailerValue,
    kTrailerLf,
    kLastLf,
    kEnd,
    kBad,
  };

  void bad(std::string_view what);
  void step(char byte);
  void step_size(char byte);
  void step_trailer(char byte);

  State state_ = State::kSizeStart;
  std::uint64_t left_ = 0;      // of the chunk's data
  std::size_t line_bytes_ = 0;  // of the line with the size
  std::size_t trailer_bytes_ = 0;
  std::string_view piece_, problem_;
};

}  // namespace mcptrace::http
