#include "mcp/splice.h"

#include <algorithm>
#include <cstring>

namespace mcptrace::mcp {
namespace {

constexpr std::uint64_t kMostBytes = 1 << 20;

bool needs_escape(char c) { return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20; }

// Is any of the eight bytes one that needs an escape? A borrow can only come out of a byte that is.
bool any_needs_escape(const char* eight) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  std::uint64_t word;
  std::memcpy(&word, eight, sizeof(word));
  const std::uint64_t quote = word ^ kOnes * '"';
  const std::uint64_t backslash = word ^ kOnes * '\\';
  const std::uint64_t found =
      ((quote - kOnes) & ~quote) | ((backslash - kOnes) & ~backslash) | ((word - kOnes * 0x20) & ~word);
  return (found & kOnes * 0x80) != 0;
}

bool is_plain(std::string_view text) {
  if (text.size() < 8) return std::ranges::none_of(text, needs_escape);
  const char* const last = text.data() + text.size() - 8;
  for (const char* at = text.data(); at < last; at += 8) {
    if (any_needs_escape(at)) return false;
  }
  return !any_needs_escape(last);
}

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\', out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00", out += c < 0x10 ? '0' : '1', out += "0123456789abcdef"[c & 15];
    } else {
      out += c;
    }
  }
}

// Appends the parts one after the other, growing `out` once.
template <class... Parts>
[[gnu::always_inline]] inline void append_all(std::string& out, const Parts&... parts) {
  const std::size_t old_size = out.size();
  const std::size_t size = (old_size + ... + parts.size());
  out.resize_and_overwrite(size, [&](char* data, std::size_t) {
    char* at = data + old_size;
    ((at += parts.copy(at, parts.size())), ...);
    return size;
  });
}

// A traceparent is digits and dashes: it needs no look.
constexpr std::string_view kTraceparentKey = "\"traceparent\":\"";
constexpr std::string_view kTracestateKey = "\"tracestate\":";
constexpr std::string_view kCommaTracestateKey = "\",\"tracestate\":\"";
constexpr std::string_view kQuote = "\"";

void append_traceparent_value(std::string& out, const Injection& injection) {
  append_all(out, kQuote, injection.traceparent, kQuote);
}

void append_tracestate_value(std::string& out, const Injection& injection) {
  out += '"';
  if (is_plain(injection.tracestate)) {
    out += injection.tracestate;
  } else {
    append_escaped(out, injection.tracestate);
  }
  out += '"';
}

void append_traceparent(std::string& out, const Injection& injection) {
  append_all(out, kTraceparentKey, injection.traceparent, kQuote);
}

void append_tracestate(std::string& out, const Injection& injection) {
  out += kTracestateKey;
  append_tracestate_value(out, injection);
}

// The members that there shall be, between `before` and `after`.
void append_members(std::string& out, std::string_view before, const Injection& injection, std::string_view after) {
  if (injection.tracestate.empty()) {
    append_all(out, before, kTraceparentKey, injection.traceparent, kQuote, after);
  } else if (is_plain(injection.tracestate)) {
    append_all(out, before, kTraceparentKey, injection.traceparent, kCommaTracestateKey, injection.tracestate, kQuote,
               after);
  } else {
    append_all(out, before, kTraceparentKey, injection.traceparent, kCommaTracestateKey);
    append_escaped(out, injection.tracestate);
    append_all(out, kQuote, after);
  }
}

// The next edit: replaces `range`.
std::string& add(Edits& edits, Range range) {
  Edit& edit = edits.edit[edits.count++];
  edit.offset = range.begin;
  edit.removed_size = range.end - range.begin;
  edit.inserted.clear();
  return edit.inserted;
}

bool is_first_member(const SpliceMap& map, const Range& member) { return member.begin == map.meta.begin + 1; }

void plan_without_meta(const SpliceMap& map, const Injection& injection, Edits& edits) {
  if (!map.params.present()) {
    const std::uint64_t brace = map.root.end - 1;
    append_members(add(edits, {brace, brace}), ",\"params\":{\"_meta\":{", injection, "}}");
    return;
  }
  const std::uint64_t inside = map.params.begin + 1;
  append_members(add(edits, {inside, inside}), "\"_meta\":{", injection, map.params_is_empty ? "}" : "},");
}

// There is a tracestate but no traceparent: the member makes room for both, or for the one.
void plan_beside_tracestate(const SpliceMap& map, const Injection& injection, Edits& edits) {
  if (!injection.tracestate.empty()) {
    std::string& out = add(edits, map.tracestate);
    append_tracestate_value(out, injection);
    out += ',';
    append_traceparent(out, injection);
    return;
  }
  std::string& out = add(edits, map.tracestate_member);
  if (!is_first_member(map, map.tracestate_member)) out += ',';
  append_traceparent(out, injection);
}

// Both are there, and the tracestate goes. Taking out the first member would leave the comma after it, so there the
// traceparent, which has a comma before it, moves into its place.
void plan_dropping_tracestate(const SpliceMap& map, const Injection& injection, Edits& edits) {
  if (is_first_member(map, map.tracestate_member)) {
    append_traceparent(add(edits, map.tracestate_member), injection);
    add(edits, map.traceparent_member);
    return;
  }
  const bool traceparent_first = map.traceparent.begin < map.tracestate.begin;
  if (!traceparent_first) add(edits, map.tracestate_member);
  append_traceparent_value(add(edits, map.traceparent), injection);
  if (traceparent_first) add(edits, map.tracestate_member);
}

void plan_both(const SpliceMap& map, const Injection& injection, Edits& edits) {
  const bool traceparent_first = map.traceparent.begin < map.tracestate.begin;
  if (!traceparent_first) append_tracestate_value(add(edits, map.tracestate), injection);
  append_traceparent_value(add(edits, map.traceparent), injection);
  if (traceparent_first) append_tracestate_value(add(edits, map.tracestate), injection);
}

void plan_in_meta(const SpliceMap& map, const Injection& injection, Edits& edits) {
  const bool has_parent = map.traceparent.present();
  const bool has_state = map.tracestate.present();
  if (!has_parent && !has_state) {
    const std::uint64_t inside = map.meta.begin + 1;
    append_members(add(edits, {inside, inside}), "", injection, map.meta_is_empty ? "" : ",");
  } else if (!has_parent) {
    plan_beside_tracestate(map, injection, edits);
  } else if (!has_state) {
    std::string& out = add(edits, map.traceparent);
    append_traceparent_value(out, injection);
    if (injection.tracestate.empty()) return;
    out += ',';
    append_tracestate(out, injection);
  } else if (injection.tracestate.empty()) {
    plan_dropping_tracestate(map, injection, edits);
  } else {
    plan_both(map, injection, edits);
  }
}

}  // namespace

NotInjected may_inject(const Message& message, const SpliceMap& map) {
  if (message.has(kInBatch)) return NotInjected::kBatch;
  const bool request = message.kind == MessageKind::kRequest;
  const bool notification = message.kind == MessageKind::kNotification && map.meta.present();
  if (message.direction != Direction::kClientToServer || (!request && !notification)) return NotInjected::kNotRequest;
  if (message.method == Method::kInitialize && !map.meta.present()) return NotInjected::kInitialize;
  if (message.has(kAmbiguous)) return NotInjected::kAmbiguous;
  if (message.bytes > kMostBytes) return NotInjected::kTooLarge;
  const bool odd_params = map.params.present() && !map.params_is_object;
  const bool odd_meta = map.meta.present() && !map.meta_is_object;
  if (!map.root.present() || odd_params || odd_meta || map.context_is_odd || message.id.type == IdType::kOther) {
    return NotInjected::kBadShape;
  }
  return NotInjected::kNone;
}

void plan_splice(const SpliceMap& map, const Injection& injection, Edits& edits) {
  edits.count = 0;
  if (map.meta.present()) {
    plan_in_meta(map, injection, edits);
  } else {
    plan_without_meta(map, injection, edits);
  }
}

}  // namespace mcptrace::mcp
