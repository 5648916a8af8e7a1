#include "json/text.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace mcptrace::json {
namespace {

constexpr char32_t kReplacement = 0xfffd;

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

// UTF-8 of `code`, which is no surrogate; returns its length.
std::size_t encode(char32_t code, char* out) {
  const auto tail = [code](int shift) { return static_cast<char>(0x80 | (code >> shift & 0x3f)); };
  if (code < 0x80) {
    out[0] = static_cast<char>(code);
    return 1;
  }
  if (code < 0x800) {
    out[0] = static_cast<char>(0xc0 | code >> 6);
    out[1] = tail(0);
    return 2;
  }
  if (code < 0x10000) {
    out[0] = static_cast<char>(0xe0 | code >> 12);
    out[1] = tail(6);
    out[2] = tail(0);
    return 3;
  }
  out[0] = static_cast<char>(0xf0 | code >> 18);
  out[1] = tail(12);
  out[2] = tail(6);
  out[3] = tail(0);
  return 4;
}

int hex_digit(char byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
  if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
  return -1;
}

// The value of four hexadecimal digits at the front of `raw`.
std::optional<char32_t> four_digits(std::string_view raw) {
  if (raw.size() < 4) return std::nullopt;
  char32_t value = 0;
  for (const char byte : raw.substr(0, 4)) {
    const int digit = hex_digit(byte);
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
  switch (raw[1]) {
    case '"':
    case '\\':
    case '/':
      return {static_cast<char32_t>(raw[1]), 2};
    case 'b':
      return {'\b', 2};
    case 'f':
      return {'\f', 2};
    case 'n':
      return {'\n', 2};
    case 'r':
      return {'\r', 2};
    case 't':
      return {'\t', 2};
    case 'u':
      return read_unicode_escape(raw);
    // The byte after a bad escape's backslash may be the first of a longer character.
    default:
      return {kReplacement, static_cast<unsigned char>(raw[1]) < 0x80 ? std::size_t{2} : std::size_t{1}};
  }
}

// The longest prefix of `text` of at most `limit` bytes that does not end within a character.
std::size_t whole_prefix(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text.size();
  std::size_t size = limit;
  for (int back = 0; back < 3 && size > 0 && is_continuation(text[size]); ++back) --size;
  return is_continuation(text[size]) ? limit : size;
}

// The UTF-8 sequence at the front of `text`, which is not empty: its length, and whether it is a character. Of a bad
// one the length is that of the longest beginning of a character, at least 1 (Unicode 15, 3.9, "substitution of maximal
// subparts").
struct Sequence {
  std::size_t length;
  bool good;
};

Sequence read_sequence(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {1, true};
  if (first < 0xc2 || first > 0xf4) return {1, false};
  const std::size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  // The second byte's range excludes overlong forms, surrogates and what is above U+10FFFF.
  const unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (text.size() < 2 || byte(1) < low || byte(1) > high) return {1, false};
  for (std::size_t i = 2; i < length; ++i) {
    if (i >= text.size() || !is_continuation(text[i])) return {i, false};
  }
  return {length, true};
}

std::size_t ascii_prefix(std::string_view text) {
  std::size_t size = 0;
  for (; size + 8 <= text.size(); size += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + size, sizeof(word));
    if ((word & 0x8080808080808080) != 0) break;
  }
  while (size < text.size() && static_cast<unsigned char>(text[size]) < 0x80) ++size;
  return size;
}

constexpr std::string_view kReplacementBytes = "\xef\xbf\xbd";

void append_escaped(std::string& out, unsigned char byte) {
  static constexpr char kDigits[] = "0123456789abcdef";
  switch (byte) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\b':
      out += "\\b";
      break;
    case '\f':
      out += "\\f";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    default:
      out += "\\u00";
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
  }
}

}  // namespace

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
    const std::size_t length = encode(escape.code, bytes);
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
    } else if (const Sequence sequence = read_sequence(text.substr(at)); sequence.good) {
      at += sequence.length;
    } else {
      flush();
      out += kReplacementBytes;
      plain = at += sequence.length;
    }
  }
  flush();
  out += '"';
}

bool is_utf8(std::string_view text) {
  for (;;) {
    text.remove_prefix(ascii_prefix(text));
    if (text.empty()) return true;
    const Sequence sequence = read_sequence(text);
    if (!sequence.good) return false;
    text.remove_prefix(sequence.length);
  }
}

std::string clean_utf8(std::string_view text, std::size_t limit) {
  std::string out;
  out.reserve(std::min(text.size(), limit));
  while (!text.empty()) {
    const Sequence sequence = read_sequence(text);
    const std::string_view piece = sequence.good ? text.substr(0, sequence.length) : kReplacementBytes;
    if (piece.size() > limit - out.size()) break;
    out += piece;
    text.remove_prefix(sequence.length);
  }
  return out;
}

}  // namespace mcptrace::json
