#include "ship/cut.h"

#include <gtest/gtest.h>

#include "otlp/decode.h"
#include "otlp/protobuf.h"

namespace mcptrace::ship {
namespace {

otlp::Span whole() {
  otlp::Span span;
  span.trace_id.bytes.fill(1);
  span.span_id.bytes.fill(2);
  span.name = "s";
  span.attributes = {{"a", {std::string("ab€")}}, {"b", {std::int64_t{1}}}, {"c", {true}}};
  for (int i = 0; i < 3; ++i) {
    span.events.push_back({Nanos(i), "e", {{"x", {std::string("long text")}}, {"y", {true}}}, 0});
    span.links.push_back({span.trace_id, span.span_id, "", {{"x", {true}}, {"y", {true}}}, 0, 0});
  }
  span.dropped_events = 4;
  return span;
}

// As it fits, whether it was cut, and whether it was seen to need it.
struct Result {
  otlp::Span span;
  bool cut = false, fitted = false;
};
Result cut(const Limits& limits, std::uint32_t longest = 5) {
  std::string bytes, out = "before";
  otlp::append_protobuf(whole(), bytes);
  trace::SpanHeader header;
  header.longest_text = longest;
  const auto done = append_cut(bytes, limits, out);
  EXPECT_TRUE(done);
  return {*otlp::decode_span(std::string_view(out).substr(6)), *done, fits(header, bytes, limits)};
}

TEST(Cut, WithoutLimitsEverythingFits) {
  const Result result = cut({});
  EXPECT_TRUE(result.fitted);
  EXPECT_FALSE(result.cut);
  EXPECT_EQ(result.span.attributes.size(), 3u);
}

TEST(Cut, TextsEndBetweenCharacters) {
  EXPECT_TRUE(cut({.attribute_bytes = 5}).fitted);
  const Result result = cut({.attribute_bytes = 4});
  EXPECT_FALSE(result.fitted);
  EXPECT_TRUE(result.cut);
  EXPECT_EQ(*result.span.attribute("a")->string(), "ab") << "the euro sign has three bytes";
  EXPECT_EQ(*result.span.events[0].attributes[0].second.string(), "long");
}

TEST(Cut, WhatIsBeyondANumberGoesAndIsCounted) {
  const Result attributes = cut({.attribute_count = 2});
  EXPECT_FALSE(attributes.fitted);
  EXPECT_EQ(attributes.span.attributes.size(), 2u);
  EXPECT_EQ(attributes.span.dropped_attributes, 1u);
  EXPECT_TRUE(cut({.attribute_count = 3}).fitted);
  const Result events = cut({.event_count = 1});
  EXPECT_FALSE(events.fitted);
  EXPECT_EQ(events.span.events.size(), 1u);
  EXPECT_EQ(events.span.dropped_events, 6u);
  const Result links = cut({.link_count = 2, .event_attribute_count = 1, .link_attribute_count = 1});
  EXPECT_EQ(links.span.links.size(), 2u);
  EXPECT_EQ(links.span.dropped_links, 1u);
  EXPECT_EQ(links.span.events[2].dropped_attributes, 1u);
  EXPECT_EQ(links.span.links[0].dropped_attributes, 1u);
  const Result none = cut({.event_attribute_count = 9});
  EXPECT_FALSE(none.fitted) << "it has to be looked at";
  EXPECT_FALSE(none.cut);
}

TEST(Cut, WhatIsNoSpanIsAnError) {
  std::string out;
  EXPECT_FALSE(append_cut("\xff", {.attribute_bytes = 1}, out));
}

}  // namespace
}  // namespace mcptrace::ship
