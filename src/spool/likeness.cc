#include "spool/likeness.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "spool/layout.h"

namespace mcptrace::spool {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::size_t kMostBack = 255;
constexpr std::size_t kMostBytes = 255;  // of one piece
// Of each tag and size the last record is remembered, and of each size: as far as a hash tells them apart. Those of one
// tag are of one session, and alike the most.
constexpr std::size_t kRemembered = 256;
constexpr std::size_t kStep = 64;   // bytes compared at a time; shorter records are like nothing
constexpr std::size_t kShort = 16;  // copied at a time

// Bit i: byte i of 64 differs. In whatever vectors whoever calls it may use.
[[gnu::always_inline]] inline std::uint64_t difference(const char* a, const char* b) {
  using Bytes = char __attribute__((ext_vector_type(kStep)));
  using Bits = bool __attribute__((ext_vector_type(kStep)));
  Bytes left, right;
  std::memcpy(&left, a, sizeof(left));
  std::memcpy(&right, b, sizeof(right));
  return std::bit_cast<std::uint64_t>(__builtin_convertvector(left != right, Bits));
}

// Writes the pieces of one record. There is room for three times its size.
class Pieces {
 public:
  Pieces(const char* record, const char* run_end, char* to) : record_(record), run_end_(run_end), to_(to) {}

  // From where the last piece ended: as there up to `other`, other bytes up to `end`.
  void put(std::size_t other, std::size_t end) {
    std::size_t same = other - done_;
    std::size_t count = end - other;
    for (; same > kMostBytes; same -= kMostBytes) put_head(kMostBytes, 0);
    for (; count > kMostBytes; count -= kMostBytes, same = 0) {
      put_head(same, kMostBytes);
      std::memcpy(to_, record_ + end - count, kMostBytes);
      to_ += kMostBytes;
    }
    put_head(same, count);
    const char* const from = record_ + end - count;
    // Of a fixed length, for it is no call then; what is too much is overwritten.
    if (count <= kShort && run_end_ - from >= static_cast<std::ptrdiff_t>(kShort)) [[likely]] {
      std::memcpy(to_, from, kShort);
    } else {
      std::memcpy(to_, from, count);
    }
    to_ += count;
    done_ = end;
  }
  char* finish(std::size_t size) {
    if (done_ != size) put(size, size);
    return to_;
  }

 private:
  void put_head(std::size_t same, std::size_t other) {
    to_[0] = static_cast<char>(same);
    to_[1] = static_cast<char>(other);
    to_ += 2;
  }

  const char* const record_;
  const char* const run_end_;
  char* to_;
  std::size_t done_ = 0;
};

[[gnu::always_inline]] inline char* put_pieces_with(const char* now, const char* run_end, const char* before,
                                                    std::size_t size, char* to) {
  Pieces pieces(now, run_end, to);
  std::size_t other = 0;
  bool in_other = false;
  for (std::size_t at = 0; at < size; at += kStep) {
    // The end is compared with what is before it once more, and that shifted away.
    const std::size_t left = size - at;
    const std::uint64_t differs = left >= kStep
                                      ? difference(now + at, before + at)
                                      : difference(now + size - kStep, before + size - kStep) >> (kStep - left);
    std::uint64_t turns = differs ^ (differs << 1 | static_cast<std::uint64_t>(in_other));
    for (; turns != 0; turns &= turns - 1) {
      const std::size_t place = std::min(at + static_cast<std::size_t>(std::countr_zero(turns)), size);
      if (in_other) pieces.put(other, place);
      other = place;
      in_other = !in_other;
    }
  }
  if (in_other) pieces.put(other, size);
  return pieces.finish(size);
}

using PutPieces = char* (*)(const char* now, const char* run_end, const char* before, std::size_t size, char* to);

char* put_pieces(const char* now, const char* run_end, const char* before, std::size_t size, char* to) {
  return put_pieces_with(now, run_end, before, size, to);
}
#if defined(__x86_64__)
__attribute__((target("avx2,bmi"))) char* put_pieces_avx2(const char* now, const char* run_end, const char* before,
                                                          std::size_t size, char* to) {
  return put_pieces_with(now, run_end, before, size, to);
}
PutPieces best_put_pieces() { return __builtin_cpu_supports("avx2") ? put_pieces_avx2 : put_pieces; }
#else
PutPieces best_put_pieces() { return put_pieces; }
#endif

}  // namespace

std::size_t encode_likeness(std::string_view run, char* const to, std::size_t room) {
  static const PutPieces kPutPieces = best_put_pieces();
  struct Place {
    std::size_t number = 0;  // of the record, from 1; 0: none
    std::size_t at = 0;
    std::size_t size = 0;
  };
  std::array<Place, kRemembered> of_tag{}, of_size{};
  const auto place_of = [](std::size_t size, std::uint32_t tag) {
    return (size * 0x9e3779b97f4a7c15u ^ tag * 0x9fb21c651e98df25u) >> 56;
  };
  static_assert(kRemembered == 1u << 8);
  std::size_t number = 0;
  char* out = to;
  for (std::size_t at = 0; at < run.size();) {
    const std::size_t size = kRecordHeaderBytes + load32(run.data() + at);
    if (room < static_cast<std::size_t>(out - to) + 1 + 3 * size) return 0;
    ++number;
    const auto is_like = [&](const Place& place) {
      return place.size == size && size >= kStep && number - place.number <= kMostBack;
    };
    Place& mine = of_tag[place_of(size, load32(run.data() + at + 12))];
    Place& other = of_size[place_of(size, 0)];
    const Place place = is_like(mine) ? mine : other;
    const char* const now = run.data() + at;
    char* end = out;
    if (is_like(place)) {
      *out = static_cast<char>(number - place.number);
      end = kPutPieces(now, run.data() + run.size(), run.data() + place.at, size, out + 1);
    }
    if (end == out || end > out + 1 + size) {
      *out = 0;
      std::memcpy(out + 1, now, size);
      end = out + 1 + size;
    }
    mine = other = {number, at, size};
    out = end;
    at += size;
  }
  return static_cast<std::size_t>(out - to);
}

bool decode_likeness(std::string_view coded, char* const to, std::size_t size) {
  std::array<std::size_t, kMostBack + 1> begins;  // of the latest records, by number
  std::size_t number = 0, at = 0;
  const auto take = [&](std::size_t count) {
    const std::string_view bytes = coded.substr(0, count);
    coded.remove_prefix(bytes.size());
    return bytes;
  };
  while (!coded.empty()) {
    const auto back = static_cast<unsigned char>(take(1).front());
    if (back > number) return false;
    if (back == 0 && coded.size() < kRecordHeaderBytes) return false;
    const std::size_t begin = back == 0 ? at : begins[(number - back) % begins.size()];
    const char* const like = back == 0 ? coded.data() : to + begin;
    const std::size_t record = kRecordHeaderBytes + load32(like);
    if (record > size - at) return false;
    begins[number++ % begins.size()] = at;
    if (back == 0) {
      if (record > coded.size()) return false;
      std::memcpy(to + at, take(record).data(), record);
      at += record;
      continue;
    }
    for (std::size_t done = 0; done < record;) {
      if (coded.size() < 2) return false;
      const std::size_t same = static_cast<unsigned char>(coded[0]), other = static_cast<unsigned char>(coded[1]);
      coded.remove_prefix(2);
      if (same + other == 0 || same + other > record - done || other > coded.size()) return false;
      std::memcpy(to + at + done, like + done, same);
      std::memcpy(to + at + done + same, take(other).data(), other);
      done += same + other;
    }
    if (kRecordHeaderBytes + load32(to + at) != record) return false;  // so each ends where the next begins
    at += record;
  }
  return at == size;
}

}  // namespace mcptrace::spool
