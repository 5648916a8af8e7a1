#include "trace/gate.h"

#include <algorithm>

#include "base/keyed_hash.h"
#include "json/text.h"

namespace mcptrace::trace {
namespace {

constexpr std::size_t kMaxName = 128;
constexpr std::size_t kMaxPeer = 64;
constexpr std::size_t kMaxId = 64;
constexpr std::size_t kMaxVersion = 32;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_id_char(char c) {
  return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '-';
}
bool is_name_char(char c) { return is_id_char(c) || c == '.' || c == '/'; }
bool is_printable(char c) { return c >= 0x20 && c <= 0x7e; }

struct CodePoint {
  char32_t value;
  std::size_t size;  // bytes
};

// The first character of `text`, which is valid UTF-8 and not empty.
CodePoint first_of(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(text[i])); };
  const char32_t lead = byte(0);
  const auto next = [&byte](std::size_t i) { return byte(i) & 0x3f; };
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xe0) return {(lead & 0x1f) << 6 | next(1), 2};
  if (lead < 0xf0) return {(lead & 0x0f) << 12 | next(1) << 6 | next(2), 3};
  return {(lead & 0x07) << 18 | next(1) << 12 | next(2) << 6 | next(3), 4};
}

// What changes how other text is shown, or is not shown itself: controls, line and paragraph separators, direction
// marks, joiners, annotations, and the tag characters that spell ASCII for a model and nothing for a person.
bool is_invisible(char32_t c) {
  struct Range {
    char32_t first;
    char32_t last;
  };
  static constexpr Range kRanges[] = {
      {0x0000, 0x001f}, {0x007f, 0x009f}, {0x00ad, 0x00ad}, {0x061c, 0x061c}, {0x180e, 0x180e},   {0x200b, 0x200f},
      {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe0fff},
  };
  return std::ranges::any_of(kRanges, [c](Range range) { return c >= range.first && c <= range.last; });
}

// `text` as valid UTF-8 without invisible characters, cut to kMaxName bytes between characters.
void append_visible(std::string_view text, std::string& out) {
  const std::string clean = json::clean_utf8(text, text.size() * 3);
  std::string_view rest = clean;
  while (!rest.empty()) {
    const CodePoint c = first_of(rest);
    if (!is_invisible(c.value)) {
      if (out.size() + c.size > kMaxName) return;
      out.append(rest.substr(0, c.size));
    }
    rest.remove_prefix(c.size);
  }
}

void set_fingerprint(std::string_view before, std::uint64_t print, std::string& out) {
  out.assign(before).append(hex32_of(print));
}

}  // namespace

bool has_name_form(std::string_view text) {
  return !text.empty() && text.size() <= kMaxName && std::ranges::all_of(text, is_name_char);
}

void gate_name(std::string_view text, bool cut, bool declared, std::uint64_t print, std::string& out) {
  out.clear();
  if (!cut && has_name_form(text)) {
    out.assign(text);
    return;
  }
  if (declared) append_visible(text, out);
  if (out.empty()) set_fingerprint("_OTHER#", print, out);
}

void gate_peer(std::string_view text, std::uint64_t print, std::string& out) {
  if (text.size() <= kMaxPeer && std::ranges::all_of(text, is_printable)) {
    out.assign(text);
  } else {
    set_fingerprint("#", print, out);
  }
}

void gate_request_id(std::string_view text, bool integer, std::uint64_t print, std::string& out) {
  const std::string_view digits = integer && text.starts_with('-') ? text.substr(1) : text;
  const bool fits = !digits.empty() && text.size() <= kMaxId &&
                    (integer ? std::ranges::all_of(digits, is_digit) : std::ranges::all_of(digits, is_id_char));
  if (fits) {
    out.assign(text);
  } else {
    set_fingerprint("#", print, out);
  }
}

std::string_view gate_version(std::string_view text) {
  return has_name_form(text) && text.size() <= kMaxVersion ? text : "_OTHER";
}

}  // namespace mcptrace::trace
