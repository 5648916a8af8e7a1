#include "otlp/json.h"

#include <charconv>
#include <cmath>
#include <map>

#include "json/text.h"
#include "otlp/fields.h"

namespace mcptrace::otlp {
namespace {

// An object's members, with the commas. A member's value is written to key()'s result.
class Members {
 public:
  explicit Members(std::string& out) : out_(out) { out_ += '{'; }
  std::string& key(std::string_view name) {
    if (!first_) out_ += ',';
    first_ = false;
    out_.append(1, '"').append(name).append("\":");
    return out_;
  }
  void end() { out_ += '}'; }

 private:
  std::string& out_;
  bool first_ = true;
};

template <class Item, class Write>
void append_array(std::string& out, const std::vector<Item>& items, Write&& write) {
  out += '[';
  for (const Item& item : items) {
    if (&item != items.data()) out += ',';
    write(out, item);
  }
  out += ']';
}

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

void append_base64(std::string& out, std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  out += '"';
  for (; !bytes.empty(); bytes.remove_prefix(std::min<std::size_t>(bytes.size(), 3))) {
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8 | (i < bytes.size() ? static_cast<std::uint8_t>(bytes[i]) : 0u);
    for (std::size_t i = 0; i < 4; ++i) out += i <= bytes.size() ? kDigits[group >> (18 - 6 * i) & 63] : '=';
  }
  out += '"';
}

void append_value(std::string& out, const Value& value);

void append_key_value(std::string& out, const KeyValue* pair) {
  Members members(out);
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
  append_array(out, unique, append_key_value);
}

// The one member of an AnyValue.
struct ValueWriter {
  Members& members;

  void operator()(std::monostate) const {}
  void operator()(const std::string& value) const { json::append_quoted(members.key("stringValue"), value); }
  void operator()(bool value) const { members.key("boolValue") += value ? "true" : "false"; }
  void operator()(std::int64_t value) const { append_long(members.key("intValue"), value); }
  void operator()(double value) const { append_double(members.key("doubleValue"), value); }
  void operator()(const Bytes& value) const { append_base64(members.key("bytesValue"), value.bytes); }
  void operator()(const std::vector<Value>& values) const {
    Members array(members.key("arrayValue"));
    append_array(array.key("values"), values, append_value);
    array.end();
  }
  void operator()(const std::vector<KeyValue>& pairs) const {
    Members list(members.key("kvlistValue"));
    append_key_values(list.key("values"), pairs);
    list.end();
  }
};

void append_value(std::string& out, const Value& value) {
  Members members(out);
  std::visit(ValueWriter{members}, value.v);
  members.end();
}

template <class Message>
void append_object(std::string& out, const Message& message);

// Members that hold their default are left out, but for messages.
void member(Members& members, std::string_view name, const std::string& value) {
  if (!value.empty()) json::append_quoted(members.key(name), value);
}
void member(Members& members, std::string_view name, const Nanos& value) {
  if (value.count() != 0) append_long(members.key(name), value.count());
}
void member(Members& members, std::string_view name, std::uint32_t value) {
  if (value != 0) append_decimal(members.key(name), value);
}
void member(Members& members, std::string_view name, Fixed32<const std::uint32_t> value) {
  member(members, name, value.number);
}
void member(Members& members, std::string_view name, Enumeration<const std::uint32_t> value) {
  if (value.number != 0) append_decimal(members.key(name), static_cast<std::int32_t>(value.number));
}
void member(Members& members, std::string_view name, const std::vector<KeyValue>& pairs) {
  if (!pairs.empty()) append_key_values(members.key(name), pairs);
}
template <std::size_t kSize, class Tag>
void member(Members& members, std::string_view name, const IdBytes<kSize, Tag>& value) {
  if (!value.is_zero()) members.key(name).append(1, '"').append(value.hex()).append(1, '"');
}
template <class Message>
void member(Members& members, std::string_view name, const std::vector<Message>& messages) {
  if (!messages.empty()) append_array(members.key(name), messages, append_object<Message>);
}
template <class Message>
void member(Members& members, std::string_view name, const Message& message) {
  append_object(members.key(name), message);
}

template <class Message>
void append_object(std::string& out, const Message& message) {
  Members members(out);
  fields(message, [&](std::uint32_t, std::string_view name, const auto& held) { member(members, name, held); });
  members.end();
}

}  // namespace

void append_json(const TracesData& traces, std::string& out) { append_object(out, traces); }

}  // namespace mcptrace::otlp
