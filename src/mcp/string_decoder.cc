#include "mcp/string_decoder.h"

namespace mcptrace::mcp {
namespace {

constexpr std::uint32_t kReplacement = 0xfffd;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

template <class Bytes>
void put(std::uint32_t point, Bytes& out) {
  const auto byte = [&](std::uint32_t value) { out.data[out.size++] = static_cast<char>(value); };
  if (point < 0x80) {
    byte(point);
  } else if (point < 0x800) {
    byte(0xc0 | point >> 6), byte(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    byte(0xe0 | point >> 12), byte(0x80 | (point >> 6 & 0x3f)), byte(0x80 | (point & 0x3f));
  } else {
    byte(0xf0 | point >> 18), byte(0x80 | (point >> 12 & 0x3f)), byte(0x80 | (point >> 6 & 0x3f));
    byte(0x80 | (point & 0x3f));
  }
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
      const int digit = hex_digit(byte);
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
  switch (byte) {
    case '"':
    case '\\':
    case '/':
      out.data[out.size++] = byte;
      return;
    case 'b':
      out.data[out.size++] = '\b';
      return;
    case 'f':
      out.data[out.size++] = '\f';
      return;
    case 'n':
      out.data[out.size++] = '\n';
      return;
    case 'r':
      out.data[out.size++] = '\r';
      return;
    case 't':
      out.data[out.size++] = '\t';
      return;
    default:
      put(kReplacement, out);
      return;
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
