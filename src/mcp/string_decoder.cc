#include "mcp/string_decoder.h"

#include "base/text.h"
#include "base/utf8.h"
#include "json/text.h"

namespace mcptrace::mcp {
namespace {

constexpr char32_t kReplacement = 0xfffd;

template <class Bytes>
void put(char32_t point, Bytes& out) {
  out.size += encode_utf8(point, out.data.data() + out.size);
}

}  // namespace

void StringDecoder::step(char byte, Bytes& out) {
  switch (state_) {
    case State::kPlain:  // only ever a backslash
      state_ = State::kEscape;
      return;
    case State::kEscape:
      escape(byte, out);
      return;
    case State::kHex: {
      const int digit = hex_value(byte);
      if (digit >= 0) {
        value_ = value_ << 4 | static_cast<std::uint32_t>(digit);
        if (++digits_ == 4) unit(value_, out);
        return;
      }
      abandon(out);
      break;
    }
    case State::kAfterHigh:
      if (byte == '\\') {
        state_ = State::kEscape;
        return;
      }
      abandon(out);
      break;
  }
  // The byte ended a broken sequence and is none of it.
  if (byte == '\\') {
    state_ = State::kEscape;
  } else {
    out.data[out.size++] = byte;
  }
}

void StringDecoder::escape(char byte, Bytes& out) {
  if (byte == 'u') {
    state_ = State::kHex;
    digits_ = 0;
    value_ = 0;
    return;
  }
  drop_high(out);
  state_ = State::kPlain;
  if (const auto meant = json::unescaped(byte)) {
    out.data[out.size++] = *meant;
  } else {
    put(kReplacement, out);
  }
}

void StringDecoder::unit(std::uint32_t value, Bytes& out) {
  state_ = State::kPlain;
  if (high_ != 0 && value >= 0xdc00 && value <= 0xdfff) {
    put(0x10000 + ((high_ - 0xd800) << 10) + (value - 0xdc00), out);
    high_ = 0;
    return;
  }
  drop_high(out);
  if (value >= 0xd800 && value <= 0xdbff) {
    high_ = value;
    state_ = State::kAfterHigh;
  } else {
    put(value >= 0xdc00 && value <= 0xdfff ? kReplacement : value, out);
  }
}

void StringDecoder::drop_high(Bytes& out) {
  if (high_ != 0) put(kReplacement, out);
  high_ = 0;
}

void StringDecoder::abandon(Bytes& out) {
  drop_high(out);
  if (state_ == State::kEscape || state_ == State::kHex) put(kReplacement, out);
  state_ = State::kPlain;
}

}  // namespace mcptrace::mcp
