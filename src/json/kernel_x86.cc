#include "json/kernel_steps.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <bit>

#define MCPTRACE_AVX2 __attribute__((target("avx2,pclmul,popcnt,bmi")))
#define MCPTRACE_AVX512 __attribute__((target("avx2,avx512f,avx512bw,pclmul,popcnt,bmi")))

namespace mcptrace::json {
namespace {

std::uint64_t equal_bytes(const __m128i (&parts)[4], char byte) {
  const __m128i wanted = _mm_set1_epi8(byte);
  std::uint64_t mask = 0;
  for (unsigned i = 0; i < 4; ++i) {
    mask |= static_cast<std::uint64_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(parts[i], wanted))) << 16 * i;
  }
  return mask;
}

RawMasks compare_sse2(const char* data) {
  __m128i parts[4];
  __m128i folded[4];
  for (unsigned i = 0; i < 4; ++i) {
    parts[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(data + 16 * i));
    folded[i] = _mm_or_si128(parts[i], _mm_set1_epi8(kBracketBit));
  }
  const __m128i all = _mm_or_si128(_mm_or_si128(parts[0], parts[1]), _mm_or_si128(parts[2], parts[3]));
  return {equal_bytes(parts, '"'), equal_bytes(parts, '\\'), equal_bytes(folded, kOpen), equal_bytes(folded, kClose),
          static_cast<std::uint32_t>(_mm_movemask_epi8(all))};
}

void finish_sse2(const RawMasks& raw, std::size_t length, Carry& carry, Block& block) {
  const std::uint64_t quotes = raw.quotes & ~escaped_bytes(raw.backslashes, length, carry.escaped);
  finish_block(raw, quotes, parity_so_far(quotes), carry, block);
}

// 64 bytes, or what a comparison of them gave.
struct Bytes256 {
  __m256i low;
  __m256i high;
};

MCPTRACE_AVX2 inline Bytes256 load_avx2(const char* data) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(data)),
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data + 32))};
}

MCPTRACE_AVX2 inline Bytes256 equal_bytes(const Bytes256& bytes, char byte) {
  const __m256i wanted = _mm256_set1_epi8(byte);
  return {_mm256_cmpeq_epi8(bytes.low, wanted), _mm256_cmpeq_epi8(bytes.high, wanted)};
}

MCPTRACE_AVX2 inline std::uint64_t mask_of(const Bytes256& equal) {
  const auto low_mask = static_cast<std::uint32_t>(_mm256_movemask_epi8(equal.low));
  const auto high_mask = static_cast<std::uint32_t>(_mm256_movemask_epi8(equal.high));
  return low_mask | static_cast<std::uint64_t>(high_mask) << 32;
}

// Not zero if one of 64 bytes is either: they are the only ones that the table has at their lower four bits. For bytes
// from 0x80 on it gives zero, which they are not. `all` has the bits of all bytes that were looked at.
MCPTRACE_AVX2 inline __m256i quote_or_backslash(const char* data, __m256i& all) {
  const __m256i table =
      _mm256_broadcastsi128_si256(_mm_setr_epi8(-1, 0, '"', 0, 0, 0, 0, 0, 0, 0, 0, 0, '\\', 0, 0, 0));
  const auto [low, high] = load_avx2(data);
  all = _mm256_or_si256(all, _mm256_or_si256(low, high));
  return _mm256_or_si256(_mm256_cmpeq_epi8(_mm256_shuffle_epi8(table, low), low),
                         _mm256_cmpeq_epi8(_mm256_shuffle_epi8(table, high), high));
}

// The whole blocks from here on that hold neither quote nor backslash, in bytes; their masks are cleared.
MCPTRACE_AVX2 inline std::size_t count_inside(const char* data, std::size_t size, Carry& carry, Block* blocks) {
  static_assert(sizeof(Block) == sizeof(__m256i));
  constexpr std::size_t kMany = 4;
  std::size_t at = 0;
  __m256i all = _mm256_setzero_si256();
  const auto clear = [&](std::size_t count) MCPTRACE_AVX2 {
    for (std::size_t i = 0; i < count; ++i) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(blocks + at / kBlockBytes + i), _mm256_setzero_si256());
    }
    at += count * kBlockBytes;
  };
  while (at + kMany * kBlockBytes <= size) {
    const char* const many = data + at;
    const __m256i first = _mm256_or_si256(quote_or_backslash(many, all), quote_or_backslash(many + kBlockBytes, all));
    const __m256i last = _mm256_or_si256(quote_or_backslash(many + 2 * kBlockBytes, all),
                                         quote_or_backslash(many + 3 * kBlockBytes, all));
    const __m256i either = _mm256_or_si256(first, last);
    if (_mm256_testz_si256(either, either) == 0) break;
    clear(kMany);
  }
  while (at + kBlockBytes <= size) {
    const __m256i either = quote_or_backslash(data + at, all);
    if (_mm256_testz_si256(either, either) == 0) break;
    clear(1);
  }
  carry.not_ascii |= static_cast<std::uint32_t>(_mm256_movemask_epi8(all));
  return at;
}

MCPTRACE_AVX2 inline RawMasks compare_avx2(const Bytes256& bytes) {
  const __m256i bit = _mm256_set1_epi8(kBracketBit);
  const Bytes256 folded{_mm256_or_si256(bytes.low, bit), _mm256_or_si256(bytes.high, bit)};
  return {mask_of(equal_bytes(bytes, '"')), mask_of(equal_bytes(bytes, '\\')), mask_of(equal_bytes(folded, kOpen)),
          mask_of(equal_bytes(folded, kClose)),
          static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_or_si256(bytes.low, bytes.high)))};
}

MCPTRACE_AVX2 inline void finish_clmul(const RawMasks& raw, std::size_t length, Carry& carry, Block& block) {
  const std::uint64_t quotes = raw.quotes & ~escaped_bytes(raw.backslashes, length, carry.escaped);
  // A carry-less product with all ones is the parity of all lower bits, for every bit at once.
  const __m128i product = _mm_clmulepi64_si128(_mm_set_epi64x(0, static_cast<long long>(quotes)), _mm_set1_epi8(-1), 0);
  finish_block(raw, quotes, static_cast<std::uint64_t>(_mm_cvtsi128_si64(product)), carry, block);
}

MCPTRACE_AVX512 inline RawMasks compare_avx512(const char* data) {
  const __m512i bytes = _mm512_loadu_si512(data);
  const __m512i folded = _mm512_or_si512(bytes, _mm512_set1_epi8(kBracketBit));
  return {_mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('"')), _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\\')),
          _mm512_cmpeq_epi8_mask(folded, _mm512_set1_epi8(kOpen)),
          _mm512_cmpeq_epi8_mask(folded, _mm512_set1_epi8(kClose)), _mm512_movepi8_mask(bytes)};
}

MCPTRACE_AVX2 inline bool has_brackets(const Block* block) { return (block->opens | block->closes) != 0; }

// One of the blocks from `first` to `last`, four of them.
MCPTRACE_AVX2 inline bool has_brackets(const Block* first, const Block* last) {
  static_assert(offsetof(Block, opens) == 16 && offsetof(Block, closes) == 24);
  const auto load = [](const Block* block)
                        MCPTRACE_AVX2 { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(&block->opens)); };
  const __m128i any =
      _mm_or_si128(_mm_or_si128(load(first), load(first + 1)), _mm_or_si128(load(last - 1), load(last)));
  return _mm_testz_si128(any, any) == 0;
}

struct Brackets {
  std::uint64_t opens;
  std::uint64_t closes;
};

// The place of the closer that takes `level` to 0: those in `before` do, and no opener follows it there.
MCPTRACE_AVX2 inline unsigned zero_place(Brackets brackets, std::uint64_t before, std::int64_t level) {
  std::uint64_t closes = brackets.closes & before;
  std::int64_t beyond = std::popcount(closes) - level - std::popcount(brackets.opens & before);
  for (; beyond > 0; --beyond) closes ^= std::bit_floor(closes);
  return static_cast<unsigned>(std::bit_width(closes)) - 1;
}

// The place of the closer that takes `level` to 0, or 64. It is lowest where closers are followed by an opener, and at
// the end: few places to look at. Two in a round, since how many there are is hard to predict.
MCPTRACE_AVX2 inline unsigned find_zero(Brackets brackets, std::int64_t level) {
  constexpr std::uint64_t kAll = ~std::uint64_t{0};
  const auto [opens, closes] = brackets;
  const std::uint64_t between = ~(opens | closes);
  const std::uint64_t after_closer = closes << 1;
  // The sum carries from each closer through what is no bracket, to the next bracket.
  const std::uint64_t next = after_closer | ((after_closer & between) + between);
  for (std::uint64_t turns = next & opens; turns != 0;) {
    for (int i = 0; i < 2; ++i) {
      const std::uint64_t before = (turns & (~turns + 1)) - 1;  // all, if no turn is left
      if (level + std::popcount(opens & before) <= std::popcount(closes & before))
        return zero_place(brackets, before, level);
      turns &= turns - 1;
    }
  }
  return level + std::popcount(opens) <= std::popcount(closes) ? zero_place(brackets, kAll, level) : kBlockBytes;
}

}  // namespace

void classify_sse2(const char* data, std::size_t size, Carry& carry_out, Block* blocks) {
  Carry carry = carry_out;  // blocks could alias it
  std::size_t at = 0;
  for (; at + kBlockBytes <= size; at += kBlockBytes)
    finish_sse2(compare_sse2(data + at), kBlockBytes, carry, *blocks++);
  if (at != size) {
    const Tail tail(data, size);
    finish_sse2(shifted(compare_sse2(tail.load), tail.shift), size - at, carry, *blocks);
  }
  carry_out = carry;
}

MCPTRACE_AVX2 void classify_avx2(const char* data, std::size_t size, Carry& carry_out, Block* blocks) {
  Carry carry = carry_out;  // blocks could alias it
  std::size_t at = 0;
  for (; at + kBlockBytes <= size; at += kBlockBytes) {
    // Most bytes of most messages are the inside of a long string: there nothing else matters.
    if (carry.in_string != 0) {
      const std::size_t inside = count_inside(data + at, size - at, carry, blocks);
      at += inside;
      blocks += inside / kBlockBytes;
      if (inside != 0) carry.escaped = 0;
      if (at + kBlockBytes > size) break;
    }
    finish_clmul(compare_avx2(load_avx2(data + at)), kBlockBytes, carry, *blocks++);
  }
  if (at != size) {
    const Tail tail(data, size);
    finish_clmul(shifted(compare_avx2(load_avx2(tail.load)), tail.shift), size - at, carry, *blocks);
  }
  carry_out = carry;
}

MCPTRACE_AVX512 void classify_avx512(const char* data, std::size_t size, Carry& carry_out, Block* blocks) {
  Carry carry = carry_out;  // blocks could alias it
  std::size_t at = 0;
  for (; at + kBlockBytes <= size; at += kBlockBytes) {
    const RawMasks raw = compare_avx512(data + at);
    if (carry.in_string != 0 && (raw.quotes | raw.backslashes) == 0) {  // as above
      carry.escaped = 0;
      carry.not_ascii |= raw.not_ascii;
      *blocks++ = {};
      continue;
    }
    finish_clmul(raw, kBlockBytes, carry, *blocks++);
  }
  if (at != size) {
    const Tail tail(data, size);
    finish_clmul(shifted(compare_avx512(tail.load), tail.shift), size - at, carry, *blocks);
  }
  carry_out = carry;
}

MCPTRACE_AVX2 std::size_t skip_avx2(const Block* blocks, std::size_t at, std::size_t size, std::uint64_t& depth) {
  std::uint64_t rest = ~std::uint64_t{0} << at % kBlockBytes;
  auto level = static_cast<std::int64_t>(depth);
  const std::size_t count = (size + kBlockBytes - 1) / kBlockBytes;
  for (std::size_t index = at / kBlockBytes; index < count; ++index, rest = ~std::uint64_t{0}) {
    if (!has_brackets(blocks + index)) {  // the inside of a long string
      while (index + 4 < count && !has_brackets(blocks + index + 1, blocks + index + 4)) index += 4;
      continue;
    }
    const Brackets brackets{blocks[index].opens & rest, blocks[index].closes & rest};
    const int closed = std::popcount(brackets.closes);
    // Most blocks have fewer closers than it takes.
    if (closed >= level) {
      if (const unsigned place = find_zero(brackets, level); place < kBlockBytes) {
        depth = 0;
        return index * kBlockBytes + place;
      }
    }
    level += std::popcount(brackets.opens) - closed;
  }
  depth = static_cast<std::uint64_t>(level);
  return size;
}

}  // namespace mcptrace::json
#endif
