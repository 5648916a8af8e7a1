// The one JSON scanner of the data path: streaming, iterative, linear, without allocation.
//
// It finds structure and offsets and judges nothing: odd numbers, unknown keys and missing commas pass, as does bad
// UTF-8, of which it tells. What it says of valid JSON is exact (tested against simdjson); of anything else it says
// *something*, never crashes, never looks twice. Input comes in pieces of any size; how it is cut never changes what is
// reported. One object a stream, one thread.
//
// A Handler decides what is worth looking at. Values that it does not enter are passed over 64 bytes at a time.
//
//   struct Handler {
//     // A value begins at `offset` (bytes since reset()). For a member of an object, `key` is its raw name (escapes
//     undecoded,
//     // cut to kMaxKey bytes); for an array's element and the root it has no data. Called for children of entered
//     values only. Step on_value(const Key& key, Kind kind, std::uint64_t offset);
//     // A piece of the value's raw text (string: between the quotes, undecoded). Only after Step::kText; any number of
//     times. void on_text(std::string_view piece);
//     // The value ended; `offset` is one past its last byte. Only for values that were entered or given as text.
//     // May return a bool: true at the end of an object or array, and feed() returns.
//     void on_end(Kind kind, std::uint64_t offset);
//     // May be absent. In place of on_text() and on_end() where the whole text is at hand, as it mostly is.
//     void on_whole_text(std::string_view text, Kind kind, std::uint64_t offset);
//     // May be absent. Bytes of a complete value are no UTF-8; said before feed() returns, perhaps repeatedly.
//     void on_bad_utf8();
//   };
//   Scanner<Handler> scanner(handler);
//   scanner.feed("{\"id\":"); scanner.feed("7}"); Shape shape = scanner.finish();
//
// The source of the grammar is RFC 8259; of the technique, "Parsing Gigabytes of JSON per Second" (Langdale, Lemire).
//
// Brackets must match where values are entered; inside values that are passed over they are only counted. At the first
// fault that makes the shape kBroken the scanner stops: nothing more is reported until reset().
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "json/kernel.h"
#include "json/utf8_check.h"

namespace mcptrace::json {

enum class Kind : std::uint8_t { kObject, kArray, kString, kNumber, kTrue, kFalse, kNull, kOther };

enum class Step : std::uint8_t {
  kSkip,   // pass over the value, whatever it holds
  kEnter,  // object or array: report its children (for a scalar: the same as kSkip)
  kText,   // scalar: give its raw text (for an object or array: the same as kSkip)
};

struct Key {
  std::string_view text;  // data() == nullptr: no key. Valid during on_value()
  bool escaped = false;   // holds a backslash: the real name is decode_string(text)
  bool cut = false;       // longer than kMaxKey
};

// What was between reset() and finish().
enum class Shape : std::uint8_t {
  kBlank,     // nothing but white space (space, tab, CR, LF)
  kComplete,  // one value, every container closed, nothing but white space around it
  kBroken,    // anything else
};

inline constexpr std::size_t kMaxKey = 64;
// Containers may be entered this deep; deeper ones are reported and passed over.
inline constexpr int kMaxEntered = 16;

namespace internal {

inline constexpr std::uint8_t kEndsScalar = 0x80;
inline constexpr std::uint8_t kMayEndScalar = 0x40;  // these, and a quote, which may be escaped
inline constexpr std::uint8_t kKindBits = 0x3f;

// What a byte outside strings says: the Kind of a value that begins with it; kEndsScalar, kMayEndScalar.
inline constexpr std::array<std::uint8_t, 256> kBytes = [] {
  std::array<std::uint8_t, 256> bytes{};
  bytes.fill(static_cast<std::uint8_t>(Kind::kOther));
  const auto set = [&bytes](std::string_view which, Kind kind) {
    for (const char byte : which) bytes[static_cast<unsigned char>(byte)] = static_cast<std::uint8_t>(kind);
  };
  set("{", Kind::kObject);
  set("[", Kind::kArray);
  set("\"", Kind::kString);
  set("-0123456789", Kind::kNumber);
  set("t", Kind::kTrue);
  set("f", Kind::kFalse);
  set("n", Kind::kNull);
  for (const char byte : std::string_view(" \t\r\n,:{}[]")) {
    bytes[static_cast<unsigned char>(byte)] |= kEndsScalar | kMayEndScalar;
  }
  bytes[static_cast<unsigned char>('"')] |= kMayEndScalar;
  return bytes;
}();

inline std::uint8_t look_up(char byte) { return kBytes[static_cast<unsigned char>(byte)]; }
inline Kind kind_of(char first) { return static_cast<Kind>(look_up(first) & kKindBits); }

// The quotes of a batch, one after the other. Which is the next one is known from the one before, not from where the
// reader stands: so the processor can look for strings ahead of what is made of them.
class Quotes {
 public:
  explicit Quotes(const Block* blocks) : blocks_(blocks), left_(blocks->quotes) {}

  // Goes on after the opening quote at `at`.
  void open(std::size_t at) {
    if (at / kBlockBytes != index_) {
      index_ = at / kBlockBytes;
      left_ = blocks_[index_].quotes & (~std::uint64_t{0} << at % kBlockBytes);
    }
    left_ &= left_ - 1;
  }
  // Takes the next one: its place, or `size`, which is that of the batch.
  std::size_t next(std::size_t size) {
    while (left_ == 0) {
      if ((index_ + 1) * kBlockBytes >= size) return size;
      left_ = blocks_[++index_].quotes;
    }
    const std::size_t place = index_ * kBlockBytes + static_cast<std::size_t>(std::countr_zero(left_));
    left_ &= left_ - 1;
    return place;
  }
  // What follows up to `at` was passed over without looking at its quotes.
  void passed() { index_ = ~std::size_t{0}; }

 private:
  const Block* blocks_;
  std::size_t index_ = 0;
  std::uint64_t left_;
};

}  // namespace internal

template <class Handler>
class Scanner {
 public:
  // `handler` must outlive the scanner.
  explicit Scanner(Handler& handler, const Kernel& kernel = best_kernel()) : handler_(handler), kernel_(kernel) {}

  // Gives how many bytes it took: all of them, unless the handler pauses; then it is to be fed the rest.
  std::size_t feed(std::string_view piece);
  // The input is over. The scanner may then be asked again or be reset, not fed.
  Shape finish();
  void reset();

 private:
  enum class State : std::uint8_t {
    kBefore,  // the root has not begun
    kItems,   // in an entered container, between tokens
    kKey,     // in a member's name
    kString,
    kScalar,
    kSkip,    // in a container that is passed over
    kAfter,   // the root has ended
    kPaused,  // at the end of a container
    kBroken,
  };

  static constexpr std::size_t kBatchBlocks = 16;
  // One block more than a batch, so that what is left after a batch is never less than a block: the kernels like that
  // better.
  static constexpr std::size_t kMaxBatch = (kBatchBlocks + 1) * kBlockBytes;

  static constexpr Key kNoKey{};

  using Quotes = internal::Quotes;

  void check_utf8(std::string_view batch);
  // These take a position in the batch and return the one to go on from.
  std::size_t scan(const char* data, std::size_t size);
  std::size_t find_root(const char* data, std::size_t at, std::size_t size);
  std::size_t scan_items(const char* data, std::size_t at, std::size_t size, Quotes& quotes);
  std::size_t scan_value(const Key* key, Kind kind, const char* data, std::size_t at, std::size_t size, Quotes& quotes);
  std::size_t scalar_end(const char* data, std::size_t at, std::size_t size) const;
  std::size_t skip(std::size_t at, std::size_t size, Quotes& quotes);
  // These go on with what an earlier batch began.
  std::size_t end_key(const char* data, std::size_t size, Quotes& quotes);
  std::size_t end_string(const char* data, std::size_t size, Quotes& quotes);
  std::size_t end_scalar(const char* data, std::size_t at, std::size_t size);

  [[nodiscard]] bool has_backslash(std::string_view key, std::size_t quote) const;
  void enter(Kind kind);
  void close(Kind kind, std::uint64_t offset);
  void give_text(const char* end);
  void end_text(Kind kind, const char* end, std::uint64_t offset);
  void give_whole(std::string_view text, Kind kind, std::uint64_t offset);
  void keep_key(const char* end);
  void carry_over(const char* end);
  void value_ended() { state_ = level_ == 0 ? State::kAfter : State::kItems; }
  [[nodiscard]] bool is_quote(std::size_t at) const {
    return (blocks_[at / kBlockBytes].quotes >> at % kBlockBytes & 1) != 0;
  }
  [[nodiscard]] bool ends_scalar(char byte, std::size_t at) const {
    const std::uint8_t what = internal::look_up(byte);
    if ((what & internal::kMayEndScalar) == 0) return false;
    return (what & internal::kEndsScalar) != 0 || is_quote(at);
  }

  Handler& handler_;
  const Kernel& kernel_;
  State state_ = State::kBefore;
  Kind kind_ = Kind::kOther;   // of the string or scalar that is open
  bool wanted_ = false;        // its text was asked for
  bool whole_ = false;         // and none of it was given yet
  bool has_key_ = false;       // key_ waits for its value
  bool key_kept_ = false;      // the key so far is in key_buffer_, not in the piece
  std::uint32_t objects_ = 0;  // bit n: the entered container at level n is an object; level 0 is outside the root
  bool in_object_ = false;     // at the present level
  int level_ = 0;
  std::uint64_t depth_ = 0;      // in kSkip: open containers
  std::uint64_t offset_ = 0;     // of the batch's first byte
  const char* token_ = nullptr;  // where the open key or text begins in this piece
  std::size_t kept_size_ = 0;    // bytes of the key before this piece; not more than kMaxKey + 1
  Key key_;
  Carry carry_;
  Utf8Check utf8_;
  std::array<char, kMaxKey> key_buffer_;
  std::array<Block, kBatchBlocks + 1> blocks_;
};

template <class Handler>
[[gnu::always_inline]] inline std::size_t Scanner<Handler>::feed(std::string_view piece) {
  if (piece.empty()) return 0;
  if (state_ == State::kPaused) value_ended();
  const char* data = piece.data();
  const char* const end = data + piece.size();
  token_ = data;
  while (data != end && state_ != State::kBroken) {
    const auto left = static_cast<std::size_t>(end - data);
    const std::size_t size = left <= kMaxBatch ? left : kBatchBlocks * kBlockBytes;
    kernel_.classify(data, size, carry_, blocks_.data());
    const std::size_t taken = scan(data, size);
    if (carry_.not_ascii != 0) [[unlikely]]
      check_utf8({data, taken});
    data += taken;
    offset_ += taken;
    if (state_ == State::kPaused) {  // what follows is classified again, as what stands outside strings
      carry_ = Carry{};
      return static_cast<std::size_t>(data - piece.data());
    }
  }
  carry_over(end);
  return piece.size();
}

// A character that is cut off at the end of the batch is looked at again with what follows, ASCII or not.
template <class Handler>
[[gnu::cold, gnu::noinline]] void Scanner<Handler>::check_utf8(std::string_view batch) {
  if constexpr (requires { handler_.on_bad_utf8(); }) {
    if (!utf8_.feed(batch)) handler_.on_bad_utf8();
    carry_.not_ascii = utf8_.inside() ? 1 : 0;
  }
}

template <class Handler>
Shape Scanner<Handler>::finish() {
  if (state_ == State::kPaused) value_ended();
  if (state_ == State::kScalar && level_ == 0) {
    state_ = State::kAfter;
    if (wanted_) handler_.on_end(kind_, offset_);
  }
  if (state_ == State::kBefore) return Shape::kBlank;
  return state_ == State::kAfter ? Shape::kComplete : Shape::kBroken;
}

template <class Handler>
void Scanner<Handler>::reset() {
  state_ = State::kBefore;
  has_key_ = false;
  in_object_ = false;
  level_ = 0;
  offset_ = 0;
  carry_ = Carry{};
  utf8_ = Utf8Check{};
}

template <class Handler>
[[gnu::always_inline]] inline std::size_t Scanner<Handler>::scan(const char* data, std::size_t size) {
  Quotes quotes(blocks_.data());
  std::size_t at = 0;
  while (at < size) {
    switch (state_) {
      case State::kBefore:
      case State::kAfter:
        at = find_root(data, at, size);
        break;
      case State::kItems:
        at = scan_items(data, at, size, quotes);
        break;
      case State::kKey:
        at = end_key(data, size, quotes);
        break;
      case State::kString:
        at = end_string(data, size, quotes);
        break;
      case State::kScalar:
        at = end_scalar(data, at, size);
        break;
      case State::kSkip:
        at = skip(at, size, quotes);
        break;
      case State::kPaused:
      case State::kBroken:
        return at;
    }
  }
  return at;
}

template <class Handler>
std::size_t Scanner<Handler>::find_root(const char* data, std::size_t at, std::size_t size) {
  for (; at < size; ++at) {
    const char byte = data[at];
    if (byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n') continue;
    // The root is an item at level 0, and the only one there.
    const bool begins = state_ == State::kBefore && internal::kind_of(byte) != Kind::kOther;
    state_ = begins ? State::kItems : State::kBroken;
    return at;
  }
  return size;
}

// Goes on for as long as the state stays kItems. A round takes what mostly comes together: a comma, a key, its colon, a
// value. What ends in this batch is never stored.
template <class Handler>
std::size_t Scanner<Handler>::scan_items(const char* data, std::size_t at, std::size_t size, Quotes& batch_quotes) {
  Quotes quotes = batch_quotes;  // in registers
  Key fresh;
  const Key* key = has_key_ ? &key_ : nullptr;  // waits for its value
  has_key_ = false;
  do {
    if (data[at] == ',') {
      key = nullptr;
      if (++at == size) break;
    }
    if (data[at] == '"' && in_object_ && key == nullptr) {
      quotes.open(at);
      const std::size_t quote = quotes.next(size);
      if (quote == size) {
        state_ = State::kKey;
        token_ = data + at + 1;
        key_kept_ = false;
        kept_size_ = 0;
        at = size;
        break;
      }
      fresh.text = {data + at + 1, data + quote};
      fresh.cut = fresh.text.size() > kMaxKey;
      if (fresh.cut) [[unlikely]]
        fresh.text = fresh.text.substr(0, kMaxKey);
      fresh.escaped = has_backslash(fresh.text, quote);
      key = &fresh;
      at = quote + 1;
      if (at < size && data[at] == ':') ++at;
      if (at == size) break;
    }
    const char byte = data[at];
    const std::uint8_t what = internal::look_up(byte);
    const auto kind = static_cast<Kind>(what & internal::kKindBits);
    if (kind != Kind::kOther || (what & internal::kEndsScalar) == 0) {
      if (key == nullptr && in_object_) [[unlikely]] {
        state_ = State::kBroken;
        at = size;
        break;
      }
      at = scan_value(key, kind, data, at, size, quotes);
      key = nullptr;
    } else if (byte == '}' || byte == ']') {
      ++at;
      key = nullptr;
      close(byte == '}' ? Kind::kObject : Kind::kArray, offset_ + at);
    } else if (byte != ',') {
      ++at;  // white space, or a colon
    }
  } while (at < size && state_ == State::kItems);
  has_key_ = key != nullptr;
  if (key == &fresh) key_ = fresh;
  batch_quotes = quotes;
  return at;
}

template <class Handler>
[[gnu::always_inline]] inline std::size_t Scanner<Handler>::scan_value(const Key* key, Kind kind, const char* data,
                                                                       std::size_t at, std::size_t size,
                                                                       Quotes& quotes) {
  const Step step = handler_.on_value(key != nullptr ? *key : kNoKey, kind, offset_ + at);
  if (kind == Kind::kObject || kind == Kind::kArray) {
    if (step == Step::kEnter && level_ < kMaxEntered) {
      enter(kind);
      return at + 1;
    }
    depth_ = 1;
    return skip(at + 1, size, quotes);
  }
  const bool wanted = step == Step::kText;
  const bool string = kind == Kind::kString;
  const std::size_t begin = string ? at + 1 : at;
  std::size_t end;
  if (string) {
    quotes.open(at);
    end = quotes.next(size);
  } else {
    end = scalar_end(data, at + 1, size);
  }
  if (end == size) {
    state_ = string ? State::kString : State::kScalar;
    kind_ = kind;
    wanted_ = wanted;
    whole_ = true;
    token_ = data + begin;
    return size;
  }
  if (level_ == 0) state_ = State::kAfter;
  const std::size_t next = string ? end + 1 : end;
  if (wanted) give_whole({data + begin, data + end}, kind, offset_ + next);
  return next;
}

template <class Handler>
void Scanner<Handler>::enter(Kind kind) {
  state_ = State::kItems;
  ++level_;
  const std::uint32_t bit = std::uint32_t{1} << level_;
  in_object_ = kind == Kind::kObject;
  objects_ = in_object_ ? objects_ | bit : objects_ & ~bit;
}

template <class Handler>
void Scanner<Handler>::close(Kind kind, std::uint64_t offset) {
  if (in_object_ != (kind == Kind::kObject)) {
    state_ = State::kBroken;
    return;
  }
  --level_;
  in_object_ = (objects_ >> level_ & 1) != 0;
  value_ended();
  if constexpr (std::is_same_v<decltype(handler_.on_end(kind, offset)), bool>) {
    if (handler_.on_end(kind, offset)) state_ = State::kPaused;
  } else {
    handler_.on_end(kind, offset);
  }
}

template <class Handler>
std::size_t Scanner<Handler>::end_key(const char* data, std::size_t size, Quotes& quotes) {
  const std::size_t quote = quotes.next(size);
  if (quote == size) return size;
  if (key_kept_) {
    keep_key(data + quote);
    key_.text = {key_buffer_.data(), std::min(kept_size_, kMaxKey)};
    key_.cut = kept_size_ > kMaxKey;
    key_.escaped = key_.text.contains('\\');
  } else {
    key_.text = {token_, data + quote};
    key_.cut = key_.text.size() > kMaxKey;
    key_.text = key_.text.substr(0, kMaxKey);
    key_.escaped = has_backslash(key_.text, quote);
  }
  has_key_ = true;
  state_ = State::kItems;
  return quote + 1;
}

template <class Handler>
std::size_t Scanner<Handler>::end_string(const char* data, std::size_t size, Quotes& quotes) {
  const std::size_t quote = quotes.next(size);
  if (quote == size) return size;
  value_ended();
  if (wanted_) end_text(Kind::kString, data + quote, offset_ + quote + 1);
  return quote + 1;
}

template <class Handler>
[[gnu::always_inline]] inline std::size_t Scanner<Handler>::scalar_end(const char* data, std::size_t at,
                                                                       std::size_t size) const {
  do {
    while (at < size && (internal::look_up(data[at]) & internal::kMayEndScalar) == 0) ++at;
  } while (at < size && !ends_scalar(data[at], at) && ++at < size);
  return at;
}

template <class Handler>
std::size_t Scanner<Handler>::end_scalar(const char* data, std::size_t at, std::size_t size) {
  at = scalar_end(data, at, size);
  if (at == size) return size;
  value_ended();
  if (wanted_) end_text(kind_, data + at, offset_ + at);
  return at;
}

template <class Handler>
std::size_t Scanner<Handler>::skip(std::size_t at, std::size_t size, Quotes& quotes) {
  at = kernel_.skip(blocks_.data(), at, size, depth_);
  quotes.passed();
  if (depth_ != 0) {
    state_ = State::kSkip;
    return size;
  }
  value_ended();
  return at + 1;
}

// Does the key whose closing quote is at `quote` hold one? Its text is looked at only where the mask does not cover it.
template <class Handler>
[[gnu::always_inline]] inline bool Scanner<Handler>::has_backslash(std::string_view key, std::size_t quote) const {
  const std::size_t place = quote % kBlockBytes;
  if (key.size() > place) return key.contains('\\');
  const std::uint64_t backslashes = blocks_[quote / kBlockBytes].backslashes;
  return backslashes != 0 && (backslashes & ((std::uint64_t{1} << place) - 1)) >> (place - key.size()) != 0;
}

template <class Handler>
void Scanner<Handler>::give_text(const char* end) {
  if (token_ != end) handler_.on_text(std::string_view(token_, end));
}

template <class Handler>
void Scanner<Handler>::end_text(Kind kind, const char* end, std::uint64_t offset) {
  if (whole_) return give_whole({token_, end}, kind, offset);
  give_text(end);
  handler_.on_end(kind, offset);
}

template <class Handler>
[[gnu::always_inline]] inline void Scanner<Handler>::give_whole(std::string_view text, Kind kind,
                                                                std::uint64_t offset) {
  if constexpr (requires { handler_.on_whole_text(text, kind, offset); }) {
    handler_.on_whole_text(text, kind, offset);
  } else {
    if (!text.empty()) handler_.on_text(text);
    handler_.on_end(kind, offset);
  }
}

template <class Handler>
void Scanner<Handler>::keep_key(const char* end) {
  const std::size_t room = kMaxKey - std::min(kept_size_, kMaxKey);
  const auto length = static_cast<std::size_t>(end - token_);
  std::memcpy(key_buffer_.data() + (kMaxKey - room), token_, std::min(room, length));
  kept_size_ = std::min(kept_size_ + length, kMaxKey + 1);
  key_kept_ = true;
}

// The piece's memory is the caller's again: what is still needed of it is given or copied.
template <class Handler>
void Scanner<Handler>::carry_over(const char* end) {
  if (state_ == State::kKey) {
    keep_key(end);
  } else if ((state_ == State::kString || state_ == State::kScalar) && wanted_) {
    whole_ = false;
    give_text(end);
  } else if (has_key_ && key_.text.data() != key_buffer_.data()) {
    std::memcpy(key_buffer_.data(), key_.text.data(), key_.text.size());
    key_.text = {key_buffer_.data(), key_.text.size()};
  }
}

}  // namespace mcptrace::json
