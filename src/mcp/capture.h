// The strings and ids of the message that passes: their first bytes kept in fixed buffers, the whole of them hashed
// where it is longer. One value at a time is being captured; a slot's content stays until it is captured again.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string_view>

#include "base/keyed_hash.h"
#include "base/short_bytes.h"
#include "json/scanner.h"
#include "mcp/long_hash.h"
#include "mcp/message.h"
#include "mcp/string_decoder.h"

namespace mcptrace::mcp {

enum class Slot : std::uint8_t {
  kJsonrpc,
  kMethod,
  kName,
  kToolName,
  kVersion,  // of params or result; kMeta…: of their _meta
  kMetaVersion,
  kPeerName,
  kPeerVersion,
  kMetaPeerName,
  kMetaPeerVersion,
  kTraceparent,
  kTracestate,
  kBaggage,
  kConversation,
  kResultType,
  kCode,
  kErrorMessage,  // this and what follows keep no byte, only the hash
  kRequestState,
  kTask,
  kUri,
  kCount
};
inline constexpr std::size_t kSlotCount = static_cast<std::size_t>(Slot::kCount);

namespace internal {

struct SlotRule {
  std::uint16_t limit;
  std::string_view domain;  // of its keyed hash; empty: none is wanted
};

inline constexpr std::array<SlotRule, kSlotCount> kRules = {{
    {3, ""},  // jsonrpc
    {text_limit(Text::kMethod), "method"},
    {text_limit(Text::kName), "tool-name"},
    {text_limit(Text::kName), "tool-name"},
    {text_limit(Text::kProtocolVersion), ""},
    {text_limit(Text::kProtocolVersion), ""},
    {text_limit(Text::kPeerName), "peer-name"},
    {text_limit(Text::kPeerVersion), "peer-version"},
    {text_limit(Text::kPeerName), "peer-name"},
    {text_limit(Text::kPeerVersion), "peer-version"},
    {text_limit(Text::kTraceparent), ""},
    {text_limit(Text::kTracestate), ""},
    {text_limit(Text::kBaggage), ""},
    {text_limit(Text::kConversation), ""},
    {16, ""},  // result type
    {24, ""},  // error code
    {0, "error-message"},
    {0, "request-state"},
    {0, "task"},
    {0, "uri"},
}};

constexpr std::size_t start_of(std::size_t slot) {
  std::size_t start = 0;
  for (std::size_t i = 0; i < slot; ++i) start += kRules[i].limit;
  return start;
}
inline constexpr auto kStarts = [] {
  std::array<std::uint32_t, kSlotCount> starts{};
  for (std::size_t i = 0; i < kSlotCount; ++i) starts[i] = static_cast<std::uint32_t>(start_of(i));
  return starts;
}();

inline std::size_t index(Slot slot) { return static_cast<std::size_t>(slot); }

}  // namespace internal

class TextCapture {
 public:
  explicit TextCapture(const HashKey& key);

  // `prefix` (of kConversation) comes before the text.
  void begin(Slot slot, std::string_view prefix = {});
  void feed(std::string_view raw);
  void finish();
  // In place of begin(), feed() and finish(): all of it. False: it is not a short plain one, and nothing was done.
  bool take(Slot slot, std::string_view raw);
  // Forgets everything, at no cost.
  void clear() { captured_ = cut_ = 0; }

  [[nodiscard]] bool has(Slot slot) const { return (captured_ & bit(slot)) != 0; }
  [[nodiscard]] bool has_any(std::initializer_list<Slot> slots) const {
    std::uint32_t wanted = 0;
    for (const Slot slot : slots) wanted |= bit(slot);
    return (captured_ & wanted) != 0;
  }
  [[nodiscard]] bool cut(Slot slot) const { return (cut_ & bit(slot)) != 0; }
  // Decoded, cut to the slot's limit between characters; empty if not has().
  [[nodiscard]] std::string_view text(Slot slot) const {
    if (!has(slot)) return {};
    return {bytes_.get() + internal::kStarts[internal::index(slot)], sizes_[internal::index(slot)]};
  }
  // The keyed hash of the whole decoded text; 0 if not has().
  [[nodiscard]] std::uint64_t print(Slot slot) const { return has(slot) ? computed_print(slot) : 0; }

 private:
  static std::uint32_t bit(Slot slot) { return 1u << static_cast<unsigned>(slot); }
  void append(std::string_view decoded);
  void overflow(std::string_view rest);
  void finish_cut();
  [[nodiscard]] std::uint64_t computed_print(Slot slot) const;

  const HashKey& key_;
  std::unique_ptr<char[]> bytes_;
  std::array<std::uint16_t, kSlotCount> sizes_{};
  std::array<std::uint64_t, kSlotCount> prints_{};  // of those that were cut
  std::uint32_t captured_ = 0;
  std::uint32_t cut_ = 0;

  // The text being captured.
  Slot slot_ = Slot::kMethod;
  char* data_ = nullptr;
  std::size_t limit_ = 0;
  std::size_t size_ = 0;
  bool is_cut_ = false;
  StringDecoder decoder_;
  std::optional<LongHash> hash_;
};

// Inline: each is called for every string that is captured.

inline void TextCapture::begin(Slot slot, std::string_view prefix) {
  slot_ = slot;
  data_ = bytes_.get() + internal::kStarts[internal::index(slot)];
  limit_ = internal::kRules[internal::index(slot)].limit;
  size_ = 0;
  is_cut_ = false;
  decoder_ = StringDecoder();
  hash_.reset();
  if (!prefix.empty()) append(prefix);
}

inline void TextCapture::feed(std::string_view raw) {
  decoder_.feed(raw, [this](std::string_view decoded) { append(decoded); });
}

inline void TextCapture::append(std::string_view decoded) {
  const std::size_t fits = std::min(decoded.size(), limit_ - size_);
  std::memcpy(data_ + size_, decoded.data(), fits);
  size_ += fits;
  if (fits < decoded.size()) [[unlikely]]
    overflow(decoded.substr(fits));
}

inline void TextCapture::finish() {
  decoder_.finish([this](std::string_view decoded) { append(decoded); });
  captured_ |= bit(slot_);
  cut_ &= ~bit(slot_);
  if (is_cut_) [[unlikely]]
    finish_cut();
  sizes_[internal::index(slot_)] = static_cast<std::uint16_t>(size_);
}

namespace internal {

// For the few bytes that most texts have, where a call costs more than the search; of a longer one it says yes.
inline bool may_hold_backslash(std::string_view text) {
  constexpr std::size_t kWord = sizeof(std::uint64_t);
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  if (text.size() > 8 * kWord) return true;
  const auto holds = [](const char* at) {
    std::uint64_t word;
    std::memcpy(&word, at, kWord);
    word ^= kOnes * static_cast<unsigned char>('\\');
    return ((word - kOnes) & ~word & 0x80 * kOnes) != 0;
  };
  if (text.size() < kWord) return std::ranges::find(text, '\\') != text.end();
  for (std::size_t at = 0; at + kWord < text.size(); at += kWord) {
    if (holds(text.data() + at)) return true;
  }
  return holds(text.data() + text.size() - kWord);
}

}  // namespace internal

inline bool TextCapture::take(Slot slot, std::string_view raw) {
  const std::size_t i = internal::index(slot);
  if (raw.size() > internal::kRules[i].limit || internal::may_hold_backslash(raw)) return false;
  copy_bytes(bytes_.get() + internal::kStarts[i], raw.data(), raw.size());
  captured_ |= bit(slot);
  cut_ &= ~bit(slot);
  sizes_[i] = static_cast<std::uint16_t>(raw.size());
  return true;
}

// Which of a message's ids.
enum class IdSlot : std::uint8_t { kMessage, kRequestId, kProgressToken, kMetaProgressToken, kSubscription, kCount };

class IdCapture {
 public:
  explicit IdCapture(const HashKey& key) : key_(key) {}

  // Of a string or a number, whose text follows; any other kind is captured at once.
  void begin(IdSlot slot, json::Kind kind);
  void feed(std::string_view raw);
  void finish();
  // In place of begin(), feed() and finish(), of a number: all of it. False: it is not of a few digits, and nothing was
  // done.
  bool take(IdSlot slot, std::string_view digits);
  void clear() { captured_ = 0; }

  // kAbsent if there was none.
  [[nodiscard]] RequestId id(IdSlot slot) const {
    const auto i = static_cast<unsigned>(slot);
    return (captured_ >> i & 1) != 0 ? ids_[i] : RequestId{};
  }
  // Of IdSlot::kMessage, with id(kMessage).usable(): what may be shown of it, and the keyed hash if it is not all
  // plain.
  [[nodiscard]] std::string_view text() const { return {text_.data(), text_size_}; }
  [[nodiscard]] bool text_cut() const { return text_cut_; }
  [[nodiscard]] std::uint64_t print() const { return print_; }

 private:
  void store(IdSlot slot, const RequestId& id);
  std::string_view decode();
  void keep_text(IdType type, std::string_view decoded);

  static constexpr std::size_t kRawLimit = 6 * text_limit(Text::kId);  // all written as \uXXXX

  const HashKey& key_;
  std::array<RequestId, static_cast<std::size_t>(IdSlot::kCount)> ids_{};
  std::uint32_t captured_ = 0;

  IdSlot slot_ = IdSlot::kMessage;
  bool is_string_ = false;
  bool is_integer_ = false;
  std::size_t raw_size_ = 0;
  std::array<char, kRawLimit> raw_;
  std::array<char, kRawLimit> decoded_;
  std::optional<LongHash> hash_;  // of an id longer than raw_

  std::array<char, text_limit(Text::kId)> text_;
  std::size_t text_size_ = 0;
  bool text_cut_ = false;
  std::uint64_t print_ = 0;
};

}  // namespace mcptrace::mcp
