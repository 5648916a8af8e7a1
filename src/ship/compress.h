// Bodies of requests, compressed: gzip (RFC 1952) and Zstandard (RFC 8878). One object a thread; its memory is kept
// from one to the next.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mcptrace::ship {

class Compressor {
 public:
  Compressor();
  ~Compressor();
  Compressor(Compressor&&) noexcept;

  // Appends to `out`. Error: there is no memory for it.
  Result<> gzip(std::string_view bytes, std::string& out);
  Result<> zstd(std::string_view bytes, std::string& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mcptrace::ship
