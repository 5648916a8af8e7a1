#include "mcp/sse_framer.h"

#include <utility>

namespace mcptrace::mcp {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

}  // namespace

std::uint64_t sse_id_print(std::string_view id) {
  SseIdPrint print;
  print.update(id);
  return print.finish();
}

void SseFramer::reset() {
  scanner_.discard();
  passed({});
  line_ = Line::kMark;
  field_ = FieldKind::kOther;
  after_return_ = false;
  mark_size_ = name_size_ = 0;
  new_id_.finish();
  id_ = 0;
  clear_event();
}

void SseFramer::clear_event() {
  type_.clear();
  has_data_ = has_id_ = kept_cut_ = lost_ = false;
  over_ = Over::kNo;
  data_bytes_ = 0;
  kept_.clear();
  passing_ = {};
}

void SseFramer::passed(std::string_view bytes) {
  bytes_ = bytes;
  at_ = 0;
  if (!bytes.empty()) ends_ = LineEnds(bytes);
}

SseFound SseFramer::next() {
  while (true) {
    if (const Found* found = scanner_.next()) return {.found = found};
    if (over_ == Over::kYes) {
      over_ = Over::kGiven;
      return {.event = &event_};
    }
    if (over_ == Over::kGiven) clear_event();
    if (at_ == bytes_.size()) break;
    advance();
  }
  keep_passing();
  return {};
}

// To the end of a line, or to the value after a name, which may have given the scanner something.
void SseFramer::advance() {
  if (std::exchange(after_return_, false) && bytes_[at_] == '\n') {
    ++at_;
    return;
  }
  const std::size_t end = ends_.next(at_);
  if (line_ == Line::kMark) at_ += mark(bytes_.substr(at_, end - at_));
  if (line_ == Line::kName) {
    at_ += name(bytes_.substr(at_, end - at_));
    if (at_ < end) return;
  }
  if (line_ == Line::kSpace && at_ < end) {
    line_ = Line::kValue;
    if (bytes_[at_] == ' ') ++at_;
  }
  if (line_ == Line::kValue && at_ < end) value(bytes_.substr(at_, end - at_));
  at_ = end;
  if (at_ == bytes_.size()) return;
  after_return_ = bytes_[at_++] == '\r';
  end_line();
}

// `rest` of the line, which may be empty because it ends here. Gives how much of it was the mark.
std::size_t SseFramer::mark(std::string_view rest) {
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
std::size_t SseFramer::name(std::string_view rest) {
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

SseFramer::FieldKind SseFramer::named_field() const {
  if (name_size_ > name_.size()) return FieldKind::kOther;
  const std::string_view name(name_.data(), name_size_);
  if (name == "data") return FieldKind::kData;
  if (name == "event") return FieldKind::kEvent;
  return name == "id" ? FieldKind::kId : FieldKind::kOther;
}

void SseFramer::begin_value(FieldKind field) {
  line_ = Line::kSpace;
  field_ = field;
  if (field == FieldKind::kData) begin_data();
  if (field == FieldKind::kEvent) new_type_.clear();
  if (field == FieldKind::kId) new_id_has_nul_ = false;
}

void SseFramer::value(std::string_view piece) {
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

void SseFramer::end_line() {
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

void SseFramer::begin_data() {
  if (std::exchange(has_data_, true)) data("\n");
}

void SseFramer::data(std::string_view piece) {
  data_bytes_ += piece.size();
  if (is_message() && !lost_) scanner_.feed(piece);
  keep(piece);
}

void SseFramer::keep(std::string_view piece) {
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

void SseFramer::keep_passing() {
  kept_ += passing_;
  passing_ = {};
}

// The last type counts, so data may have been taken for what it is not.
void SseFramer::set_type() {
  const bool was_message = is_message();
  type_ = new_type_;
  if (!has_data_ || was_message == is_message()) return;
  if (was_message) {
    scanner_.discard();
  } else if (kept_cut_) {
    lost_ = true;
  } else {
    keep_passing();
    scanner_.feed(kept_);
  }
}

void SseFramer::end_event() {
  if (!has_data_ && !has_id_) return clear_event();
  const bool is_message = has_data_ && this->is_message();
  event_ = {.type = type_,
            .data = is_message         ? std::string_view()
                    : passing_.empty() ? std::string_view(kept_)
                                       : passing_,
            .data_cut = is_message ? lost_ : kept_cut_,
            .has_data = has_data_,
            .has_id = has_id_,
            .id_print = id_,
            .bytes = data_bytes_,
            .is_message = is_message};
  if (is_message && !lost_) scanner_.end_line(data_bytes_);
  over_ = Over::kYes;
}

}  // namespace mcptrace::mcp
