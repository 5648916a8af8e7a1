#include "spool/crc32c.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

#if defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#endif

namespace mcptrace::spool {
namespace {

static_assert(std::endian::native == std::endian::little,
              "the spool's files are read and written as they lie in memory");

constexpr std::uint32_t kPolynomial = 0x82f63b78;  // reflected

// kTables[n][b]: the checksum of byte b followed by n zero bytes, so that eight bytes take eight independent look-ups.
constexpr auto kTables = [] {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kPolynomial : 0);
    tables[0][byte] = crc;
  }
  for (std::size_t n = 1; n < 8; ++n) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t crc = tables[n - 1][byte];
      tables[n][byte] = (crc >> 8) ^ tables[0][crc & 0xff];
    }
  }
  return tables;
}();

std::uint64_t load64(const char* from) {
  std::uint64_t value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

#if defined(__x86_64__)
bool has_instruction() { return __builtin_cpu_supports("sse4.2") != 0; }

__attribute__((target("sse4.2"))) std::uint32_t crc32c_instruction(std::string_view bytes, std::uint32_t before) {
  const char* at = bytes.data();
  const char* end = at + bytes.size();
  std::uint64_t crc = ~before;
  for (; end - at >= 8; at += 8) crc = __builtin_ia32_crc32di(crc, load64(at));
  auto rest = static_cast<std::uint32_t>(crc);
  for (; at != end; ++at) rest = __builtin_ia32_crc32qi(rest, static_cast<unsigned char>(*at));
  return ~rest;
}
#elif defined(__aarch64__)
bool has_instruction() { return (getauxval(AT_HWCAP) & (1u << 7)) != 0; }  // HWCAP_CRC32

__attribute__((target("+crc"))) std::uint32_t crc32c_instruction(std::string_view bytes, std::uint32_t before) {
  const char* at = bytes.data();
  const char* end = at + bytes.size();
  std::uint32_t crc = ~before;
  for (; end - at >= 8; at += 8) crc = __crc32cd(crc, load64(at));
  for (; at != end; ++at) crc = __crc32cb(crc, static_cast<unsigned char>(*at));
  return ~crc;
}
#else
bool has_instruction() { return false; }
std::uint32_t crc32c_instruction(std::string_view bytes, std::uint32_t before) {
  return crc32c_portable(bytes, before);
}
#endif

}  // namespace

std::uint32_t crc32c_portable(std::string_view bytes, std::uint32_t before) {
  const char* at = bytes.data();
  const char* end = at + bytes.size();
  std::uint32_t crc = ~before;
  for (; end - at >= 8; at += 8) {
    const std::uint64_t word = load64(at) ^ crc;
    crc = 0;
    for (std::size_t byte = 0; byte < 8; ++byte) crc ^= kTables[7 - byte][(word >> (8 * byte)) & 0xff];
  }
  for (; at != end; ++at) crc = (crc >> 8) ^ kTables[0][(crc ^ static_cast<unsigned char>(*at)) & 0xff];
  return ~crc;
}

std::uint32_t crc32c(std::string_view bytes, std::uint32_t before) {
  return has_instruction() ? crc32c_instruction(bytes, before) : crc32c_portable(bytes, before);
}

}  // namespace mcptrace::spool
