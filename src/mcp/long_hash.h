// The keyed hash of a string of any length that comes in pieces, at a bounded price a byte.
//
// SHA-256 does 250 MB/s, too little for a relay that may meet a 100 MB error message. So the first 64 KiB go into the
// keyed hash as they are, and what follows as its length and a fast 64-bit mix. How the string is cut never matters.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/keyed_hash.h"

namespace mcptrace::mcp {

class LongHash {
 public:
  LongHash(const HashKey& key, std::string_view domain) : hash_(key, domain) {}
  void update(std::string_view bytes);
  std::uint64_t finish();

 private:
  void mix(std::string_view bytes);

  KeyedHash hash_;
  std::uint64_t total_ = 0;
  std::uint64_t mixed_ = 0;
  std::uint64_t word_ = 0;  // the bytes that do not make eight yet
};

}  // namespace mcptrace::mcp
