#include "trace/gate.h"

#include "base/keyed_hash.h"
#include "base/utf8.h"
#include "mcp/message.h"
#include "mcp/request_id.h"

namespace mcptrace::trace {
namespace {

constexpr std::size_t kMaxName = 128;
constexpr std::size_t kMaxVersion = 32;

// `text` as valid UTF-8 without what is not visible, cut to kMaxName bytes between characters. True if something
// invisible was left out.
bool append_visible(std::string_view text, std::string& out) {
  const std::string clean = clean_utf8(text, text.size() * 3);
  std::string_view rest = clean;
  bool hidden = false;
  while (!rest.empty()) {
    const Character c = first_character(rest);
    if (!is_visible(c.code)) {
      hidden = true;
    } else if (out.size() + c.size > kMaxName) {
      break;
    } else {
      out.append(rest.substr(0, c.size));
    }
    rest.remove_prefix(c.size);
  }
  return hidden;
}

// At most 64 code points, all visible, of the spaces only the plain one.
bool is_visible_peer(std::string_view text) {
  constexpr std::size_t kMost = 64;
  std::size_t count = 0;
  while (!text.empty()) {
    const Character c = first_character(text);
    if (!c.good || !is_visible(c.code) || (is_space(c.code) && c.code != ' ') || ++count > kMost) return false;
    text.remove_prefix(c.size);
  }
  return true;
}

void set_fingerprint(std::string_view before, std::uint64_t print, std::string& out) {
  out.assign(before).append(hex32_of(print));
}

}  // namespace

std::string_view gate_name(std::string_view text, bool cut, bool declared, std::uint64_t print, std::string& buffer) {
  if (!cut && mcp::is_plain_name(text)) return text;
  buffer.clear();
  const bool hidden = declared && append_visible(text, buffer);
  if (buffer.empty()) {
    set_fingerprint("_OTHER#", print, buffer);
  } else if (hidden && mcp::is_plain_name(buffer)) {  // it would pass for the tool that it only looks like
    buffer.append("#").append(hex32_of(print));
  }
  return buffer;
}

void gate_peer(std::string_view text, std::uint64_t print, std::string& out) {
  if (mcp::is_plain_peer(text) || is_visible_peer(text)) {
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
