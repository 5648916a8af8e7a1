// OTLP's messages as protobuf again: of what was decoded to be changed. Spans on their way are never taken apart.
//
//   append_protobuf(span, out);     // a Span, Resource, TracesData …, without field tag and length of its own
#pragma once

#include <bit>

#include "otlp/fields.h"
#include "otlp/wire.h"

namespace mcptrace::otlp {

inline void append_number(std::string& out, std::uint32_t field, std::uint64_t value) {
  append_varint(out, tag_of(field, Wire::kVarint));
  append_varint(out, value);
}
inline void append_fixed64(std::string& out, std::uint32_t field, std::uint64_t value) {
  append_varint(out, tag_of(field, Wire::kFixed64));
  char buffer[8];
  write_little_endian(buffer, value);
  out.append(buffer, sizeof(buffer));
}
inline void append_fixed32(std::string& out, std::uint32_t field, std::uint32_t value) {
  append_varint(out, tag_of(field, Wire::kFixed32));
  char buffer[4];
  write_little_endian(buffer, value);
  out.append(buffer, sizeof(buffer));
}

inline void append_value(std::string& out, const Value& value);

inline void append_key_values(std::string& out, std::uint32_t field, const std::vector<KeyValue>& pairs) {
  for (const KeyValue& pair : pairs) {
    append_message(out, field, [&] {
      if (!pair.first.empty()) append_bytes(out, 1, pair.first);
      append_message(out, 2, [&] { append_value(out, pair.second); });
    });
  }
}

// The content of an AnyValue. What it holds is written even if it is 0 or empty: that is a value, too.
struct ProtobufValue {
  std::string& out;

  void operator()(std::monostate) const {}
  void operator()(const std::string& value) const { append_bytes(out, 1, value); }
  void operator()(bool value) const { append_number(out, 2, value ? 1 : 0); }
  void operator()(std::int64_t value) const { append_number(out, 3, static_cast<std::uint64_t>(value)); }
  void operator()(double value) const { append_fixed64(out, 4, std::bit_cast<std::uint64_t>(value)); }
  void operator()(const std::vector<Value>& values) const {
    append_message(out, 5, [&] {
      for (const Value& value : values) append_message(out, 1, [&] { append_value(out, value); });
    });
  }
  void operator()(const std::vector<KeyValue>& pairs) const {
    append_message(out, 6, [&] { append_key_values(out, 1, pairs); });
  }
  void operator()(const Bytes& value) const { append_bytes(out, 7, value.bytes); }
};
inline void append_value(std::string& out, const Value& value) { std::visit(ProtobufValue{out}, value.v); }

// A field, unless it holds its default, as protobuf does it.
struct ProtobufField {
  std::string& out;
  std::uint32_t field;

  void operator()(const std::string& value) const {
    if (!value.empty()) append_bytes(out, field, value);
  }
  void operator()(const Nanos& value) const {
    if (value.count() != 0) append_fixed64(out, field, static_cast<std::uint64_t>(value.count()));
  }
  void operator()(std::uint32_t value) const {
    if (value != 0) append_number(out, field, value);
  }
  void operator()(Enumeration<const std::uint32_t> value) const { (*this)(value.number); }
  void operator()(Fixed32<const std::uint32_t> value) const {
    if (value.number != 0) append_fixed32(out, field, value.number);
  }
  void operator()(const std::vector<KeyValue>& pairs) const { append_key_values(out, field, pairs); }
  template <std::size_t kSize, class Tag>
  void operator()(const IdBytes<kSize, Tag>& id) const {
    if (!id.is_zero()) append_bytes(out, field, {reinterpret_cast<const char*>(id.bytes.data()), kSize});
  }
  template <class Message>
  void operator()(const std::vector<Message>& messages) const {
    for (const Message& message : messages) (*this)(message);
  }
  template <class Message>
  void operator()(const Message& message) const {
    append_message(out, field, [&] { append_protobuf(message, out); });
  }
};

template <class Message>
void append_protobuf(const Message& message, std::string& out) {
  fields(message, [&](std::uint32_t field, std::string_view, const auto& held) { ProtobufField{out, field}(held); });
}

}  // namespace mcptrace::otlp
