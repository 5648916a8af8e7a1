#include "ship/cut.h"

#include <vector>

#include "base/utf8.h"
#include "otlp/decode.h"
#include "otlp/export.h"
#include "otlp/protobuf.h"

namespace mcptrace::ship {
namespace {

class Cutter {
 public:
  explicit Cutter(const Limits& limits) : limits_(limits) {}

  void cut(otlp::Span& span) {
    cut(span, limits_.attribute_count);
    span.dropped_events += drop(span.events, limits_.event_count);
    span.dropped_links += drop(span.links, limits_.link_count);
    for (otlp::Event& event : span.events) cut(event, limits_.event_attribute_count);
    for (otlp::Link& link : span.links) cut(link, limits_.link_attribute_count);
  }
  [[nodiscard]] bool has_cut() const { return has_cut_; }

 private:
  template <class Message>
  void cut(Message& message, std::size_t most) {
    message.dropped_attributes += drop(message.attributes, most);
    if (limits_.attribute_bytes != 0) cut_texts(message.attributes);
  }

  // Leaves the first `most`; how many went.
  template <class Item>
  std::uint32_t drop(std::vector<Item>& items, std::size_t most) {
    if (most == 0 || items.size() <= most) return 0;
    const std::size_t dropped = items.size() - most;
    items.erase(items.begin() + static_cast<std::ptrdiff_t>(most), items.end());
    has_cut_ = true;
    return static_cast<std::uint32_t>(dropped);
  }

  void cut_texts(std::vector<otlp::KeyValue>& attributes) {
    for (otlp::KeyValue& attribute : attributes) cut_text(attribute.second);
  }

  void cut_text(otlp::Value& value) {
    if (auto* text = std::get_if<std::string>(&value.v); text != nullptr && text->size() > limits_.attribute_bytes) {
      *text = clean_utf8(*text, limits_.attribute_bytes);
      has_cut_ = true;
    } else if (auto* values = std::get_if<std::vector<otlp::Value>>(&value.v)) {
      for (otlp::Value& one : *values) cut_text(one);
    } else if (auto* pairs = std::get_if<std::vector<otlp::KeyValue>>(&value.v)) {
      cut_texts(*pairs);
    }
  }

  const Limits& limits_;
  bool has_cut_ = false;
};

}  // namespace

bool fits(const trace::SpanHeader& header, std::string_view span, const Limits& limits) {
  if (limits.attribute_bytes != 0 && header.longest_text > limits.attribute_bytes) return false;
  // What an event or a link has can be seen only within; who sets a limit for that pays for it.
  if (limits.event_attribute_count != 0 || limits.link_attribute_count != 0) return false;
  if (limits.attribute_count == 0 && limits.event_count == 0 && limits.link_count == 0) return true;
  const auto within = [](std::size_t size, std::size_t most) { return most == 0 || size <= most; };
  const otlp::SpanSizes sizes = otlp::count_parts(span);
  return within(sizes.attributes, limits.attribute_count) && within(sizes.events, limits.event_count) &&
         within(sizes.links, limits.link_count);
}

Result<bool> append_cut(std::string_view bytes, const Limits& limits, std::string& out) {
  MCPTRACE_TRY(otlp::Span span, otlp::decode_span(bytes));
  Cutter cutter(limits);
  cutter.cut(span);
  if (!cutter.has_cut()) {
    out += bytes;
    return false;
  }
  otlp::append_protobuf(span, out);
  return true;
}

}  // namespace mcptrace::ship
