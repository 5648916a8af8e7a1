#include "mcp/client_framer.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/page_buffer.h"
#include "mcp/counted_framer.h"

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

// The buffer: [0, emitted) is ready to go, [emitted, scanned) is the held beginning of a line, [scanned, filled) has
// not been looked at because the list of pieces is full.
class ClientFramer::Impl final : public MessageSink {
 public:
  Impl(MessageScanner scanner, ClientDecider& decider, bool inject)
      : scanner_(std::move(scanner)), decider_(decider), inject_(inject), buffer_(make_page_buffer(kBufferBytes)) {
    pieces_.reserve(kMostPieces);
    inserted_.reserve(kInsertedBytes);
    for (Edit& edit : edits_.edit) edit.inserted.reserve(kEditBytes);
  }

  std::span<char> room() {
    compact();
    MCPTRACE_CHECK(filled_ < kBufferBytes);  // else somebody arrived without ever sending
    return {buffer_.get() + filled_, std::min(kReadBytes, kBufferBytes - filled_)};
  }
  void arrived(std::size_t count, Instant now) {
    now_ = now;
    filled_ += count;
    high_water_ = std::max(high_water_, filled_);
    process();
  }
  std::span<const iovec> ready() const { return pieces_; }
  void sent();
  std::optional<Nanos> deadline() const {
    if (!holding()) return std::nullopt;
    return line_since_ + kHoldTime;
  }
  void on_time(Instant now) {
    now_ = now;
    process();
  }
  void end(Instant now) {
    now_ = now;
    ended_ = true;
    process();
  }
  void stop_injecting(NotInjected why) {
    if (inject_) off_ = why;
    inject_ = false;
  }

  void on_message(const Message& message, const SpliceMap* map) override;
  void on_declared(std::span<const DeclaredTool> tools) override { decider_.on_declared(tools, now_); }

 private:
  [[nodiscard]] bool holding() const { return emitted_ < scanned_; }
  [[nodiscard]] bool has_room() const { return pieces_.size() + kPiecesPerLine <= kMostPieces; }
  NotInjected judge(const Message& message, const SpliceMap* map) const;

  void process();
  void pass_counted();
  void scan(std::size_t end);
  void end_line();
  void release_if_due();
  void emit_to(std::size_t end);
  void emit_edited(std::size_t end);
  bool make_room_to_insert();
  void insert(std::string_view text);
  void compact();
  void give_back();

  MessageScanner scanner_;
  ClientDecider& decider_;
  bool inject_;
  NotInjected off_ = NotInjected::kOff;  // why not
  CountedFramer counted_;
  PageBuffer buffer_;
  std::size_t emitted_ = 0, scanned_ = 0, filled_ = 0;
  std::size_t high_water_ = 0;

  // The line that is under way.
  std::uint64_t line_bytes_ = 0;
  Nanos line_since_{};                         // when its first byte came
  NotInjected released_ = NotInjected::kNone;  // why some of it went on before its end

  Instant now_;
  bool ended_ = false;
  bool edited_ = false;  // edits_ are for the line that just ended
  Edits edits_;
  std::vector<iovec> pieces_;
  std::string inserted_;  // what pieces_ insert
};

void ClientFramer::Impl::on_message(const Message& message, const SpliceMap* map) {
  const NotInjected may = judge(message, map);
  Injection injection;
  if (!decider_.on_message(message, may, now_, injection) || may != NotInjected::kNone) return;
  try {
    plan_splice(*map, injection, edits_);
    edited_ = true;
  } catch (const std::bad_alloc&) {  // it goes on as it is, though its span says that it has our context
  }
}

NotInjected ClientFramer::Impl::judge(const Message& message, const SpliceMap* map) const {
  if (counted_.is_counted()) return NotInjected::kFraming;
  if (map == nullptr) return message.has(kInBatch) ? NotInjected::kBatch : NotInjected::kBadShape;
  const NotInjected may = may_inject(message, *map);
  if (may != NotInjected::kNone) return may;
  return inject_ ? released_ : off_;
}

void ClientFramer::Impl::process() {
  if (counted_.undecided() || counted_.is_counted()) pass_counted();
  while (scanned_ < filled_ && has_room()) {
    const std::string_view fresh(buffer_.get() + scanned_, filled_ - scanned_);
    if (line_bytes_ == 0) line_since_ = now_.boot;
    const auto newline = fresh.find('\n');
    if (newline == std::string_view::npos) {
      scan(filled_);
      break;
    }
    scan(scanned_ + newline);
    ++scanned_, ++line_bytes_;
    end_line();
  }
  if (scanned_ < filled_) return;
  if (ended_ && line_bytes_ > 0 && has_room()) end_line();
  release_if_due();
}

// Nothing is held, and the bytes go on as they came. What was scanned of the beginning, as if it were a line, was none.
void ClientFramer::Impl::pass_counted() {
  std::string_view fresh(buffer_.get() + scanned_, filled_ - scanned_);
  if (counted_.undecided()) {
    const std::size_t taken = counted_.look(fresh);
    if (!counted_.is_counted()) return;
    fresh.remove_prefix(taken);
    scanner_.discard();
    line_bytes_ = 0;
  }
  counted_.passed(fresh, scanner_, *this);
  scanned_ = filled_;
  emit_to(filled_);
}

void ClientFramer::Impl::scan(std::size_t end) {
  if (end == scanned_) return;
  scanner_.feed({buffer_.get() + scanned_, end - scanned_}, *this);
  line_bytes_ += end - scanned_;
  scanned_ = end;
}

void ClientFramer::Impl::end_line() {
  edited_ = false;
  scanner_.end_line(line_bytes_, *this);
  if (edited_) {
    emit_edited(scanned_);
  } else {
    emit_to(scanned_);
  }
  line_bytes_ = 0;
  released_ = NotInjected::kNone;
}

// Part of a line is there. It stays only as long as it may.
void ClientFramer::Impl::release_if_due() {
  if (line_bytes_ == 0) return;
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

void ClientFramer::Impl::emit_to(std::size_t end) {
  if (end == emitted_) return;
  char* const begin = buffer_.get() + emitted_;
  if (!pieces_.empty() && static_cast<char*>(pieces_.back().iov_base) + pieces_.back().iov_len == begin) {
    pieces_.back().iov_len += end - emitted_;
  } else {
    pieces_.push_back({begin, end - emitted_});
  }
  emitted_ = end;
}

void ClientFramer::Impl::emit_edited(std::size_t end) {
  if (!make_room_to_insert()) return emit_to(end);
  const std::size_t line = emitted_;
  for (std::size_t i = 0; i < edits_.count; ++i) {
    const Edit& edit = edits_.edit[i];
    emit_to(line + edit.offset);
    insert(edit.inserted);
    emitted_ += edit.removed_size;
  }
  emit_to(end);
}

// For all edits, before the first of them is made: half a line would be none. False: there is no memory.
bool ClientFramer::Impl::make_room_to_insert() {
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

void ClientFramer::Impl::insert(std::string_view text) {
  if (text.empty()) return;
  const std::size_t at = inserted_.size();
  inserted_ += text;
  pieces_.push_back({inserted_.data() + at, text.size()});
}

void ClientFramer::Impl::sent() {
  pieces_.clear();
  inserted_.clear();
  process();  // goes on where the list was full
}

// Moves what is held to the front, at most once a byte, as a line's beginning stays there until its end.
void ClientFramer::Impl::compact() {
  if (!pieces_.empty() || emitted_ == 0) return;
  std::copy(buffer_.get() + emitted_, buffer_.get() + filled_, buffer_.get());
  filled_ -= emitted_;
  scanned_ -= emitted_;
  emitted_ = 0;
  give_back();
}

void ClientFramer::Impl::give_back() {
  if (high_water_ <= 2 * kKeptBytes || filled_ > kKeptBytes) return;
  static_assert(kKeptBytes % kPageBytes == 0);
  madvise(buffer_.get() + kKeptBytes, (high_water_ & ~(kPageBytes - 1)) - kKeptBytes, MADV_DONTNEED);
  high_water_ = filled_;
}

ClientFramer::ClientFramer(MessageScanner scanner, ClientDecider& decider, bool inject)
    : impl_(std::make_unique<Impl>(std::move(scanner), decider, inject)) {}
ClientFramer::~ClientFramer() = default;
std::span<char> ClientFramer::room() { return impl_->room(); }
void ClientFramer::arrived(std::size_t count, Instant now) { impl_->arrived(count, now); }
std::span<const iovec> ClientFramer::ready() { return impl_->ready(); }
void ClientFramer::sent() { impl_->sent(); }
std::optional<Nanos> ClientFramer::deadline() const { return impl_->deadline(); }
void ClientFramer::on_time(Instant now) { impl_->on_time(now); }
void ClientFramer::end(Instant now) { impl_->end(now); }
void ClientFramer::stop_injecting(NotInjected why) { impl_->stop_injecting(why); }

}  // namespace mcptrace::mcp
