#include "trace/gate.h"

#include <algorithm>

#include "base/keyed_hash.h"
#include "json/text.h"
#include "mcp/message.h"
#include "mcp/request_id.h"

namespace mcptrace::trace {
namespace {

constexpr std::size_t kMaxName = 128;
constexpr std::size_t kMaxVersion = 32;

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

std::string_view gate_name(std::string_view text, bool cut, bool declared, std::uint64_t print, std::string& buffer) {
  if (!cut && mcp::is_plain_name(text)) return text;
  buffer.clear();
  if (declared) append_visible(text, buffer);
  if (buffer.empty()) set_fingerprint("_OTHER#", print, buffer);
  return buffer;
}

void gate_peer(std::string_view text, std::uint64_t print, std::string& out) {
  if (mcp::is_plain_peer(text)) {
    out.assign(text);
  } else {
    set_fingerprint("#", print, out);
  }
}

std::string_view gate_request_id(std::string_view text, bool integer, std::uint64_t print, std::string& buffer) {
  if (mcp::is_plain_id(integer ? mcp::IdType::kInteger : mcp::IdType::kString, text)) return text;
  set_fingerprint("#", print, buffer);
  return buffer;
}

std::string_view gate_version(std::string_view text) {
  return mcp::is_plain_name(text) && text.size() <= kMaxVersion ? text : "_OTHER";
}

}  // namespace mcptrace::trace
