// The scanner and its handler are compiled together, as the one calls the other for each key.
#include "mcp/message_scanner.h"

#include <utility>

#include "json/scanner.h"
#include "mcp/message_handler.h"

namespace mcptrace::mcp {

using json::Kind;
using json::Step;

MessageHandler::MessageHandler(Direction direction, const HashKey& key, ScanOptions options)
    : direction_(direction), options_(std::move(options)), texts_(key), ids_(key) {}

// This and the next two are asked for every value that is looked at, and have one caller or two.
[[gnu::always_inline]] inline Step MessageHandler::on_value(const json::Key& key, Kind kind, std::uint64_t offset) {
  switch (at()) {
    case At::kLine:
      return root_value(kind, offset);
    case At::kBatch:
      return batch_element(kind, offset);
    case At::kTools:
      return kind == Kind::kObject ? enter(At::kTool) : Step::kSkip;
    case At::kOpaque:
      return Step::kSkip;
    default:
      return member(at(), key, kind, offset);
  }
}

[[gnu::always_inline]] inline void MessageHandler::on_text(std::string_view piece) {
  if (taking_ == Taking::kText) {
    if (slot_ == Slot::kErrorMessage) [[unlikely]]
      look_for_meta(piece);
    texts_.feed(piece);
  } else if (taking_ == Taking::kId) {
    ids_.feed(piece);
  }
}

[[gnu::always_inline]] inline void MessageHandler::on_end(Kind kind, std::uint64_t offset) {
  if (kind == Kind::kObject || kind == Kind::kArray) {
    if (depth_ == 0) return;
    const At ended = at();
    --depth_;
    container_ended(ended, offset);
  } else {
    if (taking_ == Taking::kText) text_ended();
    if (taking_ == Taking::kId) ids_.finish();
    taking_ = Taking::kNothing;
  }
  if (at() == At::kParamsMeta) meta_member_ended(offset);
}

[[gnu::always_inline]] inline void MessageHandler::on_whole_text(std::string_view text, Kind kind,
                                                                 std::uint64_t offset) {
  if (taking_ == Taking::kText && texts_.take(text)) {
    taking_ = Taking::kNothing;
    if (slot_ == Slot::kToolName) declare_tool();
    if (at() == At::kParamsMeta) meta_member_ended(offset);
    return;
  }
  if (taking_ == Taking::kId && ids_.take(text)) {
    taking_ = Taking::kNothing;
    if (at() == At::kParamsMeta) meta_member_ended(offset);
    return;
  }
  if (!text.empty()) on_text(text);
  on_end(kind, offset);
}

Step MessageHandler::enter(At at) {
  if (depth_ + 1 >= stack_.size()) return Step::kSkip;
  stack_[++depth_] = at;
  return Step::kEnter;
}

Step MessageHandler::take_text(Slot slot, Kind kind) {
  if (kind != Kind::kString) return Step::kSkip;
  taking_ = Taking::kText;
  slot_ = slot;
  texts_.begin(slot);
  return Step::kText;
}

Step MessageHandler::take_id(IdSlot slot, Kind kind) {
  ids_.begin(slot, kind);
  if (kind != Kind::kString && kind != Kind::kNumber) return Step::kSkip;
  taking_ = Taking::kId;
  return Step::kText;
}

Step MessageHandler::root_value(Kind kind, std::uint64_t offset) {
  if (kind == Kind::kObject) {
    root_ = Root::kObject;
    return begin_object(offset);
  }
  root_ = kind == Kind::kArray ? Root::kArray : kind == Kind::kOther ? Root::kNoValue : Root::kScalar;
  if (kind == Kind::kArray) return enter(At::kBatch);
  root_is_string_ = kind == Kind::kString;
  if (root_ != Root::kScalar || root_is_string_) return Step::kSkip;
  // The scanner passes over it up to its end, whatever it is: "noise" begins as null does.
  taking_ = Taking::kText;
  slot_ = Slot::kMethod;
  texts_.begin(slot_);
  return Step::kText;
}

// What is no object is told when the line is over: a log line like "[INFO] started" begins as an array, too.
Step MessageHandler::batch_element(Kind kind, std::uint64_t offset) {
  ++elements_;
  if (kind == Kind::kObject) return begin_object(offset);
  ++odd_elements_;
  if (kind == Kind::kOther) bad_element_ = true;
  return Step::kSkip;
}

Step MessageHandler::begin_object(std::uint64_t offset) {
  clear_object();
  map_.root.begin = offset;
  return enter(At::kRoot);
}

// Written so that the compiler sees which place's keys are asked for.
[[gnu::always_inline]] inline Step MessageHandler::member(At where, const json::Key& key, Kind kind,
                                                          std::uint64_t offset) {
  switch (where) {
    case At::kRoot:
      return root_member(field_of(Place::kRoot, key), kind, offset);
    case At::kParams:
      return params_member(field_of(Place::kParams, key), kind, offset);
    case At::kParamsMeta:
      return params_meta_member(field_of(Place::kParamsMeta, key), key, kind, offset);
    case At::kResult:
      return result_member(field_of(Place::kResult, key), kind);
    case At::kResultMeta:
      return result_meta_member(field_of(Place::kResultMeta, key), kind);
    case At::kError:
      return small_member(where, field_of(Place::kError, key), kind);
    case At::kTask:
      return small_member(where, field_of(Place::kTask, key), kind);
    case At::kTool:
      return small_member(where, field_of(Place::kTool, key), kind);
    default:
      return small_member(where, field_of(Place::kPeer, key), kind);
  }
}

[[gnu::always_inline]] inline Field MessageHandler::field_of(Place place, const json::Key& key) {
  const FoundField found = find_field(place, key);
  if (found.ambiguous) [[unlikely]]
    flags_ |= kAmbiguous;
  if (found.field != Field::kNone && place <= Place::kError) {
    std::uint32_t& seen = seen_[static_cast<std::size_t>(place)];
    const std::uint32_t bit = 1u << static_cast<unsigned>(found.field);
    if ((seen & bit) != 0) flags_ |= kAmbiguous;
    seen |= bit;
  }
  return found.field;
}

[[gnu::always_inline]] inline Step MessageHandler::root_member(Field field, Kind kind, std::uint64_t offset) {
  const bool is_object = kind == Kind::kObject;
  switch (field) {
    case Field::kJsonrpc:
      return take_text(Slot::kJsonrpc, kind);
    case Field::kMethod:
      return take_text(Slot::kMethod, kind);
    case Field::kId:
      return take_id(IdSlot::kMessage, kind);
    case Field::kParams:
      flags_ |= kHasParams;
      map_.params = {offset, offset + 1};
      map_.params_is_object = map_.params_is_empty = is_object;
      return is_object ? enter(At::kParams) : Step::kSkip;
    case Field::kResult:
      has_result_ = true;
      return is_object ? enter(At::kResult) : Step::kSkip;
    case Field::kError:  // "error":null beside a result is an old habit
      has_error_ = kind != Kind::kNull;
      return is_object ? enter(At::kError) : Step::kSkip;
    default:
      return Step::kSkip;
  }
}

[[gnu::always_inline]] inline Step MessageHandler::params_member(Field field, Kind kind, std::uint64_t offset) {
  const bool is_object = kind == Kind::kObject;
  map_.params_is_empty = false;
  switch (field) {
    case Field::kName:
      return take_text(Slot::kName, kind);
    case Field::kVersion:
      return take_text(Slot::kVersion, kind);
    case Field::kRequestState:
      return take_text(Slot::kRequestState, kind);
    case Field::kTaskId:
      return take_text(Slot::kTask, kind);
    case Field::kPeer:
      return is_object ? enter(At::kBodyPeer) : Step::kSkip;
    case Field::kRequestId:
      return take_id(IdSlot::kRequestId, kind);
    case Field::kProgressToken:
      return take_id(IdSlot::kProgressToken, kind);
    case Field::kCursor:
      if (kind != Kind::kNull) flags_ |= kCursor;
      return Step::kSkip;
    case Field::kTask:
      return Step::kSkip;
    case Field::kMeta:
      map_.meta = {offset, offset + 1};
      map_.meta_is_object = map_.meta_is_empty = is_object;
      meta_end_ = offset + 1;
      if (!is_object) return Step::kSkip;
      flags_ |= kHasMeta;
      return enter(At::kParamsMeta);
    default:
      return Step::kSkip;
  }
}

// Every member of _meta is followed to its end: where one ends, a splice may cut.
Step MessageHandler::params_meta_member(Field field, const json::Key& key, Kind kind, std::uint64_t offset) {
  map_.meta_is_empty = false;
  if (key.text.starts_with(internal::kPrefix)) flags_ |= kNamesMcp;
  meta_field_ = field;
  value_begin_ = offset;
  member_begin_ = meta_end_;
  Step step = Step::kSkip;
  switch (field) {
    case Field::kTraceparent:
      flags_ |= kHasTraceparent;
      step = context_member(Slot::kTraceparent, kind);
      break;
    case Field::kTracestate:
      step = context_member(Slot::kTracestate, kind);
      break;
    case Field::kBaggage:
      step = take_text(Slot::kBaggage, kind);
      break;
    case Field::kVersion:
      step = take_text(Slot::kMetaVersion, kind);
      break;
    case Field::kPeer:
      step = kind == Kind::kObject ? enter(At::kMetaPeer) : Step::kSkip;
      break;
    case Field::kProgressToken:
      step = take_id(IdSlot::kMetaProgressToken, kind);
      break;
    case Field::kSubscription:
      step = take_id(IdSlot::kSubscription, kind);
      break;
    default:
      step = conversation_member(key, kind);
      break;
  }
  if (step != Step::kSkip) return step;
  return kind == Kind::kObject || kind == Kind::kArray ? enter(At::kOpaque) : Step::kText;
}

Step MessageHandler::context_member(Slot slot, Kind kind) {
  if (kind != Kind::kString && kind != Kind::kNull) map_.context_is_odd = true;
  return take_text(slot, kind);
}

Step MessageHandler::conversation_member(const json::Key& key, Kind kind) {
  if (kind != Kind::kString || key.escaped || key.cut) return Step::kSkip;
  const std::size_t best = texts_.has(Slot::kConversation) ? conversation_ : options_.conversation_keys.size();
  for (std::size_t i = 0; i < best; ++i) {
    if (options_.conversation_keys[i] != key.text) continue;
    conversation_ = i;
    taking_ = Taking::kText;
    slot_ = Slot::kConversation;
    texts_.begin(slot_, options_.conversation_keys[i]);
    texts_.feed("=");
    return Step::kText;
  }
  return Step::kSkip;
}

Step MessageHandler::result_member(Field field, Kind kind) {
  const bool is_object = kind == Kind::kObject;
  switch (field) {
    case Field::kMeta:
      return is_object ? enter(At::kResultMeta) : Step::kSkip;
    case Field::kPeer:
      return is_object ? enter(At::kBodyPeer) : Step::kSkip;
    case Field::kVersion:
      return take_text(Slot::kVersion, kind);
    case Field::kRequestState:
      return take_text(Slot::kRequestState, kind);
    case Field::kTaskId:
      return take_text(Slot::kTask, kind);
    case Field::kTask:
      return is_object ? enter(At::kTask) : Step::kSkip;
    case Field::kTools:
      return kind == Kind::kArray ? enter(At::kTools) : Step::kSkip;
    case Field::kIsError:
      if (kind == Kind::kTrue) flags_ |= kIsError;
      return Step::kSkip;
    case Field::kCursor:
      if (kind != Kind::kNull) flags_ |= kNextCursor;
      return Step::kSkip;
    case Field::kResultType:
      if (kind != Kind::kNull) result_type_ = ResultType::kOther;
      return take_text(Slot::kResultType, kind);
    default:
      return Step::kSkip;
  }
}

Step MessageHandler::result_meta_member(Field field, Kind kind) {
  switch (field) {
    case Field::kVersion:
      return take_text(Slot::kMetaVersion, kind);
    case Field::kPeer:
      return kind == Kind::kObject ? enter(At::kMetaPeer) : Step::kSkip;
    case Field::kSubscription:
      return take_id(IdSlot::kSubscription, kind);
    default:
      return Step::kSkip;
  }
}

Step MessageHandler::small_member(At at, Field field, Kind kind) {
  const bool of_meta = at == At::kMetaPeer;
  switch (field) {
    case Field::kPeerName:
      return take_text(of_meta ? Slot::kMetaPeerName : Slot::kPeerName, kind);
    case Field::kPeerVersion:
      return take_text(of_meta ? Slot::kMetaPeerVersion : Slot::kPeerVersion, kind);
    case Field::kTaskId:
      return take_text(Slot::kTask, kind);
    case Field::kToolName:
      return take_text(Slot::kToolName, kind);
    case Field::kErrorMessage:
      meta_matched_ = 0;
      return take_text(Slot::kErrorMessage, kind);
    case Field::kCode:
      if (kind != Kind::kNumber) return Step::kSkip;
      return take_text(Slot::kCode, Kind::kString);  // digits need no decoding, so they pass as a string does
    default:
      return Step::kSkip;
  }
}

void MessageHandler::container_ended(At at, std::uint64_t offset) {
  switch (at) {
    case At::kParams:
      map_.params.end = offset;
      return;
    case At::kParamsMeta:
      map_.meta.end = offset;
      return;
    case At::kRoot:
      break;
    default:
      return;
  }
  map_.root.end = offset;
  if (this->at() != At::kBatch) return;
  flush_declared();
  sink_->on_message(build(offset - map_.root.begin, kInBatch), nullptr);
}

void MessageHandler::meta_member_ended(std::uint64_t offset) {
  if (meta_field_ == Field::kTraceparent) {
    map_.traceparent = {value_begin_, offset};
    map_.traceparent_member = {member_begin_, offset};
  } else if (meta_field_ == Field::kTracestate) {
    map_.tracestate = {value_begin_, offset};
    map_.tracestate_member = {member_begin_, offset};
  }
  meta_field_ = Field::kNone;
  meta_end_ = offset;
}

// The text of an error comes in pieces. No two bytes of the word are the same, so a mismatch can only begin it anew.
void MessageHandler::look_for_meta(std::string_view piece) {
  constexpr std::string_view kWord = "_meta";
  for (const char c : piece) {
    if (meta_matched_ == kWord.size()) break;
    meta_matched_ = c == kWord[meta_matched_] ? meta_matched_ + 1 : c == kWord.front() ? 1 : 0;
  }
  if (meta_matched_ == kWord.size()) flags_ |= kErrorNamesMeta;
}

void MessageHandler::text_ended() {
  texts_.finish();
  if (slot_ == Slot::kToolName) declare_tool();
}

void MessageHandler::declare_tool() {
  const std::string_view name = texts_.text(Slot::kToolName);
  const bool plain = !texts_.cut(Slot::kToolName) && is_plain_name(name);
  declared_[declared_count_++] = plain ? plain_name_hash(name) : odd_name_hash(texts_.print(Slot::kToolName));
  if (declared_count_ == declared_.size()) flush_declared();
}

void MessageHandler::flush_declared() {
  if (declared_count_ > 0) sink_->on_declared({declared_.data(), declared_count_});
  declared_count_ = 0;
}

void MessageHandler::clear_object() {
  flags_ = 0;
  seen_.fill(0);
  has_result_ = has_error_ = false;
  result_type_ = ResultType::kAbsent;
  texts_.clear();
  ids_.clear();
  map_ = {};
  taking_ = Taking::kNothing;
  meta_field_ = Field::kNone;
}

void MessageHandler::clear_line() {
  root_ = Root::kNothing;
  elements_ = odd_elements_ = 0;
  bad_element_ = false;
  depth_ = 0;
  taking_ = Taking::kNothing;
  declared_count_ = 0;
}

class MessageScanner::Impl {
 public:
  Impl(Direction direction, const HashKey& key, ScanOptions options)
      : handler(direction, key, std::move(options)), scanner(handler) {}

  MessageHandler handler;
  json::Scanner<MessageHandler> scanner;
};

std::vector<std::string> default_conversation_keys() {
  return {"vscode.conversationId", "openai/session", "sessionId", "threadId", "sessionID"};
}

MessageScanner::MessageScanner(Direction direction, const HashKey& key, ScanOptions options)
    : impl_(std::make_unique<Impl>(direction, key, std::move(options))) {}
MessageScanner::~MessageScanner() = default;
MessageScanner::MessageScanner(MessageScanner&&) noexcept = default;
MessageScanner& MessageScanner::operator=(MessageScanner&&) noexcept = default;

void MessageScanner::feed(std::string_view piece, MessageSink& sink) {
  impl_->handler.set_sink(&sink);
  impl_->scanner.feed(piece);
}

void MessageScanner::end_line(std::uint64_t line_bytes, MessageSink& sink) {
  impl_->handler.set_sink(&sink);
  const json::Shape shape = impl_->scanner.finish();
  impl_->handler.end_line(shape, line_bytes);
  impl_->scanner.reset();
}

void MessageScanner::discard() {
  impl_->handler.discard_line();
  impl_->scanner.reset();
}

}  // namespace mcptrace::mcp
