// Trace and span ids as distinct types, and hexadecimal.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace mcptrace {

template <std::size_t kSize, class Tag>
struct IdBytes {
  static constexpr std::size_t kBytes = kSize;
  std::array<std::uint8_t, kSize> bytes{};

  // All zero: W3C's invalid id, and "no parent".
  [[nodiscard]] bool is_zero() const { return *this == IdBytes{}; }
  [[nodiscard]] std::string hex() const;
  auto operator<=>(const IdBytes&) const = default;
};
using TraceId = IdBytes<16, struct TraceIdTag>;
using SpanId = IdBytes<8, struct SpanIdTag>;

// Lower-case hexadecimal, two digits a byte, into `out` (2 * bytes.size() characters; no terminator).
void write_hex(std::span<const std::uint8_t> bytes, char* out);
// Of a number, its 16 digits.
void write_hex(std::uint64_t value, char* out);
std::string to_hex(std::span<const std::uint8_t> bytes);
// Exactly 2 * out.size() lower-case (or, if `any_case`, any) hexadecimal digits; false otherwise, and `out` is
// unspecified.
bool parse_hex(std::string_view text, std::span<std::uint8_t> out, bool any_case = false);

template <std::size_t kSize, class Tag>
std::string IdBytes<kSize, Tag>::hex() const {
  return to_hex(bytes);
}

}  // namespace mcptrace

template <std::size_t kSize, class Tag>
struct std::hash<mcptrace::IdBytes<kSize, Tag>> {
  std::size_t operator()(const mcptrace::IdBytes<kSize, Tag>& id) const noexcept {
    std::size_t value;
    static_assert(kSize >= sizeof(value));
    std::memcpy(&value, id.bytes.data() + (kSize - sizeof(value)), sizeof(value));
    return value;
  }
};
