#include "http/chunk_reader.h"

#include <algorithm>

#include "base/text.h"
#include "http/field_table.h"

namespace mcptrace::http {
namespace {

constexpr std::size_t kMaxLineBytes = 512;
constexpr std::size_t kMaxTrailerBytes = 8 << 10;
constexpr std::uint64_t kMaxChunk = std::uint64_t{1} << 60;  // one digit less than what overflows a reader's 64 bits

constexpr bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }

}  // namespace

void ChunkReader::bad(std::string_view what) {
  problem_ = what;
  state_ = State::kBad;
}

ChunkReader::Event ChunkReader::next(std::string_view input, std::size_t& used) {
  used = 0;
  while (true) {
    if (state_ == State::kEnd) return Event::kEnd;
    if (state_ == State::kBad) return Event::kBad;
    if (used == input.size()) return Event::kNeedMore;
    if (state_ != State::kData) {
      step(input[used++]);
      continue;
    }
    const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size() - used));
    piece_ = input.substr(used, size);
    used += size;
    left_ -= size;
    if (left_ == 0) state_ = State::kDataCr;
    return Event::kPiece;
  }
}

void ChunkReader::step(char byte) {
  switch (state_) {
    case State::kSizeStart:
    case State::kSize:
    case State::kExtension:
    case State::kSizeLf:
      return step_size(byte);
    case State::kDataCr:
      if (byte != '\r') return bad("a chunk's data does not end in CR LF");
      state_ = State::kDataLf;
      return;
    case State::kDataLf:
      if (byte != '\n') return bad("a chunk's data does not end in CR LF");
      state_ = State::kSizeStart;
      return;
    default:
      return step_trailer(byte);
  }
}

// chunk-size [ chunk-ext ] CRLF
void ChunkReader::step_size(char byte) {
  if (state_ == State::kSizeStart) line_bytes_ = 0;
  if (++line_bytes_ > kMaxLineBytes) return bad("a chunk's size line is too long");
  if (state_ == State::kSizeLf) {
    if (byte != '\n') return bad("a CR without LF behind a chunk size");
    state_ = left_ == 0 ? State::kTrailerStart : State::kData;
    return;
  }
  if (state_ == State::kExtension) {
    if (byte == '\r') {
      state_ = State::kSizeLf;
    } else if (is_control(byte)) {
      bad("a control character in a chunk extension");
    }
    return;
  }
  if (const int digit = hex_value(byte); digit >= 0) {
    if (left_ >= kMaxChunk / 16) return bad("a chunk size is too large");
    left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
    state_ = State::kSize;
  } else if (state_ == State::kSizeStart) {
    bad("a chunk size is not a hexadecimal number");
  } else if (byte == '\r') {
    state_ = State::kSizeLf;
  } else if (byte == ';') {
    state_ = State::kExtension;
  } else {
    bad("a chunk size is not a hexadecimal number");
  }
}

// *( field-line CRLF ) CRLF; the fields are not ours to keep.
void ChunkReader::step_trailer(char byte) {
  if (++trailer_bytes_ > kMaxTrailerBytes) return bad("the trailer fields are too long");
  switch (state_) {
    case State::kTrailerStart:
    case State::kTrailerName:
      if (state_ == State::kTrailerStart && byte == '\r') {
        state_ = State::kLastLf;
      } else if (state_ == State::kTrailerName && byte == ':') {
        state_ = State::kTrailerValue;
      } else if (is_token_byte(byte)) {
        state_ = State::kTrailerName;
      } else {
        bad("a trailer field's name is not a token directly followed by a colon");
      }
      return;
    case State::kTrailerValue:
      if (byte == '\r') {
        state_ = State::kTrailerLf;
      } else if (is_control(byte)) {
        bad("a control character in a trailer field");
      }
      return;
    case State::kTrailerLf:
    case State::kLastLf:
      if (byte != '\n') return bad("a CR without LF in the trailer fields");
      state_ = state_ == State::kLastLf ? State::kEnd : State::kTrailerStart;
      return;
    default:
      return;
  }
}

}  // namespace mcptrace::http
