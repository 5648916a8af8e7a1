#include "json/text.h"

#include <charconv>
#include <cstring>

#include "base/ids.h"
#include "base/text.h"
#include "base/utf8.h"

namespace mcptrace::json {
namespace {

constexpr char32_t kReplacement = 0xfffd;

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

// Escapes of one letter, and behind each other what they mean.
constexpr std::string_view kLetters = "\"\\/bfnrt";
constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";

// The value of four hexadecimal digits at the front of `raw`.
std::optional<char32_t> four_digits(std::string_view raw) {
  if (raw.size() < 4) return std::nullopt;
  char32_t value = 0;
  for (const char byte : raw.substr(0, 4)) {
    const int digit = hex_value(byte);
    if (digit < 0) return std::nullopt;
    value = value << 4 | static_cast<char32_t>(digit);
  }
  return value;
}

struct Escape {
  char32_t code;
  std::size_t length;  // of the escape in the raw text
};

// `raw` begins with \u.
Escape read_unicode_escape(std::string_view raw) {
  const auto first = four_digits(raw.substr(2));
  if (!first) return {kReplacement, 2};
  if (*first < 0xd800 || *first > 0xdfff) return {*first, 6};
  if (*first < 0xdc00 && raw.substr(6, 2) == "\\u") {
    const auto second = four_digits(raw.substr(8));
    if (second && *second >= 0xdc00 && *second <= 0xdfff)
      return {0x10000 + ((*first - 0xd800) << 10) + (*second - 0xdc00), 12};
  }
  return {kReplacement, 6};
}

// `raw` begins with a backslash.
Escape read_escape(std::string_view raw) {
  if (raw.size() < 2) return {kReplacement, 1};
  if (raw[1] == 'u') return read_unicode_escape(raw);
  if (const auto meant = unescaped(raw[1])) return {static_cast<char32_t>(*meant), 2};
  // The byte after a bad escape's backslash may be the first of a longer character.
  return {kReplacement, static_cast<unsigned char>(raw[1]) < 0x80 ? std::size_t{2} : std::size_t{1}};
}

// The longest prefix of `text` of at most `limit` bytes that does not end within a character.
std::size_t whole_prefix(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text.size();
  std::size_t size = limit;
  for (int back = 0; back < 3 && size > 0 && is_continuation(text[size]); ++back) --size;
  return is_continuation(text[size]) ? limit : size;
}

void append_escaped(std::string& out, unsigned char byte) {
  const std::size_t letter = kMeanings.find(static_cast<char>(byte));
  if (letter != kMeanings.npos) {
    out.append(1, '\\').append(1, kLetters[letter]);
  } else {
    out.append("\\u00").append(to_hex({&byte, 1}));
  }
}

}  // namespace

std::optional<char> unescaped(char byte) {
  const std::size_t letter = kLetters.find(byte);
  return letter != kLetters.npos ? std::optional(kMeanings[letter]) : std::nullopt;
}

std::size_t decode_string(std::string_view raw, char* out, std::size_t limit) {
  std::size_t size = 0;
  while (!raw.empty()) {
    const std::string_view plain = raw.substr(0, raw.find('\\'));
    const std::size_t taken = whole_prefix(plain, limit - size);
    if (taken != 0) std::memcpy(out + size, plain.data(), taken);
    size += taken;
    if (taken < plain.size()) break;
    raw.remove_prefix(plain.size());
    if (raw.empty()) break;
    const Escape escape = read_escape(raw);
    char bytes[4];
    const std::size_t length = encode_utf8(escape.code, bytes);
    if (length > limit - size) break;
    std::memcpy(out + size, bytes, length);
    size += length;
    raw.remove_prefix(escape.length);
  }
  return size;
}

std::string decode_string(std::string_view raw) {
  // A lone backslash is the one thing that grows: one byte to three.
  std::string out(raw.size() * 3, '\0');
  out.resize(decode_string(raw, out.data(), out.size()));
  return out;
}

std::optional<std::int64_t> parse_integer(std::string_view raw) {
  const std::string_view digits = raw.substr(raw.starts_with('-') ? 1 : 0);
  if (digits.empty() || (digits.size() > 1 && digits[0] == '0') || digits[0] == '-') return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
  if (error != std::errc{} || end != raw.data() + raw.size()) return std::nullopt;
  return value;
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  std::size_t plain = 0;  // where what is not yet appended begins
  std::size_t at = 0;
  const auto flush = [&] { out.append(text, plain, at - plain); };
  while (at < text.size()) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 0x20 || byte == '"' || byte == '\\') {
      flush();
      append_escaped(out, byte);
      plain = ++at;
    } else if (byte < 0x80) {
      ++at;
    } else if (const Character character = first_character(text.substr(at)); character.good) {
      at += character.size;
    } else {
      flush();
      out += kReplacementCharacter;
      plain = at += character.size;
    }
  }
  flush();
  out += '"';
}

}  // namespace mcptrace::json
