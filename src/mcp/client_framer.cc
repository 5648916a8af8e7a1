#include "mcp/client_framer.h"

#include <sys/mman.h>

#include <new>

#include "base/check.h"

namespace mcptrace::mcp {
namespace {

constexpr std::size_t kReadBytes = 64 << 10;
constexpr std::size_t kBufferBytes = kHoldBytes + 2 * kReadBytes;
// writev(2) takes 1,024 pieces; a line makes at most seven.
constexpr std::size_t kMostPieces = 1000;
constexpr std::size_t kPiecesPerLine = 2 * std::tuple_size_v<decltype(Edits::edit)> + 1;
// Room for what is inserted, so that only a long tracestate ever asks for more.
constexpr std::size_t kInsertedBytes = 32 << 10;
constexpr std::size_t kEditBytes = 1 << 10;
// Pages beyond this are given back after a line that needed them.
constexpr std::size_t kKeptBytes = 128 << 10;

}  // namespace

ClientFramer::ClientFramer(const HashKey& key, bool inject)
    : scanner_(Direction::kClientToServer, key), inject_(inject), buffer_(make_page_buffer(kBufferBytes)) {
  pieces_.reserve(kMostPieces);
  inserted_.reserve(kInsertedBytes);
  for (Edit& edit : edits_.edit) edit.inserted.reserve(kEditBytes);
}

std::span<char> ClientFramer::room() {
  compact();
  MCPTRACE_CHECK(filled_ < kBufferBytes);  // else somebody arrived without ever sending
  return {buffer_.get() + filled_, std::min(kReadBytes, kBufferBytes - filled_)};
}

void ClientFramer::arrived(std::size_t count, Instant now) {
  now_ = now;
  filled_ += count;
  high_water_ = std::max(high_water_, filled_);
}

std::optional<Nanos> ClientFramer::deadline() const {
  if (emitted_ == scanned_) return std::nullopt;
  return line_since_ + kHoldTime;
}

void ClientFramer::end(Instant now) {
  now_ = now;
  ended_ = true;
}

void ClientFramer::stop_injecting(NotInjected why) {
  if (inject_) off_ = why;
  inject_ = false;
}

const Message* ClientFramer::next() {
  do {
    while (const Found* found = scanner_.next()) {
      if (found->message == nullptr) continue;
      map_ = found->map;
      may_ = judge(*found->message);
      return found->message;
    }
    if (line_over_) finish_line();
  } while (feed());
  return nullptr;
}

NotInjected ClientFramer::judge(const Message& message) const {
  if (counted_.is_counted()) return NotInjected::kFraming;
  if (map_ == nullptr) return message.has(kInBatch) ? NotInjected::kBatch : NotInjected::kBadShape;
  const NotInjected may = may_inject(message, *map_);
  if (may != NotInjected::kNone) return may;
  return inject_ ? released_ : off_;
}

void ClientFramer::inject(const Injection& injection) {
  if (may_ != NotInjected::kNone) return;
  try {
    plan_splice(*map_, injection, edits_);
    edited_ = true;
  } catch (const std::bad_alloc&) {  // it goes on as it is, though its span says that it has our context
  }
}

bool ClientFramer::has_room() const { return pieces_.size() + kPiecesPerLine <= kMostPieces; }

// Gives the scanner what it has not seen. False: there is nothing for now.
bool ClientFramer::feed() {
  std::string_view fresh(buffer_.get() + scanned_, filled_ - scanned_);
  if (fresh.empty()) return feed_end();
  if (counted_.undecided() && counted_.look(fresh, scanner_)) line_bytes_ = 0;
  if (counted_.is_counted()) {  // nothing is held, and the bytes go on as they came
    counted_.feed(fresh, scanner_);
    scanned_ = filled_ - fresh.size();
    emit_to(scanned_);
    return true;
  }
  if (!has_room()) return false;
  if (line_bytes_ == 0) line_since_ = now_.boot;
  const auto newline = fresh.find('\n');
  const auto piece = fresh.substr(0, newline);
  line_over_ = newline != std::string_view::npos;
  const std::size_t taken = piece.size() + (line_over_ ? 1 : 0);
  scanner_.feed(piece);
  scanned_ += taken;
  line_bytes_ += taken;
  if (line_over_) scanner_.end_line(line_bytes_);
  return true;
}

// All is scanned. A line that has begun may end with the file.
bool ClientFramer::feed_end() {
  if (line_bytes_ == 0) return false;
  line_over_ = ended_ && has_room();
  if (line_over_) {
    scanner_.end_line(line_bytes_);
  } else {
    release_if_due();
  }
  return line_over_;
}

void ClientFramer::finish_line() {
  if (edited_) {
    emit_edited();
  } else {
    emit_to(scanned_);
  }
  line_bytes_ = 0;
  released_ = NotInjected::kNone;
  line_over_ = edited_ = false;
}

// Part of a line is there. It stays only as long as it may.
void ClientFramer::release_if_due() {
  if (inject_ && released_ == NotInjected::kNone) {
    if (line_bytes_ >= kHoldBytes) {
      released_ = NotInjected::kTooLarge;
    } else if (now_.boot - line_since_ >= kHoldTime) {
      released_ = NotInjected::kTooSlow;
    } else {
      return;
    }
  }
  if (has_room()) emit_to(scanned_);
}

void ClientFramer::emit_to(std::size_t end) {
  if (end == emitted_) return;
  char* const begin = buffer_.get() + emitted_;
  if (!pieces_.empty() && static_cast<char*>(pieces_.back().iov_base) + pieces_.back().iov_len == begin) {
    pieces_.back().iov_len += end - emitted_;
  } else {
    pieces_.push_back({begin, end - emitted_});
  }
  emitted_ = end;
}

void ClientFramer::emit_edited() {
  if (!make_room_to_insert()) return emit_to(scanned_);
  const std::size_t line = emitted_;
  for (std::size_t i = 0; i < edits_.count; ++i) {
    const Edit& edit = edits_.edit[i];
    emit_to(line + edit.offset);
    insert(edit.inserted);
    emitted_ += edit.removed_size;
  }
  emit_to(scanned_);
}

// For all edits, before the first of them is made: half a line would be none. False: there is no memory.
bool ClientFramer::make_room_to_insert() {
  std::size_t size = inserted_.size();
  for (std::size_t i = 0; i < edits_.count; ++i) size += edits_.edit[i].inserted.size();
  if (size <= inserted_.capacity()) return true;
  const auto old_begin = reinterpret_cast<std::uintptr_t>(inserted_.data());
  try {
    inserted_.reserve(size);
  } catch (const std::bad_alloc&) {
    return false;
  }
  // The pieces that point into it go with it.
  for (iovec& piece : pieces_) {
    const auto at = reinterpret_cast<std::uintptr_t>(piece.iov_base) - old_begin;
    if (at < inserted_.size()) piece.iov_base = inserted_.data() + at;
  }
  return true;
}

void ClientFramer::insert(std::string_view text) {
  if (text.empty()) return;
  const std::size_t at = inserted_.size();
  inserted_ += text;
  pieces_.push_back({inserted_.data() + at, text.size()});
}

void ClientFramer::sent() {
  pieces_.clear();
  inserted_.clear();
}

// Moves what is held to the front, at most once a byte, as a line's beginning stays there until its end.
void ClientFramer::compact() {
  if (!pieces_.empty() || emitted_ == 0) return;
  std::copy(buffer_.get() + emitted_, buffer_.get() + filled_, buffer_.get());
  filled_ -= emitted_;
  scanned_ -= emitted_;
  emitted_ = 0;
  give_back();
}

void ClientFramer::give_back() {
  if (high_water_ <= 2 * kKeptBytes || filled_ > kKeptBytes) return;
  static_assert(kKeptBytes % kPageBytes == 0);
  madvise(buffer_.get() + kKeptBytes, (high_water_ & ~(kPageBytes - 1)) - kKeptBytes, MADV_DONTNEED);
  high_water_ = filled_;
}

}  // namespace mcptrace::mcp
