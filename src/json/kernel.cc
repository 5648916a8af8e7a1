#include "json/kernel.h"

#include <array>

#include "json/kernel_steps.h"

namespace mcptrace::json {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::uint64_t kOnes = 0x0101010101010101;
constexpr std::uint64_t kHighBits = 0x80 * kOnes;

// Bit i: byte i of `word` is `byte`.
std::uint64_t equal_bytes(std::uint64_t word, char byte) {
  constexpr std::uint64_t kLow7 = 0x7f * kOnes;
  const std::uint64_t difference = word ^ kOnes * static_cast<unsigned char>(byte);
  // The high bit of each byte: is any bit of the byte set? The sum cannot carry into the next byte.
  const std::uint64_t differs = ((difference & kLow7) + kLow7) | difference;
  const std::uint64_t equal = ~differs >> 7 & kOnes;
  return equal * 0x0102040810204080 >> 56;
}

RawMasks compare(const char* data) {
  RawMasks raw{};
  for (unsigned i = 0; i < kBlockBytes; i += 8) {
    std::uint64_t word;
    std::memcpy(&word, data + i, sizeof(word));
    const std::uint64_t folded = word | kOnes * static_cast<unsigned char>(kBracketBit);
    raw.quotes |= equal_bytes(word, '"') << i;
    raw.backslashes |= equal_bytes(word, '\\') << i;
    raw.opens |= equal_bytes(folded, kOpen) << i;
    raw.closes |= equal_bytes(folded, kClose) << i;
    raw.not_ascii |= word & kHighBits;
  }
  return raw;
}

void finish(const RawMasks& raw, std::size_t length, Carry& carry, Block& block) {
  const std::uint64_t quotes = raw.quotes & ~escaped_bytes(raw.backslashes, length, carry.escaped);
  finish_block(raw, quotes, parity_so_far(quotes), carry, block);
}

void classify_plain(const char* data, std::size_t size, Carry& carry_out, Block* blocks) {
  Carry carry = carry_out;  // blocks could alias it
  std::size_t at = 0;
  for (; at + kBlockBytes <= size; at += kBlockBytes) finish(compare(data + at), kBlockBytes, carry, *blocks++);
  if (at != size) {
    const Tail tail(data, size);
    finish(shifted(compare(tail.load), tail.shift), size - at, carry, *blocks);
  }
  carry_out = carry;
}

// A bracket at a time: without an instruction for it, counting bits costs more than the few brackets of a block.
std::size_t skip_plain(const Block* blocks, std::size_t at, std::size_t size, std::uint64_t& depth) {
  std::uint64_t rest = ~std::uint64_t{0} << at % kBlockBytes;
  std::uint64_t level = depth;
  for (std::size_t index = at / kBlockBytes; index * kBlockBytes < size; ++index, rest = ~std::uint64_t{0}) {
    const std::uint64_t closes = blocks[index].closes;
    for (std::uint64_t left = (blocks[index].opens | closes) & rest; left != 0; left &= left - 1) {
      const auto place = static_cast<unsigned>(std::countr_zero(left));
      level += 1 - 2 * (closes >> place & 1);
      if (level != 0) continue;
      depth = 0;
      return index * kBlockBytes + place;
    }
  }
  depth = level;
  return size;
}

constexpr std::array kKernels = {
    Kernel{"plain", classify_plain, skip_plain},
#if defined(__x86_64__)
    Kernel{"sse2", classify_sse2, skip_plain},
    Kernel{"avx2", classify_avx2, skip_avx2},
    Kernel{"avx512", classify_avx512, skip_avx2},
#endif
};

std::size_t usable() {
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("pclmul") &&
                    __builtin_cpu_supports("popcnt") && __builtin_cpu_supports("bmi");
  // VBMI is not used: processors that have it do not lower their clock for 512-bit integer instructions.
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi");
  return avx512 ? 4 : avx2 ? 3 : 2;
#else
  return 1;
#endif
}

}  // namespace

std::span<const Kernel> kernels() { return std::span(kKernels).first(usable()); }

const Kernel& best_kernel() { return kernels().back(); }

}  // namespace mcptrace::json
