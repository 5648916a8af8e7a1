// Few bytes copied and compared, where a call costs more than that.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace mcptrace {
namespace internal {

// Two words that overlap. They go through variables, or else the compiler makes one copy of a computed size, which is a
// call, of the three.
template <class Word>
inline void copy_ends(char* to, const char* from, std::size_t size) {
  Word first, last;
  std::memcpy(&first, from, sizeof(Word));
  std::memcpy(&last, from + size - sizeof(Word), sizeof(Word));
  std::memcpy(to, &first, sizeof(Word));
  std::memcpy(to + size - sizeof(Word), &last, sizeof(Word));
}

}  // namespace internal

// memcpy(3) for what is mostly at most 32 bytes long; the end of the copy.
[[gnu::always_inline]] inline char* copy_bytes(char* to, const char* from, std::size_t size) {
  if (size > 32) [[unlikely]] {
    std::memcpy(to, from, size);
  } else if (size >= 16) {
    internal::copy_ends<std::array<std::uint64_t, 2>>(to, from, size);
  } else if (size >= 8) {
    internal::copy_ends<std::uint64_t>(to, from, size);
  } else if (size >= 4) {
    internal::copy_ends<std::uint32_t>(to, from, size);
  } else if (size >= 2) {
    internal::copy_ends<std::uint16_t>(to, from, size);
  } else if (size == 1) {
    *to = *from;
  }
  return to + size;
}

namespace internal {

template <class Word>
inline bool equal_ends(const char* a, const char* b, std::size_t size) {
  Word words[4];
  std::memcpy(&words[0], a, sizeof(Word));
  std::memcpy(&words[1], b, sizeof(Word));
  std::memcpy(&words[2], a + size - sizeof(Word), sizeof(Word));
  std::memcpy(&words[3], b + size - sizeof(Word), sizeof(Word));
  return ((words[0] ^ words[1]) | (words[2] ^ words[3])) == 0;
}

}  // namespace internal

// Are these `size` bytes, two at least, the same?
[[gnu::always_inline]] inline bool equal_bytes(const char* a, const char* b, std::size_t size) {
  if (size > 16) [[unlikely]]
    return std::memcmp(a, b, size) == 0;
  if (size >= 8) return internal::equal_ends<std::uint64_t>(a, b, size);
  if (size >= 4) return internal::equal_ends<std::uint32_t>(a, b, size);
  return internal::equal_ends<std::uint16_t>(a, b, size);
}

}  // namespace mcptrace
