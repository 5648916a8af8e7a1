// How a span becomes bytes in about a tenth of a microsecond: room for the largest form it can take is made once, then
// everything is written forward through a bare pointer. Keys are kept as the bytes that begin their KeyValue message;
// lengths, which protobuf wants in front, are computed from sizes.
#include "otlp/encode.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "base/short_bytes.h"
#include "otlp/wire.h"

namespace mcptrace::otlp {
namespace {

using trace::Attr;
using trace::Attribute;
using trace::Naming;
using trace::SpanEvent;
using trace::SpanLink;
using trace::SpanRecord;

// Fields of Span.
constexpr std::uint32_t kTraceId = 1, kSpanId = 2, kTraceState = 3, kParentSpanId = 4, kName = 5, kKind = 6, kStart = 7,
                        kEnd = 8, kAttributes = 9, kEvents = 11, kDroppedEvents = 12, kLinks = 13, kStatus = 15,
                        kFlags = 16;
constexpr std::uint32_t kStatusMessage = 2, kStatusCode = 3;
constexpr std::uint32_t kEventTime = 1, kEventName = 2, kEventAttributes = 3;
constexpr std::uint32_t kLinkTraceId = 1, kLinkSpanId = 2, kLinkTraceState = 3, kLinkAttributes = 4, kLinkFlags = 6;
constexpr std::uint32_t kKey = 1, kValue = 2;
constexpr std::uint32_t kStringValue = 1, kBoolValue = 2, kIntValue = 3, kDoubleValue = 4;

constexpr std::uint32_t kHasIsRemote = 0x100, kIsRemote = 0x200;  // of Span.flags

// The first bytes of a KeyValue field: room for the field's tag and length, tag, length and text of the key, tag of the
// value. Copied whole, used as far as `size`.
struct KeyBytes {
  static constexpr std::size_t kRoom = 56;
  static constexpr std::size_t kHead = 2;  // before the KeyValue message: the field's tag, and a length under 128
  std::array<char, kRoom> bytes{};
  std::uint8_t size = 0;
  trace::Set set = trace::Set::kCommon;

  consteval KeyBytes(std::string_view key, trace::Set in)
      : size(static_cast<std::uint8_t>(kHead + key.size() + 3)), set(in) {
    bytes[kHead] = static_cast<char>(tag_of(kKey, Wire::kBytes));
    bytes[kHead + 1] = static_cast<char>(key.size());
    // A key too long for kRoom does not compile.
    for (std::size_t i = 0; i < key.size(); ++i) bytes[kHead + 2 + i] = key[i];
    bytes[kHead + 2 + key.size()] = static_cast<char>(tag_of(kValue, Wire::kBytes));
  }
  // Of the KeyValue message, without its value's length and bytes.
  [[nodiscard]] constexpr std::size_t message_size() const { return size - kHead; }
};
constexpr KeyBytes kKeys[] = {
#define MCPTRACE_X(name, key, set) {key, trace::Set::set},
    MCPTRACE_ATTRIBUTES(MCPTRACE_X)
#undef MCPTRACE_X
};
static_assert(std::size(kKeys) == static_cast<std::size_t>(Attr::kCount));

// What a number field, or the tags and lengths of a string field, can take; rounded up.
constexpr std::size_t kFieldRoom = 16;
constexpr std::size_t kAttributeRoom = KeyBytes::kRoom + 2 * kFieldRoom;
constexpr std::size_t kSpanRoom = 256;  // all fields of fixed size, and the tags of the others
constexpr std::size_t kLinkRoom = 64;

std::size_t text_size(const Attribute& attribute) {
  const auto* text = std::get_if<std::string_view>(&attribute.value);
  return text != nullptr ? text->size() : 0;
}

std::size_t room_of(const std::vector<Attribute>& attributes) {
  std::size_t room = attributes.size() * kAttributeRoom;
  for (const Attribute& attribute : attributes) room += text_size(attribute);
  return room;
}

std::uint32_t longest_text_of(const std::vector<Attribute>& attributes) {
  std::size_t longest = 0;
  for (const Attribute& attribute : attributes) longest = std::max(longest, text_size(attribute));
  return static_cast<std::uint32_t>(longest);
}

std::size_t room_of(const SpanLink& link) {
  return kLinkRoom + kAttributeRoom + link.trace_state.size() + link.relation.size();
}

std::size_t room_of(const SpanRecord& span) {
  std::size_t room = kSpanRoom + span.trace_state.size() + span.name.size() + span.status_message.size();
  room += room_of(span.attributes);
  for (const SpanEvent& event : span.events) room += 4 * kFieldRoom + event.name.size() + room_of(event.attributes);
  for (const SpanLink& link : span.links) room += room_of(link);
  return room;
}

// Appends at most `room` bytes, written by `write(char* to) -> char* end`, without filling them first.
template <class Write>
void append_room(std::string& out, std::size_t room, Write&& write) {
  const std::size_t before = out.size();
  out.resize_and_overwrite(
      before + room, [&](char* data, std::size_t) { return static_cast<std::size_t>(write(data + before) - data); });
}

// The size of a string or message field with a tag of one byte.
constexpr std::size_t bytes_field_size(std::size_t size) { return 1 + varint_size(size) + size; }

char* put_tag(char* to, std::uint32_t field, Wire wire) { return write_varint(to, tag_of(field, wire)); }

char* put_number(char* to, std::uint32_t field, std::uint64_t value) {
  return write_varint(put_tag(to, field, Wire::kVarint), value);
}

char* put_fixed64(char* to, std::uint32_t field, std::uint64_t value) {
  return write_little_endian(put_tag(to, field, Wire::kFixed64), value);
}

char* put_fixed32(char* to, std::uint32_t field, std::uint32_t value) {
  return write_little_endian(put_tag(to, field, Wire::kFixed32), value);
}

char* put_message_start(char* to, std::uint32_t field, std::size_t size) {
  return write_varint(put_tag(to, field, Wire::kBytes), size);
}

char* put_bytes(char* to, std::uint32_t field, std::string_view bytes) {
  to = put_message_start(to, field, bytes.size());
  return std::copy(bytes.begin(), bytes.end(), to);
}

char* put_text_if(char* to, std::uint32_t field, std::string_view text) {
  return text.empty() ? to : put_bytes(to, field, text);
}

template <std::size_t kSize, class Tag>
char* put_id(char* to, std::uint32_t field, const IdBytes<kSize, Tag>& id) {
  *to++ = static_cast<char>(tag_of(field, Wire::kBytes));
  *to++ = static_cast<char>(kSize);
  std::memcpy(to, id.bytes.data(), kSize);
  return to + kSize;
}

// The size of the AnyValue message.
std::size_t value_size(const trace::AttributeValue& value) {
  if (const auto* text = std::get_if<std::string_view>(&value)) return bytes_field_size(text->size());
  if (const auto* number = std::get_if<std::int64_t>(&value))
    return 1 + varint_size(static_cast<std::uint64_t>(*number));
  return std::holds_alternative<bool>(value) ? 2 : 9;
}

char* put_value(char* to, const trace::AttributeValue& value) {
  if (const auto* text = std::get_if<std::string_view>(&value)) return put_bytes(to, kStringValue, *text);
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    return put_number(to, kIntValue, static_cast<std::uint64_t>(*number));
  }
  if (const auto* flag = std::get_if<bool>(&value)) return put_number(to, kBoolValue, *flag ? 1 : 0);
  return put_fixed64(to, kDoubleValue, std::bit_cast<std::uint64_t>(*std::get_if<double>(&value)));
}

const KeyBytes& key_of(const Attribute& attribute) { return kKeys[static_cast<std::size_t>(attribute.key)]; }

std::size_t key_value_size(const Attribute& attribute) {
  const std::size_t value = value_size(attribute.value);
  return key_of(attribute).message_size() + varint_size(value) + value;
}

// Of any size and type. Apart, so that the loop over the usual ones makes no call and keeps all it needs in registers.
[[gnu::noinline]] char* put_unusual(char* to, std::uint32_t field, const Attribute& attribute) {
  const KeyBytes& key = key_of(attribute);
  const std::size_t value = value_size(attribute.value);
  to = put_message_start(to, field, key_value_size(attribute));
  std::memcpy(to, key.bytes.data() + KeyBytes::kHead, KeyBytes::kRoom - KeyBytes::kHead);
  return put_value(write_varint(to + key.message_size(), value), attribute.value);
}

// Nearly every attribute is a short text or a number, so that each length is one byte: the key is copied with room for
// the lengths, and they are set afterwards.
[[gnu::always_inline]] inline char* put_attribute(char* to, std::uint32_t field, const Attribute& attribute) {
  constexpr std::size_t kShortText = 32;
  static_assert(KeyBytes::kRoom + 3 + kShortText < 0x80);
  const KeyBytes& key = key_of(attribute);
  const auto* text = std::get_if<std::string_view>(&attribute.value);
  const auto* number = std::get_if<std::int64_t>(&attribute.value);
  if (text != nullptr ? text->size() > kShortText : number == nullptr) return put_unusual(to, field, attribute);
  std::memcpy(to, key.bytes.data(), KeyBytes::kRoom);
  to[0] = static_cast<char>(tag_of(field, Wire::kBytes));
  char* const value = to + key.size + 1;
  char* end = nullptr;
  if (text != nullptr) {
    value[0] = static_cast<char>(tag_of(kStringValue, Wire::kBytes));
    value[1] = static_cast<char>(text->size());
    end = copy_bytes(value + 2, text->data(), text->size());
  } else {
    value[0] = static_cast<char>(tag_of(kIntValue, Wire::kVarint));
    end = write_varint(value + 1, static_cast<std::uint64_t>(*number));
  }
  value[-1] = static_cast<char>(end - value);
  to[1] = static_cast<char>(end - to - 2);
  return end;
}

char* put_attributes(char* to, std::uint32_t field, const std::vector<Attribute>& attributes, Naming naming) {
  for (const Attribute& attribute : attributes) {
    if (naming == Naming::kBoth || trace::set_in(key_of(attribute).set, naming)) {
      to = put_attribute(to, field, attribute);
    }
  }
  return to;
}

std::size_t attributes_size(const std::vector<Attribute>& attributes, Naming naming) {
  std::size_t size = 0;
  for (const Attribute& attribute : attributes) {
    if (trace::set_in(key_of(attribute).set, naming)) size += bytes_field_size(key_value_size(attribute));
  }
  return size;
}

// Times before 1970 do not exist in OTLP.
std::uint64_t unix_nanos(Nanos time) { return static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 0)); }

char* put_event(char* to, const SpanEvent& event, Naming naming) {
  const std::size_t name = event.name.empty() ? 0 : bytes_field_size(event.name.size());
  to = put_message_start(to, kEvents, 9 + name + attributes_size(event.attributes, naming));
  to = put_fixed64(to, kEventTime, unix_nanos(event.at));
  to = put_text_if(to, kEventName, event.name);
  return put_attributes(to, kEventAttributes, event.attributes, naming);
}

char* put_link(char* to, const SpanLink& link) {
  const Attribute relation{Attr::kLinkRelation, link.relation};
  std::size_t size = bytes_field_size(16) + bytes_field_size(8);
  if (!link.trace_state.empty()) size += bytes_field_size(link.trace_state.size());
  if (!link.relation.empty()) size += bytes_field_size(key_value_size(relation));
  if (link.flags != 0) size += 5;
  to = put_message_start(to, kLinks, size);
  to = put_id(to, kLinkTraceId, link.trace_id);
  to = put_id(to, kLinkSpanId, link.span_id);
  to = put_text_if(to, kLinkTraceState, link.trace_state);
  if (!link.relation.empty()) to = put_attribute(to, kLinkAttributes, relation);
  return link.flags != 0 ? put_fixed32(to, kLinkFlags, link.flags) : to;
}

// An unset status is left out; a message goes only with an error.
char* put_status(char* to, trace::StatusCode code, std::string_view message) {
  if (code == trace::StatusCode::kUnset) return to;
  to = put_message_start(to, kStatus, (message.empty() ? 0 : bytes_field_size(message.size())) + 2);
  to = put_text_if(to, kStatusMessage, message);
  return put_number(to, kStatusCode, static_cast<std::uint64_t>(code));
}

// Clamped: a clock that was set to its end must not overflow.
Nanos end_of(const SpanRecord& span) {
  const Nanos duration = std::max(span.duration, trace::kShortest);
  const Nanos start = std::max(span.start, Nanos(0));  // as it is written
  return start > Nanos::max() - duration ? Nanos::max() : start + duration;
}

// Where a text of that size stands which ends at `end`.
trace::SpanHeader::Place place_before(const char* end, std::size_t size, const char* begin) {
  if (size == 0) return {};
  return {static_cast<std::uint32_t>(end - size - begin), static_cast<std::uint16_t>(size)};
}

// Those of a span; `tool` is told where in the bytes from `begin` on its tool's name is.
char* put_span_attributes(char* to, const std::vector<Attribute>& attributes, Naming naming, const char* begin,
                          trace::SpanHeader::Place& tool) {
  for (const Attribute& attribute : attributes) {
    if (naming != Naming::kBoth && !trace::set_in(key_of(attribute).set, naming)) continue;
    to = put_attribute(to, kAttributes, attribute);
    if (attribute.key == Attr::kToolName || attribute.key == Attr::kGenAiToolName) {
      tool = place_before(to, text_size(attribute), begin);
    }
  }
  return to;
}

// `header` is told where in the bytes things are. `common`: what span.common says.
char* put_span(char* to, const SpanRecord& span, const EncodedCommon& common, Naming naming,
               trace::SpanHeader& header) {
  const char* const begin = to;
  const bool has_parent = !span.parent_id.is_zero();
  to = put_id(to, kTraceId, span.trace_id);
  to = put_id(to, kSpanId, span.span_id);
  to = put_text_if(to, kTraceState, span.trace_state);
  header.trace_state = place_before(to, span.trace_state.size(), begin);
  if (has_parent) to = put_id(to, kParentSpanId, span.parent_id);
  to = put_text_if(to, kName, span.name);
  to = put_number(to, kKind, static_cast<std::uint64_t>(span.kind));
  to = put_fixed64(to, kStart, unix_nanos(span.start));
  if (span.ended) to = put_fixed64(to, kEnd, unix_nanos(end_of(span)));
  if (common.tool.size != 0) {
    header.tool = {static_cast<std::uint32_t>(to - begin) + common.tool.at, common.tool.size};
  }
  to = std::copy(common.bytes.begin(), common.bytes.end(), to);
  to = put_span_attributes(to, span.attributes, naming, begin, header.tool);
  for (const SpanEvent& event : span.events) to = put_event(to, event, naming);
  if (span.dropped_events != 0) to = put_number(to, kDroppedEvents, span.dropped_events);
  for (const SpanLink& link : span.links) to = put_link(to, link);
  to = put_status(to, span.status, span.status_message);
  std::uint32_t flags = span.flags;
  if (has_parent) flags |= span.parent_remote ? kHasIsRemote | kIsRemote : kHasIsRemote;
  return flags != 0 ? put_fixed32(to, kFlags, flags) : to;
}

void encode_common(const trace::CommonAttributes& common, Naming naming, EncodedCommon& encoded) {
  encoded.bytes.clear();
  encoded.tool = {};
  encoded.longest_text = longest_text_of(common.attributes);
  append_room(encoded.bytes, room_of(common.attributes),
              [&](char* to) { return put_span_attributes(to, common.attributes, naming, to, encoded.tool); });
  encoded.serial = common.serial;
}

}  // namespace

void encode_record(const trace::SpanHeader& header, const SpanRecord& span, Naming naming, std::string& out) {
  RecordEncoder encoder(naming);
  append_room(out, encoder.room(span), [&](char* to) { return encoder.write(header, span, to); });
}

void encode_span(const SpanRecord& span, Naming naming, std::string& out) {
  std::string record;
  encode_record({}, span, naming, record);
  out.append(record, kHeaderBytes);
}

const EncodedCommon& RecordEncoder::common_of(const SpanRecord& span) {
  if (span.common == nullptr) return none_;
  EncodedCommon& known = known_[span.common->place];
  if (known.serial != span.common->serial) encode_common(*span.common, naming_, known);
  return known;
}

std::size_t RecordEncoder::room(const SpanRecord& span) {
  return kHeaderBytes + room_of(span) + common_of(span).bytes.size();
}

char* RecordEncoder::write(const trace::SpanHeader& header, const SpanRecord& span, char* to) {
  const EncodedCommon& common = common_of(span);
  trace::SpanHeader whole = header;
  whole.longest_text = std::max(common.longest_text, longest_text_of(span.attributes));
  char* const end = put_span(to + kHeaderBytes, span, common, naming_, whole);
  write_header(whole, to);
  return end;
}

void append_end(const SpanEnd& end, std::string& out) {
  std::vector<Attribute> attributes;
  const auto add = [&attributes](Attr key, std::string_view value) {
    if (!value.empty()) attributes.push_back({key, value});
  };
  add(Attr::kOutcome, trace::outcome_text(end.outcome));
  add(Attr::kErrorType, end.error_type);
  add(Attr::kEnd, end.end_unknown ? "unknown" : "");
  add(Attr::kUnobserved, end.unobserved);
  const auto status = trace::outcome_is_error(end.outcome) ? trace::StatusCode::kError : trace::StatusCode::kUnset;
  append_room(out, kSpanRoom + end.status_message.size() + room_of(attributes), [&](char* to) {
    to = put_fixed64(to, kEnd, unix_nanos(end.end));
    to = put_attributes(to, kAttributes, attributes, Naming::kBoth);
    return put_status(to, status, end.status_message);
  });
}

void encode_resource(std::span<const std::pair<std::string_view, std::string_view>> attributes, std::string& out) {
  for (const auto& [key, value] : attributes) {
    append_message(out, 1, [&out, key, value] {
      append_bytes(out, kKey, key);
      append_message(out, kValue, [&out, value] { append_bytes(out, kStringValue, value); });
    });
  }
}

}  // namespace mcptrace::otlp
