#include "otlp/decode.h"

#include <algorithm>
#include <limits>

#include "base/utf8.h"
#include "otlp/fields.h"
#include "otlp/wire.h"

namespace mcptrace::otlp {
namespace {

constexpr int kMaxDepth = 32;  // of values in values
// Two bytes can say "an empty span", which takes hundreds in memory. Honest spans take some 4-10 times their bytes.
constexpr std::size_t kMemoryPerByte = 16;
constexpr std::size_t kMemoryBase = 64 * 1024;

// How what holds a field is written.
constexpr Wire wire_of(const auto&) { return Wire::kBytes; }
constexpr Wire wire_of(const Nanos&) { return Wire::kFixed64; }
constexpr Wire wire_of(const std::uint32_t&) { return Wire::kVarint; }
constexpr Wire wire_of(const Enumeration<std::uint32_t>&) { return Wire::kVarint; }
constexpr Wire wire_of(const Fixed32<std::uint32_t>&) { return Wire::kFixed32; }

// A case of a switch over Reader::tag().
constexpr std::uint32_t varint(std::uint32_t field) { return tag_of(field, Wire::kVarint); }
constexpr std::uint32_t fixed64(std::uint32_t field) { return tag_of(field, Wire::kFixed64); }
constexpr std::uint32_t bytes(std::uint32_t field) { return tag_of(field, Wire::kBytes); }

Nanos time_of(std::uint64_t unix_nanos) {
  constexpr std::uint64_t kLast = std::numeric_limits<std::int64_t>::max();
  return Nanos(static_cast<std::int64_t>(std::min(unix_nanos, kLast)));
}

std::string text_of(std::string_view raw) { return is_utf8(raw) ? std::string(raw) : clean_utf8(raw, raw.size() * 3); }

// Enumerations and 32-bit numbers: protobuf drops the upper half.
std::uint32_t low_half(std::uint64_t number) { return static_cast<std::uint32_t>(number); }

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

  template <class Message>
  bool message(std::string_view bytes, Message&& out);

  [[nodiscard]] bool saw_bad_id() const { return saw_bad_id_; }
  [[nodiscard]] Error error(std::string_view what) const;

 private:
  // The field that was read, into what holds it.
  bool take(const Reader& field, std::string& out) { return out = text_of(field.bytes()), true; }
  bool take(const Reader& field, Nanos& out) { return out = time_of(field.number()), true; }
  bool take(const Reader& field, std::uint32_t& out) { return out = low_half(field.number()), true; }
  bool take(const Reader& field, Enumeration<std::uint32_t> out) { return take(field, out.number); }
  bool take(const Reader& field, Fixed32<std::uint32_t> out) { return take(field, out.number); }
  bool take(const Reader& field, std::vector<KeyValue>& out) { return attribute(field.bytes(), out); }
  template <std::size_t kSize, class Tag>
  bool take(const Reader& field, IdBytes<kSize, Tag>& out);
  template <class Message>
  bool take(const Reader& field, std::vector<Message>& out) {
    return charge(field.bytes(), sizeof(Message)) && message(field.bytes(), out.emplace_back());
  }
  template <class Message>
  bool take(const Reader& field, Message&& out) {
    return message(field.bytes(), out);
  }
  bool attribute(std::string_view message, std::vector<KeyValue>& out, int depth = 0);
  bool value(std::string_view message, Value& out, int depth);
  bool array(std::string_view message, std::vector<Value>& out, int depth);
  bool key_values(std::string_view message, std::vector<KeyValue>& out, int depth);

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
bool Decoder::take(const Reader& field, IdBytes<kSize, Tag>& out) {
  const std::string_view raw = field.bytes();
  out = {};
  if (raw.size() == kSize) {
    std::memcpy(out.bytes.data(), raw.data(), kSize);
  } else if (!raw.empty()) {
    saw_bad_id_ = true;
  }
  return true;
}

template <class Message>
bool Decoder::message(std::string_view bytes, Message&& out) {
  Reader reader(bytes);
  while (reader.next()) {
    bool good = true;
    fields(out, [&](std::uint32_t number, std::string_view, auto&& held) {
      if (reader.is(number, wire_of(held))) good = take(reader, held);
    });
    if (!good) return false;
  }
  return ended(reader);
}

bool Decoder::attribute(std::string_view message, std::vector<KeyValue>& out, int depth) {
  if (!charge(message, sizeof(KeyValue))) return false;
  KeyValue& pair = out.emplace_back();
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
    if (!charge(reader.bytes(), sizeof(Value)) || !value(reader.bytes(), out.emplace_back(), depth)) return false;
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
  if (!decoder.message(bytes, span)) return std::unexpected(decoder.error("OTLP span"));
  if (decoder.saw_bad_id() || span.trace_id.is_zero() || span.span_id.is_zero()) {
    return std::unexpected(Error{Errc::kCorrupt, "OTLP span of " + std::to_string(bytes.size()) +
                                                     " bytes: an id is missing or has the wrong length"});
  }
  return span;
}

Result<Resource> decode_resource(std::string_view bytes) {
  Decoder decoder(bytes);
  Resource resource;
  if (!decoder.message(bytes, resource)) return std::unexpected(decoder.error("OTLP resource"));
  return resource;
}

Result<TracesData> decode_traces(std::string_view bytes) {
  Decoder decoder(bytes);
  TracesData traces;
  if (!decoder.message(bytes, traces)) return std::unexpected(decoder.error("OTLP traces"));
  return traces;
}

}  // namespace mcptrace::otlp
