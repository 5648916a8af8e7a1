#include "trace/w3c.h"

#include <algorithm>

#include "base/check.h"
#include "base/text.h"
#include "base/utf8.h"

namespace mcptrace::trace {
namespace {

constexpr std::size_t kMaxMembers = 32;      // tracestate
constexpr std::size_t kMaxKeyOrValue = 256;  // of a tracestate member
constexpr std::size_t kMaxBaggage = 8192;
constexpr std::size_t kMaxBaggageMembers = 64;

// Takes the next element of a comma-separated list off `list`, trimmed; may be empty.
std::string_view take_member(std::string_view& list) { return trim(take_until(list, ',')); }

bool is_key_start(char c) { return (c >= 'a' && c <= 'z') || is_digit(c); }
bool is_key_char(char c) { return is_key_start(c) || c == '_' || c == '-' || c == '*' || c == '/' || c == '@'; }
bool is_value_char(char c) { return c >= 0x20 && c <= 0x7e && c != ',' && c != '='; }

// One trimmed, non-empty member. A value's leading spaces are its own; trailing ones were trimmed.
bool is_valid_member(std::string_view member) {
  const std::size_t equals = member.find('=');
  if (equals == std::string_view::npos) return false;
  const std::string_view key = member.substr(0, equals);
  const std::string_view value = member.substr(equals + 1);
  return !key.empty() && key.size() <= kMaxKeyOrValue && is_key_start(key.front()) &&
         std::ranges::all_of(key, is_key_char) && !value.empty() && value.size() <= kMaxKeyOrValue &&
         std::ranges::all_of(value, is_value_char);
}

// A percent sign that is not followed by two hexadecimal digits stands for itself.
std::string_view clean_value(std::string_view text, std::span<char> out) {
  std::size_t size = 0;
  std::array<char, 4> next{};  // what may be one character
  for (std::size_t ahead = 0;;) {
    while (ahead < next.size() && !text.empty()) next[ahead++] = take_decoded(text).byte;
    if (ahead == 0) break;
    const Character character = first_character({next.data(), ahead});
    const auto piece = character.good ? std::string_view(next.data(), character.size) : kReplacementCharacter;
    if (piece.size() > out.size() - size) break;
    size += piece.copy(out.data() + size, piece.size());
    ahead -= character.size;
    std::shift_left(next.begin(), next.end(), static_cast<std::ptrdiff_t>(character.size));
  }
  return {out.data(), size};
}

}  // namespace

std::optional<TraceContext> parse_traceparent(std::string_view value) {
  value = trim(value);
  if (value.size() < kTraceparentSize) return std::nullopt;
  if (value[2] != '-' || value[35] != '-' || value[52] != '-') return std::nullopt;
  std::uint8_t version = 0;
  std::uint8_t flags = 0;
  TraceContext context;
  if (!parse_hex(value.substr(0, 2), {&version, 1}) || !parse_hex(value.substr(3, 32), context.trace_id.bytes) ||
      !parse_hex(value.substr(36, 16), context.span_id.bytes) || !parse_hex(value.substr(53, 2), {&flags, 1})) {
    return std::nullopt;
  }
  if (version == 0xff || context.trace_id.is_zero() || context.span_id.is_zero()) return std::nullopt;
  // A later version may say more behind a dash; version 00 may not.
  const bool longer = value.size() > kTraceparentSize;
  if (longer && (version == 0 || value[kTraceparentSize] != '-')) return std::nullopt;
  context.flags = flags & (kSampledFlag | kRandomFlag);
  return context;
}

void write_traceparent(const TraceContext& context, char out[kTraceparentSize]) {
  out[0] = '0';
  out[1] = '0';
  out[2] = '-';
  write_hex(context.trace_id.bytes, out + 3);
  out[35] = '-';
  write_hex(context.span_id.bytes, out + 36);
  out[52] = '-';
  const std::uint8_t flags = context.flags & (kSampledFlag | kRandomFlag);
  write_hex({&flags, 1}, out + 53);
}

bool is_valid_tracestate(std::string_view value) {
  std::size_t members = 0;
  while (!value.empty()) {
    const std::string_view member = take_member(value);
    if (member.empty()) continue;
    if (++members > kMaxMembers || !is_valid_member(member)) return false;
  }
  return true;
}

std::optional<std::string_view> tracestate_get(std::string_view tracestate, std::string_view key) {
  while (!tracestate.empty()) {
    const std::string_view member = take_member(tracestate);
    if (member.size() > key.size() && member[key.size()] == '=' && member.starts_with(key)) {
      return member.substr(key.size() + 1);
    }
  }
  return std::nullopt;
}

std::string_view write_randomness(std::uint64_t randomness, std::array<char, 20>& buffer) {
  static constexpr std::string_view kPrefix = "ot=rv:";
  write_hex(randomness, buffer.data() + buffer.size() - 16);  // of the first byte nothing is left
  std::ranges::copy(kPrefix, buffer.begin());
  return {buffer.data(), buffer.size()};
}

std::uint64_t randomness_of(std::string_view tracestate, const TraceId& trace_id) {
  static constexpr std::string_view kKey = "rv:";
  std::array<std::uint8_t, 7> bytes;
  std::ranges::copy(std::span(trace_id.bytes).last<7>(), bytes.begin());
  std::string_view fields = tracestate_get(tracestate, "ot").value_or("");
  while (!fields.empty()) {
    const std::string_view field = take_until(fields, ';');
    std::array<std::uint8_t, 7> own;
    if (field.starts_with(kKey) && parse_hex(field.substr(kKey.size()), own)) bytes = own;
  }
  std::uint64_t randomness = 0;
  for (const std::uint8_t byte : bytes) randomness = randomness << 8 | byte;
  return randomness;
}

std::optional<std::string_view> baggage_get(std::string_view baggage, std::string_view key, std::span<char> buffer) {
  if (baggage.size() > kMaxBaggage) return std::nullopt;
  for (std::size_t members = 0; !baggage.empty() && members < kMaxBaggageMembers;) {
    const std::string_view member = take_member(baggage);
    if (member.empty()) continue;
    ++members;
    const std::string_view entry = member.substr(0, member.find(';'));  // without its properties
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos || trim(entry.substr(0, equals)) != key) continue;
    return clean_value(trim(entry.substr(equals + 1)), buffer);
  }
  return std::nullopt;
}

}  // namespace mcptrace::trace
