// Is a stream UTF-8? Told of text that comes in pieces of any size; how it is cut never changes what comes out. A few
// words of state, one object a stream.
//
//   Utf8Check check;
//   bool valid = check.feed(piece);   // any number of times
//   valid &= !check.inside();         // at the end: no character was cut off
#pragma once

#include <cstdint>
#include <string_view>

namespace mcptrace::json {

class Utf8Check {
 public:
  // False: the piece holds what is none (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF). Goes on
  // behind it.
  bool feed(std::string_view piece);
  // In the middle of a character.
  [[nodiscard]] bool inside() const { return left_ != 0; }

 private:
  bool step(std::uint8_t byte);

  std::uint8_t left_ = 0;                  // bytes that the character lacks
  std::uint8_t low_ = 0x80, high_ = 0xbf;  // between which the next of them must be
};

}  // namespace mcptrace::json
