#include "mcp/capture.h"

#include <algorithm>
#include <cstring>

#include "mcp/request_id.h"

namespace mcptrace::mcp {
using internal::index;
using internal::kRules;

namespace {

// `size` without a character at the end that the cut left incomplete.
std::size_t whole_characters(const char* data, std::size_t size) {
  for (std::size_t back = 1; back <= 3 && back <= size; ++back) {
    const auto byte = static_cast<unsigned char>(data[size - back]);
    if (byte < 0x80) return size;
    if (byte >= 0xc0) {
      const std::size_t wanted = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return wanted > back ? size - back : size;
    }
  }
  return size;
}

bool has_integer_form(std::string_view number) {
  return std::ranges::none_of(number, [](char c) { return c == '.' || (c | 0x20) == 'e'; });
}

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c <= 0x7e; });
}

}  // namespace

TextCapture::TextCapture(const HashKey& key)
    : key_(key), bytes_(std::make_unique_for_overwrite<char[]>(internal::start_of(kSlotCount))) {}

void TextCapture::overflow(std::string_view rest) {
  if (!is_cut_) {
    is_cut_ = true;
    const std::string_view domain = kRules[index(slot_)].domain;
    if (!domain.empty()) hash_.emplace(key_, domain).update({data_, size_});
  }
  if (hash_) hash_->update(rest);
}

void TextCapture::finish_cut() {
  cut_ |= bit(slot_);
  size_ = whole_characters(data_, size_);
  if (hash_) prints_[index(slot_)] = hash_->finish();
}

std::uint64_t TextCapture::computed_print(Slot slot) const {
  if (cut(slot)) return prints_[index(slot)];
  LongHash hash(key_, kRules[index(slot)].domain);
  hash.update(text(slot));
  return hash.finish();
}

[[gnu::noinline]] void IdCapture::begin(IdSlot slot, json::Kind kind) {
  slot_ = slot;
  is_string_ = kind == json::Kind::kString;
  is_integer_ = true;
  raw_size_ = 0;
  hash_.reset();
  if (kind == json::Kind::kNull) {
    store(slot, {.type = IdType::kNull});
  } else if (!is_string_ && kind != json::Kind::kNumber) {
    store(slot, {.type = IdType::kOther});
    if (slot == IdSlot::kMessage) text_size_ = 0, text_cut_ = true, print_ = 0;
  }
}

void IdCapture::feed(std::string_view raw) {
  const std::size_t fits = std::min(raw.size(), kRawLimit - raw_size_);
  std::memcpy(raw_.data() + raw_size_, raw.data(), fits);
  raw_size_ += fits;
  if (fits == raw.size()) return;
  is_integer_ &= has_integer_form(raw.substr(fits));
  if (!hash_) hash_.emplace(key_, "request-id").update({raw_.data(), raw_size_});
  hash_->update(raw.substr(fits));
}

void IdCapture::finish() {
  const std::string_view raw(raw_.data(), raw_size_);
  if (!is_string_ && take(slot_, raw)) return;
  is_integer_ &= has_integer_form(raw);
  const IdType type = is_string_ ? IdType::kString : is_integer_ ? IdType::kInteger : IdType::kNumber;
  if (hash_) {
    const std::uint64_t print = hash_->finish();
    store(slot_, make_long_id(type, print));
    if (slot_ == IdSlot::kMessage) text_size_ = 0, text_cut_ = true, print_ = print;
    return;
  }
  const std::string_view decoded = decode();
  store(slot_, make_id(type, raw, decoded));
  if (slot_ == IdSlot::kMessage) keep_text(type, decoded);
}

// What nearly all ids are: a few digits, which need no decoding and may be shown.
[[gnu::noinline]] bool IdCapture::take(IdSlot slot, std::string_view digits) {
  const auto value = small_integer(digits);
  if (!value) return false;
  store(slot, make_small_id(*value));
  if (slot != IdSlot::kMessage) return true;
  copy_bytes(text_.data(), digits.data(), digits.size());
  text_size_ = digits.size();
  text_cut_ = false;
  print_ = 0;
  return true;
}

std::string_view IdCapture::decode() {
  const std::string_view raw(raw_.data(), raw_size_);
  if (!is_string_ || raw.find('\\') == std::string_view::npos) return raw;
  std::size_t size = 0;  // a character is never longer than its escape, but for the three bytes of a replacement
  const auto keep = [&](std::string_view piece) {
    const std::size_t fits = std::min(piece.size(), decoded_.size() - size);
    std::memcpy(decoded_.data() + size, piece.data(), fits);
    size += fits;
  };
  StringDecoder decoder;
  decoder.feed(raw, keep);
  decoder.finish(keep);
  return {decoded_.data(), size};
}

void IdCapture::keep_text(IdType type, std::string_view decoded) {
  text_cut_ = decoded.size() > text_.size() || !is_printable(decoded);
  text_size_ = text_cut_ ? 0 : decoded.size();
  std::memcpy(text_.data(), decoded.data(), text_size_);
  print_ = 0;
  if (is_plain_id(type, decoded)) return;
  LongHash hash(key_, "request-id");
  hash.update(decoded);
  print_ = hash.finish();
}

void IdCapture::store(IdSlot slot, const RequestId& id) {
  ids_[static_cast<std::size_t>(slot)] = id;
  captured_ |= 1u << static_cast<unsigned>(slot);
}

}  // namespace mcptrace::mcp
