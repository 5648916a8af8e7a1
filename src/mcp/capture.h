// The strings and ids of the message that passes: their first bytes kept in fixed buffers, the whole of them hashed
// where it is longer. One value at a time is being captured; a slot's content stays until it is captured again.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/keyed_hash.h"
#include "json/scanner.h"
#include "mcp/long_hash.h"
#include "mcp/message.h"
#include "mcp/string_decoder.h"

namespace mcptrace::mcp {

enum class Slot : std::uint8_t {
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
  kCount
};
inline constexpr std::size_t kSlotCount = static_cast<std::size_t>(Slot::kCount);

class TextCapture {
 public:
  explicit TextCapture(const HashKey& key);

  // `prefix` (of kConversation) comes before the text.
  void begin(Slot slot, std::string_view prefix = {});
  void feed(std::string_view raw);
  void finish();
  // Forgets everything, at no cost.
  void clear() { captured_ = cut_ = 0; }

  [[nodiscard]] bool has(Slot slot) const { return (captured_ & bit(slot)) != 0; }
  [[nodiscard]] bool cut(Slot slot) const { return (cut_ & bit(slot)) != 0; }
  // Decoded, cut to the slot's limit between characters; empty if not has().
  [[nodiscard]] std::string_view text(Slot slot) const;
  // The keyed hash of the whole decoded text; 0 if not has().
  [[nodiscard]] std::uint64_t print(Slot slot) const;

 private:
  static std::uint32_t bit(Slot slot) { return 1u << static_cast<unsigned>(slot); }
  void append(std::string_view decoded);
  void overflow(std::string_view rest);

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

// Which of a message's ids.
enum class IdSlot : std::uint8_t { kMessage, kRequestId, kProgressToken, kMetaProgressToken, kSubscription, kCount };

class IdCapture {
 public:
  explicit IdCapture(const HashKey& key) : key_(key) {}

  // Of a string or a number, whose text follows; any other kind is captured at once.
  void begin(IdSlot slot, json::Kind kind);
  void feed(std::string_view raw);
  void finish();
  void clear() { captured_ = 0; }

  // kAbsent if there was none.
  [[nodiscard]] RequestId id(IdSlot slot) const;
  // Of IdSlot::kMessage, with id(kMessage).usable(): what may be shown of it, and the keyed hash if it is not all
  // plain.
  [[nodiscard]] std::string_view text() const { return {text_.data(), text_size_}; }
  [[nodiscard]] bool text_cut() const { return text_cut_; }
  [[nodiscard]] std::uint64_t print() const { return print_; }

 private:
  void store(const RequestId& id);
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
