#include "mcp/sse_framer.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "base/keyed_hash.h"

namespace mcptrace::mcp {
namespace {

// An id of any length in bounded memory: its blocks are mixed one after the other.
class IdPrint {
 public:
  void update(std::string_view piece) {
    while (!piece.empty()) {
      if (size_ == block_.size()) flush();
      const std::size_t taken = std::min(piece.size(), block_.size() - size_);
      std::memcpy(block_.data() + size_, piece.data(), taken);
      size_ += taken;
      piece.remove_prefix(taken);
    }
  }
  // And starts afresh.
  std::uint64_t finish() {
    if (size_ == 0) return 0;
    flush();
    const std::uint64_t print = std::exchange(hash_, kSeed);
    return print == 0 ? 1 : print;
  }

 private:
  static constexpr std::uint64_t kSeed = 0x6a09e667f3bcc908;

  void flush() {
    hash_ = mix64({block_.data(), size_}, hash_);
    size_ = 0;
  }

  std::array<char, 128> block_;
  std::size_t size_ = 0;
  std::uint64_t hash_ = kSeed;
};

// Where the lines of a piece end. No byte is searched twice for the same kind of end, whichever of them the piece has.
class LineEnds {
 public:
  explicit LineEnds(std::string_view piece)
      : piece_(piece), feed_(find('\n', 0, piece.size())), return_(find('\r', 0, feed_)) {}

  // The first line end at or after `from`, or the piece's size. `from` never goes back.
  std::size_t next(std::size_t from) {
    if (feed_ < from) {
      feed_ = find('\n', from, piece_.size());
      return_ = find('\r', from, feed_);
    } else if (return_ < from) {
      return_ = find('\r', from, feed_);
    }
    return return_;
  }

 private:
  std::size_t find(char end, std::size_t from, std::size_t to) const {
    const void* found = std::memchr(piece_.data() + from, end, to - from);
    return found == nullptr ? to : static_cast<std::size_t>(static_cast<const char*>(found) - piece_.data());
  }

  std::string_view piece_;
  std::size_t feed_;
  std::size_t return_;  // at most feed_
};

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

}  // namespace

std::uint64_t sse_id_print(std::string_view id) {
  IdPrint print;
  print.update(id);
  return print.finish();
}

class SseFramer::Impl {
 public:
  explicit Impl(MessageScanner scanner) : scanner_(std::move(scanner)) {}

  void reset();
  void passed(std::string_view bytes, SseSink& sink);
  std::uint64_t event_id() const { return id_; }
  bool end() const { return has_data_; }

 private:
  enum class Line : std::uint8_t {
    kMark,   // the stream has not begun: perhaps a byte order mark
    kName,   // at the beginning of a line, or in its field's name
    kSpace,  // after the colon
    kValue,
  };
  enum class FieldKind : std::uint8_t { kOther, kData, kEvent, kId };

  std::size_t mark(std::string_view rest);
  std::size_t name(std::string_view rest);
  FieldKind named_field() const;
  void begin_value(FieldKind field);
  void value(std::string_view piece);
  void end_line();

  void begin_data();
  void data(std::string_view piece);
  void keep(std::string_view piece);
  void keep_passing();
  void set_type();
  void end_event();

  bool is_message() const { return type_.empty() || type_ == "message"; }
  void clear_event();

  MessageScanner scanner_;
  SseSink* sink_ = nullptr;

  Line line_ = Line::kMark;
  FieldKind field_ = FieldKind::kOther;
  bool after_return_ = false;   // a line feed that comes now belongs to the line end before
  std::size_t mark_size_ = 0;   // bytes of a byte order mark so far
  std::array<char, 5> name_{};  // of the field, as long as it may be one that matters
  std::size_t name_size_ = 0;   // may be more than that
  IdPrint new_id_;
  bool new_id_has_nul_ = false;
  std::string new_type_;

  // The event.
  std::string type_;
  bool has_data_ = false;
  bool has_id_ = false;
  std::uint64_t data_bytes_ = 0;
  // Its data up to kSseDataBytes: of what may still turn out to be no message, too. What lies in the bytes that are
  // passing is copied only when it must be, and for most events that is never.
  std::string kept_;
  std::string_view passing_;
  bool kept_cut_ = false;
  bool lost_ = false;  // a message that was known to be one only when its data was cut

  std::uint64_t id_ = 0;
};

void SseFramer::Impl::reset() {
  scanner_.discard();
  line_ = Line::kMark;
  field_ = FieldKind::kOther;
  after_return_ = false;
  mark_size_ = name_size_ = 0;
  new_id_.finish();
  id_ = 0;
  clear_event();
}

void SseFramer::Impl::clear_event() {
  type_.clear();
  has_data_ = has_id_ = kept_cut_ = lost_ = false;
  data_bytes_ = 0;
  kept_.clear();
  passing_ = {};
}

void SseFramer::Impl::passed(std::string_view bytes, SseSink& sink) {
  if (bytes.empty()) return;
  sink_ = &sink;
  LineEnds ends(bytes);
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (after_return_) {
      after_return_ = false;
      if (bytes[at] == '\n') {
        ++at;
        continue;
      }
    }
    const std::size_t end = ends.next(at);
    if (line_ == Line::kMark) at += mark(bytes.substr(at, end - at));
    if (line_ == Line::kName) at += name(bytes.substr(at, end - at));
    if (line_ == Line::kSpace && at < end) {
      line_ = Line::kValue;
      if (bytes[at] == ' ') ++at;
    }
    if (line_ == Line::kValue && at < end) value(bytes.substr(at, end - at));
    if (end == bytes.size()) break;
    after_return_ = bytes[end] == '\r';
    at = end + 1;
    end_line();
  }
  keep_passing();
}

// `rest` of the line, which may be empty because it ends here. Gives how much of it was the mark.
std::size_t SseFramer::Impl::mark(std::string_view rest) {
  std::size_t at = 0;
  while (at < rest.size() && mark_size_ < kByteOrderMark.size() && rest[at] == kByteOrderMark[mark_size_]) {
    ++at;
    ++mark_size_;
  }
  if (mark_size_ == kByteOrderMark.size() || mark_size_ == 0) {
    line_ = Line::kName;
    mark_size_ = 0;
  } else if (at < rest.size()) {  // two bytes of a mark are none, but a field that nobody knows
    line_ = Line::kName;
    name_size_ = name_.size() + 1;
  }
  return at;
}

// Gives how much of `rest` was the field's name, with its colon.
std::size_t SseFramer::Impl::name(std::string_view rest) {
  if (name_size_ == 0) {  // most names come whole
    for (const auto& [name, field] : {std::pair{std::string_view("data:"), FieldKind::kData},
                                      {std::string_view("event:"), FieldKind::kEvent},
                                      {std::string_view("id:"), FieldKind::kId}}) {
      if (!rest.starts_with(name)) continue;
      begin_value(field);
      return name.size();
    }
  }
  for (std::size_t at = 0; at < rest.size(); ++at) {
    if (rest[at] == ':') {
      begin_value(named_field());
      return at + 1;
    }
    if (name_size_ < name_.size()) name_[name_size_] = rest[at];
    if (name_size_ <= name_.size()) ++name_size_;
  }
  return rest.size();
}

SseFramer::Impl::FieldKind SseFramer::Impl::named_field() const {
  if (name_size_ > name_.size()) return FieldKind::kOther;
  const std::string_view name(name_.data(), name_size_);
  if (name == "data") return FieldKind::kData;
  if (name == "event") return FieldKind::kEvent;
  return name == "id" ? FieldKind::kId : FieldKind::kOther;
}

void SseFramer::Impl::begin_value(FieldKind field) {
  line_ = Line::kSpace;
  field_ = field;
  if (field == FieldKind::kData) begin_data();
  if (field == FieldKind::kEvent) new_type_.clear();
  if (field == FieldKind::kId) new_id_has_nul_ = false;
}

void SseFramer::Impl::value(std::string_view piece) {
  switch (field_) {
    case FieldKind::kData:
      return data(piece);
    case FieldKind::kEvent:
      new_type_.append(piece.substr(0, kSseTypeBytes - new_type_.size()));
      return;
    case FieldKind::kId:
      if (piece.find('\0') != std::string_view::npos) new_id_has_nul_ = true;
      return new_id_.update(piece);
    case FieldKind::kOther:
      return;
  }
}

void SseFramer::Impl::end_line() {
  if (line_ == Line::kName) {
    if (name_size_ == 0) return end_event();
    begin_value(named_field());  // without a colon: the value is empty
  }
  if (field_ == FieldKind::kEvent) set_type();
  if (field_ == FieldKind::kId) {
    const std::uint64_t id = new_id_.finish();
    if (!new_id_has_nul_) {
      id_ = id;
      has_id_ = true;
    }
  }
  line_ = Line::kName;
  field_ = FieldKind::kOther;
  name_size_ = mark_size_ = 0;
}

void SseFramer::Impl::begin_data() {
  if (std::exchange(has_data_, true)) data("\n");
}

void SseFramer::Impl::data(std::string_view piece) {
  data_bytes_ += piece.size();
  if (is_message() && !lost_) scanner_.feed(piece, *sink_);
  keep(piece);
}

void SseFramer::Impl::keep(std::string_view piece) {
  if (kept_cut_ || piece.empty()) return;
  if (kept_.size() + passing_.size() + piece.size() > kSseDataBytes) {
    kept_cut_ = true;
    kept_.clear();
    passing_ = {};
  } else if (kept_.empty() && passing_.empty()) {
    passing_ = piece;
  } else {
    keep_passing();
    kept_ += piece;
  }
}

void SseFramer::Impl::keep_passing() {
  kept_ += passing_;
  passing_ = {};
}

// The last type counts, so data may have been taken for what it is not.
void SseFramer::Impl::set_type() {
  const bool was_message = is_message();
  type_ = new_type_;
  if (!has_data_ || was_message == is_message()) return;
  if (was_message) {
    scanner_.discard();
  } else if (kept_cut_) {
    lost_ = true;
  } else {
    keep_passing();
    scanner_.feed(kept_, *sink_);
  }
}

void SseFramer::Impl::end_event() {
  if (has_data_ || has_id_) {
    SseEvent event;
    event.type = type_;
    event.is_message = has_data_ && is_message();
    if (!event.is_message) event.data = passing_.empty() ? std::string_view(kept_) : passing_;
    event.data_cut = event.is_message ? lost_ : kept_cut_;
    event.has_data = has_data_;
    event.has_id = has_id_;
    event.id_print = id_;
    event.bytes = data_bytes_;
    if (event.is_message && !lost_) scanner_.end_line(data_bytes_, *sink_);
    sink_->on_event(event);
  }
  clear_event();
}

SseFramer::SseFramer(MessageScanner scanner) : impl_(std::make_unique<Impl>(std::move(scanner))) {}
SseFramer::~SseFramer() = default;
SseFramer::SseFramer(SseFramer&&) noexcept = default;
SseFramer& SseFramer::operator=(SseFramer&&) noexcept = default;

void SseFramer::reset() { impl_->reset(); }
void SseFramer::passed(std::string_view bytes, SseSink& sink) { impl_->passed(bytes, sink); }
std::uint64_t SseFramer::event_id() const { return impl_->event_id(); }
bool SseFramer::end() { return impl_->end(); }

}  // namespace mcptrace::mcp
