// Undoes the escapes of a JSON string that comes in pieces of any size; how it is cut never changes what comes out.
//
// Lone surrogates and bad escapes become U+FFFD, raw bytes pass as they are. No memory but its own few words.
//
//   decoder.feed(piece, out);   // any number of times; calls out(std::string_view) with decoded bytes
//   decoder.finish(out);        // what a cut-off escape leaves
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace mcptrace::mcp {

class StringDecoder {
 public:
  template <class Out>
  void feed(std::string_view raw, Out&& out) {
    while (!raw.empty()) {
      if (state_ == State::kPlain) {
        const auto run = raw.substr(0, raw.find('\\'));
        if (!run.empty()) out(run);
        raw.remove_prefix(run.size());
        if (raw.empty()) return;
      }
      Bytes bytes;
      step(raw.front(), bytes);
      raw.remove_prefix(1);
      if (bytes.size > 0) out(std::string_view(bytes.data.data(), bytes.size));
    }
  }
  template <class Out>
  void finish(Out&& out) {
    if (state_ == State::kPlain && high_ == 0) return;
    Bytes bytes;
    abandon(bytes);
    if (bytes.size > 0) out(std::string_view(bytes.data.data(), bytes.size));
  }

 private:
  // After a high surrogate the next escape may complete a pair.
  enum class State : std::uint8_t { kPlain, kEscape, kHex, kAfterHigh };
  struct Bytes {
    std::array<char, 12> data;
    std::size_t size = 0;
  };

  void step(char byte, Bytes& out);
  void escape(char byte, Bytes& out);
  void unit(std::uint32_t value, Bytes& out);
  void abandon(Bytes& out);
  void drop_high(Bytes& out);

  State state_ = State::kPlain;
  std::uint8_t digits_ = 0;
  std::uint32_t value_ = 0;
  std::uint32_t high_ = 0;  // a high surrogate that waits for its low one
};

}  // namespace mcptrace::mcp
