#include "otlp/json.h"

#include <charconv>
#include <cmath>
#include <map>

#include "base/text.h"
#include "json/object.h"
#include "otlp/fields.h"

namespace mcptrace::otlp {
namespace {

using json::append_list;
using json::Object;

template <class Number>
void append_decimal(std::string& out, Number value) {
  char digits[32];
  out.append(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr);
}

// 64-bit numbers are strings.
void append_long(std::string& out, std::int64_t value) {
  out += '"';
  append_decimal(out, value);
  out += '"';
}

void append_double(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "\"NaN\"";
  } else if (std::isinf(value)) {
    out += value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  } else {
    append_decimal(out, value);
  }
}

void append_value(std::string& out, const Value& value);

void append_key_value(std::string& out, const KeyValue* pair) {
  Object members(out);
  json::append_quoted(members.key("key"), pair->first);
  append_value(members.key("value"), pair->second);
  members.end();
}

// Keys must be unique in OTLP, but appended bytes may repeat one: the last value, where the key was first.
void append_key_values(std::string& out, const std::vector<KeyValue>& pairs) {
  std::vector<const KeyValue*> unique;
  std::map<std::string_view, std::size_t> places;
  for (const KeyValue& pair : pairs) {
    const auto [place, is_new] = places.try_emplace(pair.first, unique.size());
    if (is_new) {
      unique.push_back(&pair);
    } else {
      unique[place->second] = &pair;
    }
  }
  append_list(out, unique, append_key_value);
}

// The one member of an AnyValue.
struct ValueWriter {
  Object& members;

  void operator()(std::monostate) const {}
  void operator()(const std::string& value) const { json::append_quoted(members.key("stringValue"), value); }
  void operator()(bool value) const { members.key("boolValue") += value ? "true" : "false"; }
  void operator()(std::int64_t value) const { append_long(members.key("intValue"), value); }
  void operator()(double value) const { append_double(members.key("doubleValue"), value); }
  void operator()(const Bytes& value) const {
    members.key("bytesValue").append("\"").append(base64(value.bytes)).append("\"");
  }
  void operator()(const std::vector<Value>& values) const {
    Object array(members.key("arrayValue"));
    append_list(array.key("values"), values, append_value);
    array.end();
  }
  void operator()(const std::vector<KeyValue>& pairs) const {
    Object list(members.key("kvlistValue"));
    append_key_values(list.key("values"), pairs);
    list.end();
  }
};

void append_value(std::string& out, const Value& value) {
  Object members(out);
  std::visit(ValueWriter{members}, value.v);
  members.end();
}

template <class Message>
void append_object(std::string& out, const Message& message);

// Object that hold their default are left out, but for messages.
void member(Object& members, std::string_view name, const std::string& value) {
  if (!value.empty()) json::append_quoted(members.key(name), value);
}
void member(Object& members, std::string_view name, const Nanos& value) {
  if (value.count() != 0) append_long(members.key(name), value.count());
}
void member(Object& members, std::string_view name, std::uint32_t value) {
  if (value != 0) append_decimal(members.key(name), value);
}
void member(Object& members, std::string_view name, Fixed32<const std::uint32_t> value) {
  member(members, name, value.number);
}
void member(Object& members, std::string_view name, Enumeration<const std::uint32_t> value) {
  if (value.number != 0) append_decimal(members.key(name), static_cast<std::int32_t>(value.number));
}
void member(Object& members, std::string_view name, const std::vector<KeyValue>& pairs) {
  if (!pairs.empty()) append_key_values(members.key(name), pairs);
}
template <std::size_t kSize, class Tag>
void member(Object& members, std::string_view name, const IdBytes<kSize, Tag>& value) {
  if (!value.is_zero()) members.key(name).append(1, '"').append(value.hex()).append(1, '"');
}
template <class Message>
void member(Object& members, std::string_view name, const std::vector<Message>& messages) {
  if (!messages.empty()) append_list(members.key(name), messages, append_object<Message>);
}
template <class Message>
void member(Object& members, std::string_view name, const Message& message) {
  append_object(members.key(name), message);
}

template <class Message>
void append_object(std::string& out, const Message& message) {
  Object members(out);
  fields(message, [&](std::uint32_t, std::string_view name, const auto& held) { member(members, name, held); });
  members.end();
}

}  // namespace

void append_json(const TracesData& traces, std::string& out) { append_object(out, traces); }

}  // namespace mcptrace::otlp
