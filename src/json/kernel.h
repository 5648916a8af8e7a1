// Where the quotes and brackets are in 64 bytes of JSON, as bit masks: the only part of the scanner that differs
// between processors.
//
// Scanner calls it for some KiB at a time. All kernels give the same masks; which one is used is decided when the
// program runs. What is inside a string is known from the quotes before it, so bytes must be classified once, in order,
// with the Carry of the bytes before.
//
// A backslash takes the meaning from the byte after it wherever it stands; in valid JSON it only stands in strings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace mcptrace::json {

inline constexpr std::size_t kBlockBytes = 64;

// Bit i belongs to byte i. Bits past the end of the input are zero.
struct Block {
  std::uint64_t quotes;       // those that begin or end a string
  std::uint64_t backslashes;  // all
  std::uint64_t opens;        // { and [ outside strings
  std::uint64_t closes;       // } and ] outside strings
};

// What the bytes so far mean for the next one.
struct Carry {
  std::uint64_t in_string = 0;  // all ones, or zero
  std::uint64_t escaped = 0;    // 1: the next byte comes after a backslash that counts
  std::uint64_t not_ascii = 0;  // not zero: one of the bytes so far is none
};

struct Kernel {
  const char* name;
  // Fills ceil(size / 64) blocks.
  void (*classify)(const char* data, std::size_t size, Carry& carry, Block* blocks);
  // From byte `at` on: the position of the closer that takes `depth` (at least 1) to 0, or `size`; `depth` is what it
  // then is. `blocks` are those of `size` bytes.
  std::size_t (*skip)(const Block* blocks, std::size_t at, std::size_t size, std::uint64_t& depth);
};

// The kernels that this processor can run, slowest first; the first is plain C++.
std::span<const Kernel> kernels();
const Kernel& best_kernel();

}  // namespace mcptrace::json
