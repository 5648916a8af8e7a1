// The steps that all kernels have in common, after the compares and before the masks. Included by the kernel*.cc only.
#pragma once

#include <bit>
#include <cstring>

#include "json/kernel.h"

namespace mcptrace::json {

// Which bytes of 64 compare equal, strings or not.
struct RawMasks {
  std::uint64_t quotes;
  std::uint64_t backslashes;
  std::uint64_t opens;
  std::uint64_t closes;
  std::uint64_t not_ascii;  // not zero: one of the bytes loaded is none
};

// '[' and '{', ']' and '}' differ in one bit only, and no other byte becomes one of them by setting it.
inline constexpr char kBracketBit = 0x20;
inline constexpr char kOpen = '{';
inline constexpr char kClose = '}';

// The bytes after the last whole block, where they can be loaded as 64: the input's own last 64 bytes, or a padded copy
// of it.
struct Tail {
  char padded[kBlockBytes];
  const char* load;
  unsigned shift;  // masks of `load` must be shifted right by this

  [[gnu::always_inline]] Tail(const char* data, std::size_t size) {
    const std::size_t length = size % kBlockBytes;
    if (size >= kBlockBytes) {
      load = data + size - kBlockBytes;
      shift = static_cast<unsigned>(kBlockBytes - length);
    } else {
      std::memset(padded, ' ', sizeof(padded));
      std::memcpy(padded, data, size);
      load = padded;
      shift = 0;
    }
  }
};

[[gnu::always_inline]] inline RawMasks shifted(RawMasks raw, unsigned by) {
  return {raw.quotes >> by, raw.backslashes >> by, raw.opens >> by, raw.closes >> by, raw.not_ascii};
}

// The bytes that come after an odd run of backslashes, where they are no backslashes themselves. `length` is the number
// of bytes in the block, 1 to 64; sets `carry` for the byte after them.
//
// Adding a run's first bit to the run carries through it and comes out one past its end; whether start and end have the
// same parity says whether the run is even. Starts at even and at odd places are added apart, so that they can be told
// from each other.
[[gnu::always_inline]] inline std::uint64_t escaped_bytes(std::uint64_t backslashes, std::size_t length,
                                                          std::uint64_t& carry) {
  constexpr std::uint64_t kEvenPlaces = 0x5555555555555555;
  const std::uint64_t escaped_first = carry;
  if (backslashes == 0) {
    carry = 0;
    return escaped_first;
  }
  const std::uint64_t run = backslashes & ~escaped_first;
  const std::uint64_t starts = run & ~(run << 1);
  const std::uint64_t even_ends = (run + (starts & kEvenPlaces)) & ~run;
  const std::uint64_t odd_sum = run + (starts & ~kEvenPlaces);
  const std::uint64_t odd_ends = odd_sum & ~run;
  const std::uint64_t escaped = (even_ends & ~kEvenPlaces) | (odd_ends & kEvenPlaces) | escaped_first;
  // A run to the last place is odd only if it starts at an odd one; the sum then overflows.
  carry = length == kBlockBytes ? static_cast<std::uint64_t>(odd_sum < run) : escaped >> length & 1;
  return escaped;
}

// Bit i of the result: an odd number of bits 0 to i is set.
[[gnu::always_inline]] inline std::uint64_t parity_so_far(std::uint64_t bits) {
  bits ^= bits << 1;
  bits ^= bits << 2;
  bits ^= bits << 4;
  bits ^= bits << 8;
  bits ^= bits << 16;
  bits ^= bits << 32;
  return bits;
}

[[gnu::always_inline]] inline void finish_block(const RawMasks& raw, std::uint64_t quotes, std::uint64_t parity,
                                                Carry& carry, Block& block) {
  const std::uint64_t in_string = parity ^ carry.in_string;
  carry.in_string = std::uint64_t{0} - (in_string >> 63);
  carry.not_ascii |= raw.not_ascii;
  block.quotes = quotes;
  block.backslashes = raw.backslashes;
  block.opens = raw.opens & ~in_string;
  block.closes = raw.closes & ~in_string;
}

#if defined(__x86_64__)
void classify_sse2(const char* data, std::size_t size, Carry& carry, Block* blocks);
void classify_avx2(const char* data, std::size_t size, Carry& carry, Block* blocks);
void classify_avx512(const char* data, std::size_t size, Carry& carry, Block* blocks);
std::size_t skip_avx2(const Block* blocks, std::size_t at, std::size_t size, std::uint64_t& depth);
#endif

}  // namespace mcptrace::json
