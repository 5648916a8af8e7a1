#include "otlp/decode.h"

#include <algorithm>
#include <limits>

#include "base/utf8.h"
#include "otlp/wire.h"

namespace mcptrace::otlp {
namespace {

constexpr int kMaxDepth = 32;  // of values in values
// Two bytes can say "an empty span", which takes hundreds in memory. Honest spans take some 4-10 times their bytes.
constexpr std::size_t kMemoryPerByte = 16;
constexpr std::size_t kMemoryBase = 64 * 1024;

// A case of a switch over Reader::tag().
constexpr std::uint32_t varint(std::uint32_t field) { return tag_of(field, Wire::kVarint); }
constexpr std::uint32_t fixed64(std::uint32_t field) { return tag_of(field, Wire::kFixed64); }
constexpr std::uint32_t fixed32(std::uint32_t field) { return tag_of(field, Wire::kFixed32); }
constexpr std::uint32_t bytes(std::uint32_t field) { return tag_of(field, Wire::kBytes); }

Nanos time_of(std::uint64_t unix_nanos) {
  constexpr std::uint64_t kLast = std::numeric_limits<std::int64_t>::max();
  return Nanos(static_cast<std::int64_t>(std::min(unix_nanos, kLast)));
}

std::string text_of(std::string_view raw) { return is_utf8(raw) ? std::string(raw) : clean_utf8(raw, raw.size() * 3); }

// Enumerations and 32-bit numbers: protobuf drops the upper half.
std::uint32_t low_half(std::uint64_t number) { return static_cast<std::uint32_t>(number); }

// Adds an element to a list and gives it.
template <class T>
T& grow(std::vector<T>& list) {
  return list.emplace_back();
}

// The value's alternative T, made if it holds another.
template <class T>
T& alternative(Value& value) {
  if (auto* held = std::get_if<T>(&value.v)) return *held;
  return value.v.emplace<T>();
}

// One decoding. Each function reads a message of its kind into `out`, merging with what is there; false = failed.
class Decoder {
 public:
  explicit Decoder(std::string_view all) : all_(all), memory_(kMemoryBase + all.size() * kMemoryPerByte) {}

  bool traces(TracesData& out);
  bool resource(std::string_view message, Resource& out);
  bool span(std::string_view message, Span& out);

  [[nodiscard]] bool saw_bad_id() const { return saw_bad_id_; }
  [[nodiscard]] Error error(std::string_view what) const;

 private:
  bool resource_spans(std::string_view message, ResourceSpans& out);
  bool scope_spans(std::string_view message, ScopeSpans& out);
  bool scope(std::string_view message, Scope& out);
  bool event(std::string_view message, Event& out);
  bool link(std::string_view message, Link& out);
  bool status(std::string_view message, Span& out);
  bool attribute(std::string_view message, std::vector<KeyValue>& out, int depth = 0);
  bool value(std::string_view message, Value& out, int depth);
  bool array(std::string_view message, std::vector<Value>& out, int depth);
  bool key_values(std::string_view message, std::vector<KeyValue>& out, int depth);
  template <std::size_t kSize, class Tag>
  void id(std::string_view raw, IdBytes<kSize, Tag>& out);

  // Takes the memory of one more element.
  bool charge(std::string_view message, std::size_t size);
  // How a message ended.
  bool ended(const Reader& reader);

  std::string_view all_;
  std::size_t memory_;
  bool saw_bad_id_ = false;
  bool over_limit_ = false;
  const char* why_ = "";
  std::size_t place_ = 0;
};

Error Decoder::error(std::string_view what) const {
  std::string message(what);
  message.append(": byte ").append(std::to_string(place_)).append(" of ").append(std::to_string(all_.size()));
  return {over_limit_ ? Errc::kLimit : Errc::kCorrupt, message.append(": ").append(why_)};
}

bool Decoder::ended(const Reader& reader) {
  if (reader.failure() == nullptr) return true;
  why_ = reader.failure();
  place_ = static_cast<std::size_t>(reader.place() - all_.data());
  return false;
}

bool Decoder::charge(std::string_view message, std::size_t size) {
  if (size <= memory_) {
    memory_ -= size;
    return true;
  }
  over_limit_ = true;
  why_ = "too many empty elements";
  place_ = static_cast<std::size_t>(message.data() - all_.data());
  return false;
}

template <std::size_t kSize, class Tag>
void Decoder::id(std::string_view raw, IdBytes<kSize, Tag>& out) {
  out = {};
  if (raw.size() == kSize) {
    std::memcpy(out.bytes.data(), raw.data(), kSize);
  } else if (!raw.empty()) {
    saw_bad_id_ = true;
  }
}

bool Decoder::traces(TracesData& out) {
  Reader reader(all_);
  while (reader.next()) {
    if (!reader.is(1, Wire::kBytes)) continue;
    if (!charge(reader.bytes(), sizeof(ResourceSpans))) return false;
    if (!resource_spans(reader.bytes(), grow(out.resources))) return false;
  }
  return ended(reader);
}

bool Decoder::resource_spans(std::string_view message, ResourceSpans& out) {
  Reader reader(message);
  while (reader.next()) {
    switch (reader.tag()) {
      case bytes(1):
        if (!resource(reader.bytes(), out.resource)) return false;
        break;
      case bytes(2):
        if (!charge(reader.bytes(), sizeof(ScopeSpans))) return false;
        if (!scope_spans(reader.bytes(), grow(out.scopes))) return false;
        break;
      case bytes(3):
        out.schema_url = text_of(reader.bytes());
        break;
      default:
        break;
    }
  }
  return ended(reader);
}

bool Decoder::resource(std::string_view message, Resource& out) {
  Reader reader(message);
  while (reader.next()) {
    if (reader.is(1, Wire::kBytes) && !attribute(reader.bytes(), out.attributes)) return false;
  }
  return ended(reader);
}

bool Decoder::scope_spans(std::string_view message, ScopeSpans& out) {
  Reader reader(message);
  while (reader.next()) {
    switch (reader.tag()) {
      case bytes(1):
        if (!scope(reader.bytes(), out.scope)) return false;
        break;
      case bytes(2):
        if (!charge(reader.bytes(), sizeof(Span))) return false;
        if (!span(reader.bytes(), grow(out.spans))) return false;
        break;
      case bytes(3):
        out.schema_url = text_of(reader.bytes());
        break;
      default:
        break;
    }
  }
  return ended(reader);
}

bool Decoder::scope(std::string_view message, Scope& out) {
  Reader reader(message);
  while (reader.next()) {
    switch (reader.tag()) {
      case bytes(1):
        out.name = text_of(reader.bytes());
        break;
      case bytes(2):
        out.version = text_of(reader.bytes());
        break;
      case bytes(3):
        if (!attribute(reader.bytes(), out.attributes)) return false;
        break;
      default:
        break;
    }
  }
  return ended(reader);
}

bool Decoder::span(std::string_view message, Span& out) {
  Reader reader(message);
  while (reader.next()) {
    switch (reader.tag()) {
      case bytes(1):
        id(reader.bytes(), out.trace_id);
        break;
      case bytes(2):
        id(reader.bytes(), out.span_id);
        break;
      case bytes(3):
        out.trace_state = text_of(reader.bytes());
        break;
      case bytes(4):
        id(reader.bytes(), out.parent_id);
        break;
      case bytes(5):
        out.name = text_of(reader.bytes());
        break;
      case varint(6):
        out.kind = low_half(reader.number());
        break;
      case fixed64(7):
        out.start = time_of(reader.number());
        break;
      case fixed64(8):
        out.end = time_of(reader.number());
        break;
      case bytes(9):
        if (!attribute(reader.bytes(), out.attributes)) return false;
        break;
      case varint(10):
        out.dropped_attributes = low_half(reader.number());
        break;
      case bytes(11):
        if (!charge(reader.bytes(), sizeof(Event)) || !event(reader.bytes(), grow(out.events))) return false;
        break;
      case varint(12):
        out.dropped_events = low_half(reader.number());
        break;
      case bytes(13):
        if (!charge(reader.bytes(), sizeof(Link)) || !link(reader.bytes(), grow(out.links))) return false;
        break;
      case varint(14):
        out.dropped_links = low_half(reader.number());
        break;
      case bytes(15):
        if (!status(reader.bytes(), out)) return false;
        break;
      case fixed32(16):
        out.flags = low_half(reader.number());
        break;
      default:
        break;
    }
  }
  return ended(reader);
}

bool Decoder::event(std::string_view message, Event& out) {
  Reader reader(message);
  while (reader.next()) {
    switch (reader.tag()) {
      case fixed64(1):
        out.at = time_of(reader.number());
        break;
      case bytes(2):
        out.name = text_of(reader.bytes());
        break;
      case bytes(3):
        if (!attribute(reader.bytes(), out.attributes)) return false;
        break;
      case varint(4):
        out.dropped_attributes = low_half(reader.number());
        break;
      default:
        break;
    }
  }
  return ended(reader);
}

bool Decoder::link(std::string_view message, Link& out) {
  Reader reader(message);
  while (reader.next()) {
    switch (reader.tag()) {
      case bytes(1):
        id(reader.bytes(), out.trace_id);
        break;
      case bytes(2):
        id(reader.bytes(), out.span_id);
        break;
      case bytes(3):
        out.trace_state = text_of(reader.bytes());
        break;
      case bytes(4):
        if (!attribute(reader.bytes(), out.attributes)) return false;
        break;
      case varint(5):
        out.dropped_attributes = low_half(reader.number());
        break;
      case fixed32(6):
        out.flags = low_half(reader.number());
        break;
      default:
        break;
    }
  }
  return ended(reader);
}

bool Decoder::status(std::string_view message, Span& out) {
  Reader reader(message);
  while (reader.next()) {
    if (reader.is(2, Wire::kBytes)) out.status_message = text_of(reader.bytes());
    if (reader.is(3, Wire::kVarint)) out.status = low_half(reader.number());
  }
  return ended(reader);
}

bool Decoder::attribute(std::string_view message, std::vector<KeyValue>& out, int depth) {
  if (!charge(message, sizeof(KeyValue))) return false;
  KeyValue& pair = grow(out);
  Reader reader(message);
  while (reader.next()) {
    if (reader.is(1, Wire::kBytes)) pair.first = text_of(reader.bytes());
    if (reader.is(2, Wire::kBytes) && !value(reader.bytes(), pair.second, depth)) return false;
  }
  return ended(reader);
}

bool Decoder::value(std::string_view message, Value& out, int depth) {
  if (depth > kMaxDepth) {
    why_ = "values are nested too deep";
    place_ = static_cast<std::size_t>(message.data() - all_.data());
    return false;
  }
  Reader reader(message);
  while (reader.next()) {
    switch (reader.tag()) {
      case bytes(1):
        out.v = text_of(reader.bytes());
        break;
      case varint(2):
        out.v = reader.number() != 0;
        break;
      case varint(3):
        out.v = static_cast<std::int64_t>(reader.number());
        break;
      case fixed64(4):
        out.v = std::bit_cast<double>(reader.number());
        break;
      case bytes(5):
        if (!array(reader.bytes(), alternative<std::vector<Value>>(out), depth + 1)) return false;
        break;
      case bytes(6):
        if (!key_values(reader.bytes(), alternative<std::vector<KeyValue>>(out), depth + 1)) return false;
        break;
      case bytes(7):
        out.v = Bytes{std::string(reader.bytes())};
        break;
      default:
        break;
    }
  }
  return ended(reader);
}

bool Decoder::array(std::string_view message, std::vector<Value>& out, int depth) {
  Reader reader(message);
  while (reader.next()) {
    if (!reader.is(1, Wire::kBytes)) continue;
    if (!charge(reader.bytes(), sizeof(Value)) || !value(reader.bytes(), grow(out), depth)) return false;
  }
  return ended(reader);
}

bool Decoder::key_values(std::string_view message, std::vector<KeyValue>& out, int depth) {
  Reader reader(message);
  while (reader.next()) {
    if (reader.is(1, Wire::kBytes) && !attribute(reader.bytes(), out, depth)) return false;
  }
  return ended(reader);
}

const Value* last_under(const std::vector<KeyValue>& attributes, std::string_view key) {
  const auto found =
      std::find_if(attributes.rbegin(), attributes.rend(), [key](const KeyValue& pair) { return pair.first == key; });
  return found == attributes.rend() ? nullptr : &found->second;
}

}  // namespace

const Value* Span::attribute(std::string_view key) const { return last_under(attributes, key); }
const Value* Resource::attribute(std::string_view key) const { return last_under(attributes, key); }

Result<Span> decode_span(std::string_view bytes) {
  Decoder decoder(bytes);
  Span span;
  if (!decoder.span(bytes, span)) return std::unexpected(decoder.error("OTLP span"));
  if (decoder.saw_bad_id() || span.trace_id.is_zero() || span.span_id.is_zero()) {
    return std::unexpected(Error{Errc::kCorrupt, "OTLP span of " + std::to_string(bytes.size()) +
                                                     " bytes: an id is missing or has the wrong length"});
  }
  return span;
}

Result<Resource> decode_resource(std::string_view bytes) {
  Decoder decoder(bytes);
  Resource resource;
  if (!decoder.resource(bytes, resource)) return std::unexpected(decoder.error("OTLP resource"));
  return resource;
}

Result<TracesData> decode_traces(std::string_view bytes) {
  Decoder decoder(bytes);
  TracesData traces;
  if (!decoder.traces(traces)) return std::unexpected(decoder.error("OTLP traces"));
  return traces;
}

}  // namespace mcptrace::otlp
