// CRC-32C (Castagnoli), as RFC 3720 defines it: the checksum of records. Pure; any thread.
//
// `crc32c(b, crc32c(a))` is the checksum of a and b together. The processor's own instruction where there is one
// (SSE 4.2, ARMv8 CRC), found at run time, else tables.
#pragma once

#include <cstdint>
#include <string_view>

namespace mcptrace::spool {

std::uint32_t crc32c(std::string_view bytes, std::uint32_t before = 0);
// The tables, on any processor: what the instruction is tested against.
std::uint32_t crc32c_portable(std::string_view bytes, std::uint32_t before = 0);

}  // namespace mcptrace::spool
