// The scanner and its handler are compiled together, as the one calls the other for each key.
#include "mcp/message_scanner.h"

#include <utility>

#include "json/scanner.h"
#include "mcp/message_handler.h"

namespace mcptrace::mcp {

using json::Kind;
using json::Step;

MessageHandler::MessageHandler(Direction direction, const HashKey& key, ScanOptions options)
    : direction_(direction), options_(std::move(options)), texts_(key), ids_(key), definition_(key) {}

// Inlined into the scanner; what is rare stands apart, so that it leaves the scanner its registers.
[[gnu::always_inline]] inline Step MessageHandler::on_value(const json::Key& key, Kind kind, std::uint64_t offset) {
  const Place place = at();
  return place >= Place::kRoot ? member(place, key, kind, offset) : odd_value(key, kind, offset);
}

// Of what is no object, or not as others are.
[[gnu::noinline]] Step MessageHandler::odd_value(const json::Key& key, Kind kind, std::uint64_t offset) {
  switch (at()) {
    case Place::kLine:
      return root_value(kind, offset);
    case Place::kBatch:
      return batch_element(kind, offset);
    case Place::kTools:
      if (kind != Kind::kObject) return Step::kSkip;
      definition_.begin();
      tool_ = 0;
      return enter(Place::kTool);
    case Place::kTool:
      if (key.text == "_meta") return Step::kSkip;
      if (key.text == "name" && kind == Kind::kString) {
        definition_.at(key, kind);
        return take_text(Slot::kToolName, kind);
      }
      return definition_value(key, kind);
    case Place::kDefinition:
      return definition_value(key, kind);
    case Place::kParamsMeta:
      return meta_member(key, kind, offset);
    default:
      return Step::kSkip;
  }
}

// What is nested deeper than the scanner enters counts as what kind it is.
Step MessageHandler::definition_value(const json::Key& key, Kind kind) {
  definition_.at(key, kind);
  if (kind != Kind::kObject && kind != Kind::kArray) {
    taking_ = Taking::kDefinition;
    return Step::kText;
  }
  if (depth_ >= json::kMaxEntered) return Step::kSkip;
  definition_.enter();
  return enter(Place::kDefinition);
}

[[gnu::noinline]] void MessageHandler::on_text(std::string_view piece) {
  begin_taking();
  if (taking_ == Taking::kTextBegun) {
    if (slot_ == Slot::kErrorMessage) [[unlikely]]
      look_for_meta(piece);
    texts_.feed(piece);
  } else if (taking_ == Taking::kIdBegun) {
    ids_.feed(piece);
  } else if (taking_ == Taking::kDefinition) {
    definition_.feed(piece);
  }
}

[[gnu::noinline]] bool MessageHandler::on_end(Kind kind, std::uint64_t offset) {
  if (kind == Kind::kObject || kind == Kind::kArray) {
    if (depth_ == 0) return false;
    const Place ended = at();
    --depth_;
    container_ended(ended, offset);
  } else {
    begin_taking();
    if (taking_ == Taking::kTextBegun) text_ended();
    if (taking_ == Taking::kIdBegun) ids_.finish();
    if (taking_ == Taking::kDefinition) definition_.end();
  }
  value_ended(offset);
  return has_found();
}

[[gnu::always_inline]] inline void MessageHandler::on_whole_text(std::string_view text, Kind kind,
                                                                 std::uint64_t offset) {
  if (taking_ == Taking::kText && texts_.take(slot_, text)) {
    if (slot_ == Slot::kToolName) name_tool();
    return value_ended(offset);
  }
  if (taking_ == Taking::kId && kind == Kind::kNumber && ids_.take(id_slot_, text)) return value_ended(offset);
  take_slowly(text, kind, offset);
}

[[gnu::noinline]] void MessageHandler::take_slowly(std::string_view text, Kind kind, std::uint64_t offset) {
  if (!text.empty()) on_text(text);
  on_end(kind, offset);
}

inline void MessageHandler::value_ended(std::uint64_t offset) {
  taking_ = Taking::kNothing;
  if (at() == Place::kParamsMeta) meta_member_ended(offset);
}

inline void MessageHandler::begin_taking() {
  if (taking_ == Taking::kText) {
    texts_.begin(slot_);
    taking_ = Taking::kTextBegun;
  } else if (taking_ == Taking::kId) {
    ids_.begin(id_slot_, id_kind_);
    taking_ = Taking::kIdBegun;
  }
}

inline Step MessageHandler::enter(Place place) {
  if (depth_ + 1 >= stack_.size()) return Step::kSkip;
  stack_[++depth_] = place;
  return Step::kEnter;
}

Step MessageHandler::take_text(Slot slot, Kind kind) {
  if (kind != Kind::kString) return Step::kSkip;
  taking_ = Taking::kText;
  slot_ = slot;
  return Step::kText;
}

Step MessageHandler::take_id(IdSlot slot, Kind kind) {
  if (kind != Kind::kString && kind != Kind::kNumber) [[unlikely]] {
    ids_.begin(slot, kind);
    return Step::kSkip;
  }
  taking_ = Taking::kId;
  id_slot_ = slot;
  id_kind_ = kind;
  return Step::kText;
}

Step MessageHandler::root_value(Kind kind, std::uint64_t offset) {
  if (kind == Kind::kObject) {
    root_ = Root::kObject;
    return begin_object(offset);
  }
  root_ = kind == Kind::kArray ? Root::kArray : kind == Kind::kOther ? Root::kNoValue : Root::kScalar;
  if (kind == Kind::kArray) return enter(Place::kBatch);
  root_is_string_ = kind == Kind::kString;
  if (root_ != Root::kScalar || root_is_string_) return Step::kSkip;
  // The scanner passes over it up to its end, whatever it is: "noise" begins as null does.
  return take_text(Slot::kMethod, Kind::kString);
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
  return enter(Place::kRoot);
}

[[gnu::always_inline]] inline const Field* MessageHandler::field_of(Place place, const json::Key& key) {
  const FoundField found = find_field(place, key);
  if (found.ambiguous) [[unlikely]]
    flags_ |= kAmbiguous;
  if (found.field != nullptr) {
    if ((seen_ & found.field->bit) != 0) [[unlikely]]
      flags_ |= kAmbiguous;
    seen_ |= found.field->bit;
  }
  return found.field;
}

[[gnu::always_inline]] inline Step MessageHandler::take(const Field& field, Kind kind, std::uint64_t offset) {
  const auto slot = static_cast<Slot>(field.into);
  const bool is_object = kind == Kind::kObject;
  switch (field.take) {
    case Take::kNothing:
      return Step::kSkip;
    case Take::kText:
      return take_text(slot, kind);
    case Take::kId:
      return take_id(static_cast<IdSlot>(field.into), kind);
    case Take::kObject:
      return enter_if(is_object, static_cast<Place>(field.into));
    case Take::kNotNull:
      if (kind != Kind::kNull) flags_ |= 1u << field.into;
      return Step::kSkip;
    case Take::kParams:
      flags_ |= kHasParams;
      map_.params = {offset, offset + 1};
      map_.params_is_object = map_.params_is_empty = is_object;
      return enter_if(is_object, Place::kParams);
    case Take::kParamsMeta:
      map_.meta = {offset, offset + 1};
      map_.meta_is_object = map_.meta_is_empty = is_object;
      meta_end_ = offset + 1;
      if (is_object) flags_ |= kHasMeta;
      return enter_if(is_object, Place::kParamsMeta);
    case Take::kContext:
      if (slot == Slot::kTraceparent) flags_ |= kHasTraceparent;
      if (kind != Kind::kString && kind != Kind::kNull) map_.context_is_odd = true;
      return take_text(slot, kind);
    case Take::kResult:
      has_result_ = true;
      return enter_if(is_object, Place::kResult);
    case Take::kIsError:
      if (kind == Kind::kTrue) flags_ |= kIsError;
      return Step::kSkip;
    case Take::kResultType:
      if (kind != Kind::kNull) result_type_ = ResultType::kOther;
      return take_text(Slot::kResultType, kind);
    case Take::kTools:
      return enter_if(kind == Kind::kArray, Place::kTools);
    case Take::kError:  // "error":null beside a result is an old habit
      has_error_ = kind != Kind::kNull;
      return enter_if(is_object, Place::kError);
    case Take::kCode:  // digits need no decoding, so they pass as a string does
      return kind == Kind::kNumber ? take_text(Slot::kCode, Kind::kString) : Step::kSkip;
    case Take::kErrorMessage:
      meta_matched_ = 0;
      return take_text(Slot::kErrorMessage, kind);
  }
  return Step::kSkip;
}

[[gnu::always_inline]] inline Step MessageHandler::member(Place place, const json::Key& key, Kind kind,
                                                          std::uint64_t offset) {
  if (place == Place::kParams) map_.params_is_empty = false;
  const Field* const field = field_of(place, key);
  return field != nullptr ? take(*field, kind, offset) : Step::kSkip;
}

// Every member of _meta is followed to its end: where one ends, a splice may cut.
Step MessageHandler::meta_member(const json::Key& key, Kind kind, std::uint64_t offset) {
  map_.meta_is_empty = false;
  if (key.text.starts_with(kMetaPrefix)) flags_ |= kNamesMcp;
  value_begin_ = offset;
  member_begin_ = meta_end_;
  meta_field_ = field_of(Place::kParamsMeta, key);
  const Step step = meta_field_ != nullptr ? take(*meta_field_, kind, offset) : conversation_member(key, kind);
  if (step != Step::kSkip) return step;
  return kind == Kind::kObject || kind == Kind::kArray ? enter(Place::kOpaque) : Step::kText;
}

Step MessageHandler::conversation_member(const json::Key& key, Kind kind) {
  if (kind != Kind::kString || key.escaped || key.cut) return Step::kSkip;
  const std::size_t best = texts_.has(Slot::kConversation) ? conversation_ : options_.conversation_keys.size();
  for (std::size_t i = 0; i < best; ++i) {
    if (options_.conversation_keys[i] != key.text) continue;
    conversation_ = i;
    taking_ = Taking::kTextBegun;
    slot_ = Slot::kConversation;
    texts_.begin(slot_, options_.conversation_keys[i]);
    texts_.feed("=");
    return Step::kText;
  }
  return Step::kSkip;
}

void MessageHandler::container_ended(Place place, std::uint64_t offset) {
  switch (place) {
    case Place::kParams:
      map_.params.end = offset;
      return;
    case Place::kParamsMeta:
      map_.meta.end = offset;
      return;
    case Place::kDefinition:
      return definition_.leave();
    case Place::kTool:
      return declare_tool();
    case Place::kRoot:
      break;
    default:
      return;
  }
  map_.root.end = offset;
  if (at() == Place::kBatch) build(offset - map_.root.begin, kInBatch);
}

[[gnu::noinline]] void MessageHandler::meta_member_ended(std::uint64_t offset) {
  const Slot slot = meta_field_ != nullptr && meta_field_->take == Take::kContext ? static_cast<Slot>(meta_field_->into)
                                                                                  : Slot::kCount;
  if (slot == Slot::kTraceparent) {
    map_.traceparent = {value_begin_, offset};
    map_.traceparent_member = {member_begin_, offset};
  } else if (slot == Slot::kTracestate) {
    map_.tracestate = {value_begin_, offset};
    map_.tracestate_member = {member_begin_, offset};
  }
  meta_field_ = nullptr;
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
  if (slot_ == Slot::kToolName) name_tool();
}

[[gnu::noinline]] void MessageHandler::name_tool() {
  const std::string_view name = texts_.text(Slot::kToolName);
  const bool plain = !texts_.cut(Slot::kToolName) && is_plain_name(name);
  tool_ = plain ? plain_name_hash(name) : odd_name_hash(texts_.print(Slot::kToolName));
  definition_.take({reinterpret_cast<const char*>(&tool_), sizeof(tool_)});
}

void MessageHandler::declare_tool() {
  if (tool_ == 0) return;
  declared_[declared_count_++] = {.name = tool_, .definition = definition_.sum()};
}

void MessageHandler::clear_object() {
  flags_ = 0;
  seen_ = 0;
  has_result_ = has_error_ = false;
  result_type_ = ResultType::kAbsent;
  texts_.clear();
  ids_.clear();
  map_ = {};
  taking_ = Taking::kNothing;
  meta_field_ = nullptr;
}

void MessageHandler::clear_line() {
  root_ = Root::kNothing;
  elements_ = odd_elements_ = 0;
  bad_element_ = bad_utf8_ = false;
  depth_ = 0;
  taking_ = Taking::kNothing;
}

void MessageHandler::discard_line() {
  clear_line();
  declared_count_ = 0;
  messages_ = 0;
}

std::vector<std::string> default_conversation_keys() {
  return {"vscode.conversationId", "openai/session", "sessionId", "threadId", "sessionID"};
}

MessageScanner::MessageScanner(Direction direction, const HashKey& key, ScanOptions options)
    : handler_(direction, key, std::move(options)), scanner_(handler_) {}

const Found* MessageScanner::look() {
  while (!piece_.empty() && !handler_.has_found()) piece_.remove_prefix(scanner_.feed(piece_));
  if (ending_ && !handler_.has_found()) {
    ending_ = false;
    handler_.end_line(scanner_.finish(), line_bytes_);
    scanner_.reset();
  }
  return handler_.take();
}

void MessageScanner::discard() {
  piece_ = {};
  ending_ = false;
  handler_.discard_line();
  scanner_.reset();
}

}  // namespace mcptrace::mcp
