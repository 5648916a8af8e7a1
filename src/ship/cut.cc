#include "ship/cut.h"

#include "base/utf8.h"
#include "otlp/decode.h"
#include "otlp/export.h"
#include "otlp/protobuf.h"

namespace mcptrace::ship {
namespace {

void cut_texts(std::vector<otlp::KeyValue>& attributes, std::size_t limit);

void cut_text(otlp::Value& value, std::size_t limit) {
  if (auto* text = std::get_if<std::string>(&value.v); text != nullptr && text->size() > limit) {
    *text = clean_utf8(*text, limit);
  } else if (auto* values = std::get_if<std::vector<otlp::Value>>(&value.v)) {
    for (otlp::Value& one : *values) cut_text(one, limit);
  } else if (auto* pairs = std::get_if<std::vector<otlp::KeyValue>>(&value.v)) {
    cut_texts(*pairs, limit);
  }
}

void cut_texts(std::vector<otlp::KeyValue>& attributes, std::size_t limit) {
  for (otlp::KeyValue& attribute : attributes) cut_text(attribute.second, limit);
}

template <class Message>
void cut(Message& message, const Limits& limits) {
  std::vector<otlp::KeyValue>& attributes = message.attributes;
  if (limits.attribute_count != 0 && attributes.size() > limits.attribute_count) {
    message.dropped_attributes += static_cast<std::uint32_t>(attributes.size() - limits.attribute_count);
    attributes.resize(limits.attribute_count);
  }
  if (limits.attribute_bytes != 0) cut_texts(attributes, limits.attribute_bytes);
}

}  // namespace

bool fits(const trace::SpanHeader& header, std::string_view span, const Limits& limits) {
  if (limits.attribute_bytes != 0 && header.longest_text > limits.attribute_bytes) return false;
  return limits.attribute_count == 0 || otlp::count_attributes(span) <= limits.attribute_count;
}

Result<> append_cut(std::string_view bytes, const Limits& limits, std::string& out) {
  MCPTRACE_TRY(otlp::Span span, otlp::decode_span(bytes));
  cut(span, limits);
  for (otlp::Event& event : span.events) cut(event, limits);
  for (otlp::Link& link : span.links) cut(link, limits);
  otlp::append_protobuf(span, out);
  return {};
}

}  // namespace mcptrace::ship
