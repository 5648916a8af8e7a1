// The handler of json::Scanner that picks out of a line what a Message says, and notes where a splice would go. Used by
// MessageScanner only.
//
// Keys may come in any order, so values are captured wherever they may matter, and which of them count is decided when
// the object is over.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "json/scanner.h"
#include "mcp/definition_hash.h"
#include "mcp/fields.h"
#include "mcp/message.h"
#include "mcp/splice.h"

namespace mcptrace::mcp {

// The keys that real clients use.
std::vector<std::string> default_conversation_keys();

struct ScanOptions {
  // Keys of params._meta that name a conversation, in order of preference.
  std::vector<std::string> conversation_keys = default_conversation_keys();
};

// What a line or a body came to: a message, or tools that it declares. Valid until the next call to who gave it.
struct Found {
  // Complete; may be changed. Elements of a batch that are no objects come last, at most 1,000 of them, all the same
  // but for the first, which says whether the batch is UTF-8.
  Message* message = nullptr;
  const SpliceMap* map = nullptr;  // of the message; null for elements of a batch and for what is no whole JSON object
  // In place of a message: the tools that a tools/list result names, each once its object is over, at most 64 at a
  // time, before that result. A line that turns out to be no JSON after all may have named some.
  std::span<const DeclaredTool> declared{};
};

class MessageHandler {
 public:
  MessageHandler(Direction direction, const HashKey& key, ScanOptions options);

  json::Step on_value(const json::Key& key, json::Kind kind, std::uint64_t offset);
  void on_text(std::string_view piece);
  // True: something is to be taken before more bytes come.
  bool on_end(json::Kind kind, std::uint64_t offset);
  void on_whole_text(std::string_view text, json::Kind kind, std::uint64_t offset);
  void on_bad_utf8() { bad_utf8_ = true; }
  [[nodiscard]] bool has_found() const { return messages_ != 0 || declared_count_ == declared_.size(); }
  // The scanner's verdict on the line. Says what was left to say of it, and starts afresh.
  void end_line(json::Shape shape, std::uint64_t line_bytes);
  // What there is to be taken, declared tools first; null: nothing.
  const Found* take();
  // Starts afresh.
  void discard_line();
  // All messages from now on have this.
  void mark(MessageFlag flag) { mark_ = flag; }

 private:
  enum class Root : std::uint8_t { kNothing, kObject, kArray, kScalar, kNoValue };
  // The value whose text comes: none of it was there yet, or the capture of it has begun.
  enum class Taking : std::uint8_t { kNothing, kText, kTextBegun, kId, kIdBegun, kDefinition };

  [[nodiscard]] Place at() const { return stack_[depth_]; }

  json::Step enter(Place place);
  json::Step enter_if(bool may, Place place) { return may ? enter(place) : json::Step::kSkip; }
  json::Step take_text(Slot slot, json::Kind kind);
  json::Step take_id(IdSlot slot, json::Kind kind);

  json::Step odd_value(const json::Key& key, json::Kind kind, std::uint64_t offset);
  json::Step definition_value(const json::Key& key, json::Kind kind);
  json::Step root_value(json::Kind kind, std::uint64_t offset);
  json::Step batch_element(json::Kind kind, std::uint64_t offset);
  json::Step begin_object(std::uint64_t offset);
  const Field* field_of(Place place, const json::Key& key);
  json::Step take(const Field& field, json::Kind kind, std::uint64_t offset);
  json::Step member(Place place, const json::Key& key, json::Kind kind, std::uint64_t offset);
  json::Step meta_member(const json::Key& key, json::Kind kind, std::uint64_t offset);
  json::Step conversation_member(const json::Key& key, json::Kind kind);
  void container_ended(Place place, std::uint64_t offset);
  void meta_member_ended(std::uint64_t offset);
  void begin_taking();
  void take_slowly(std::string_view text, json::Kind kind, std::uint64_t offset);
  void text_ended();
  void value_ended(std::uint64_t offset);
  void look_for_meta(std::string_view piece);

  // The object is over: what it was.
  void build(std::uint64_t bytes, std::uint32_t flags);
  // One that says nothing yet.
  Message& start_message(std::uint64_t bytes, std::uint32_t flags);
  MessageKind kind_of(IdType id) const;
  void fill_method(Message& message) const;
  void fill_id(Message& message) const;
  void fill_related(Message& message) const;
  void fill_name(Message& message) const;
  void fill_peer(Message& message) const;
  void fill_envelope(Message& message) const;
  void fill_result(Message& message) const;
  void fill_context(Message& message) const;

  void name_tool();
  void declare_tool();
  void clear_object();
  void clear_line();

  Direction direction_;
  ScanOptions options_;
  std::uint32_t mark_ = 0;

  // The line.
  Root root_ = Root::kNothing;
  bool root_is_string_ = false;
  std::uint64_t elements_ = 0;      // of a batch
  std::uint64_t odd_elements_ = 0;  // those that are no objects
  bool bad_element_ = false;        // one of them is no JSON
  bool bad_utf8_ = false;           // not told yet
  std::size_t depth_ = 0;
  std::array<Place, json::kMaxEntered + 2> stack_{};

  // The object.
  std::uint32_t flags_ = 0;
  std::uint64_t seen_ = 0;  // fields met, by number
  bool has_result_ = false;
  bool has_error_ = false;
  ResultType result_type_ = ResultType::kAbsent;
  std::size_t conversation_ = 0;  // the captured one's place in the options
  TextCapture texts_;
  IdCapture ids_;
  SpliceMap map_;

  // The value being taken, and where in _meta we are.
  Taking taking_ = Taking::kNothing;
  Slot slot_ = Slot::kMethod;
  IdSlot id_slot_ = IdSlot::kMessage;
  json::Kind id_kind_ = json::Kind::kNumber;
  const Field* meta_field_ = nullptr;
  std::size_t meta_matched_ = 0;  // of "_meta", in the text of an error
  std::uint64_t value_begin_ = 0;
  std::uint64_t member_begin_ = 0;
  std::uint64_t meta_end_ = 0;  // one past the last member of params._meta so far

  DefinitionHash definition_;  // of the tool at hand
  std::uint64_t tool_ = 0;     // its name, once it is known
  std::array<DeclaredTool, 64> declared_;
  std::size_t declared_count_ = 0;

  // What is to be taken.
  Message message_;
  bool has_map_ = false;
  std::uint64_t messages_ = 0;  // as many times
  Found found_;
};

}  // namespace mcptrace::mcp
