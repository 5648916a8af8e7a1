#include "mcp/request_id.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "base/keyed_hash.h"

namespace mcptrace::mcp {
namespace {

constexpr std::uint64_t kExactSeed = 0x6d63707472616365;
constexpr std::uint64_t kNumberSeed = 0x1f83d9abfb41bd6b;
constexpr std::uint64_t kTextSeed = 0x5be0cd19137e2179;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The digits at the front of `text`, taken off it.
std::string_view take_digits(std::string_view& text) {
  std::size_t size = 0;
  while (size < text.size() && is_digit(text[size])) ++size;
  const auto digits = text.substr(0, size);
  text.remove_prefix(size);
  return digits;
}

// The decimal exponent at the front of `text` ("e+12"), bounded; nothing if it is malformed.
std::optional<int> take_exponent(std::string_view& text) {
  if (text.empty() || (text.front() | 0x20) != 'e') return 0;
  text.remove_prefix(1);
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const auto digits = take_digits(text);
  if (digits.empty() || digits.size() > 4) return std::nullopt;
  int value = 0;
  for (const char digit : digits) value = value * 10 + (digit - '0');
  return negative ? -value : value;
}

}  // namespace

std::optional<std::int64_t> integer_value(std::string_view text) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const auto whole = take_digits(text);
  if (whole.empty() || (whole.size() > 1 && whole.front() == '0')) return std::nullopt;
  std::string_view fraction;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = take_digits(text);
    if (fraction.empty()) return std::nullopt;
  }
  const auto exponent = take_exponent(text);
  if (!exponent || !text.empty()) return std::nullopt;
  fraction = fraction.substr(0, fraction.find_last_not_of('0') + 1);
  std::uint64_t value = 0;
  for (const auto part : {whole, fraction}) {
    for (const char digit : part) {
      if (value > kMost / 10 - 1) return std::nullopt;
      value = value * 10 + static_cast<std::uint64_t>(digit - '0');
    }
  }
  int shift = *exponent - static_cast<int>(std::min<std::size_t>(fraction.size(), 64));
  if (value == 0) return 0;
  for (; shift > 0; --shift, value *= 10) {
    if (value > kMost / 10) return std::nullopt;
  }
  for (; shift < 0; ++shift, value /= 10) {
    if (value % 10 != 0) return std::nullopt;
  }
  return negative ? -static_cast<std::int64_t>(value) : static_cast<std::int64_t>(value);
}

namespace {

std::uint64_t value_hash(std::int64_t value, std::uint64_t seed) {
  std::uint64_t hash = (static_cast<std::uint64_t>(value) ^ seed) * 0x9fb21c651e98df25u;
  hash = (hash ^ hash >> 32) * 0x9e3779b97f4a7c15u;
  return hash ^ hash >> 29;
}

std::uint64_t loose_hash(std::string_view text) {
  constexpr std::size_t kLongestNumber = 40;
  if (text.size() <= kLongestNumber) {
    auto value = small_integer(text);
    if (!value) value = integer_value(text);
    if (value) return value_hash(*value, kNumberSeed);
  }
  return mix64(text, kTextSeed);
}

}  // namespace

std::optional<std::int64_t> small_integer(std::string_view text) {
  if (text.empty() || text.size() > kMostSmallDigits || (text.front() == '0' && text.size() > 1)) return std::nullopt;
  std::int64_t value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

// An integer's text says no more than its value.
RequestId make_small_id(std::int64_t value) {
  const std::uint64_t hash = value_hash(value, kNumberSeed);
  return {IdType::kInteger, hash, hash};
}

RequestId make_id(IdType type, std::string_view raw, std::string_view decoded) {
  if (type == IdType::kInteger) {
    if (const auto value = small_integer(raw)) return make_small_id(*value);
  }
  return {type, mix64(raw, kExactSeed + static_cast<std::uint64_t>(type)), loose_hash(decoded)};
}

RequestId make_long_id(IdType type, std::uint64_t print) {
  return {type, print ^ static_cast<std::uint64_t>(type), print};
}

bool is_plain_id(IdType type, std::string_view decoded) {
  if (decoded.empty() || decoded.size() > text_limit(Text::kId)) return false;
  if (type == IdType::kInteger) {
    const std::string_view digits = decoded.starts_with('-') ? decoded.substr(1) : decoded;
    return !digits.empty() && std::ranges::all_of(digits, is_digit);
  }
  if (type != IdType::kString) return false;
  return std::ranges::all_of(
      decoded, [](char c) { return is_digit(c) || c == '_' || c == '-' || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'); });
}

}  // namespace mcptrace::mcp
