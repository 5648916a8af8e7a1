#include "otlp/json.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/utf8.h"

namespace mcptrace::otlp {
namespace {

TracesData one_span(Span span) {
  TracesData traces;
  traces.resources.emplace_back().scopes.emplace_back().spans.push_back(std::move(span));
  return traces;
}

std::string json_of(const TracesData& traces) {
  std::string out;
  append_json(traces, out);
  return out;
}

// What stands in the attributes of a span that has just these.
std::string attributes_json(std::vector<KeyValue> attributes) {
  Span span;
  span.attributes = std::move(attributes);
  const std::string out = json_of(one_span(std::move(span)));
  const std::size_t start = out.find("\"attributes\":");
  return out.substr(start + 13, out.find(",\"status\"") - start - 13);
}

std::string value_json(Value value) {
  const std::string out = attributes_json({{"k", std::move(value)}});
  const std::string_view before = "[{\"key\":\"k\",\"value\":";
  EXPECT_TRUE(out.starts_with(before) && out.ends_with("}]")) << out;
  return out.substr(before.size(), out.size() - before.size() - 2);
}

TEST(Json, NothingAndLeastSpan) {
  EXPECT_EQ(json_of({}), "{}");
  EXPECT_EQ(json_of(one_span({})),
            R"({"resourceSpans":[{"resource":{},"scopeSpans":[{"scope":{},"spans":[{"status":{}}]}]}]})");
}

TEST(Json, AllFields) {
  Span span;
  span.trace_id.bytes.fill(0xab);
  span.span_id.bytes.fill(0xcd);
  span.parent_id.bytes.fill(0x0f);
  span.trace_state = "ot=th:8";
  span.flags = 0x303;
  span.name = "mcp.tool_call";
  span.kind = 2;
  span.start = Nanos(1'760'000'000'000'000'001);
  span.end = Nanos(1'760'000'000'000'000'002);
  span.dropped_attributes = 1;
  span.events.push_back(
      {.at = Nanos(3), .name = "e", .attributes = {{"a", {std::int64_t{1}}}}, .dropped_attributes = 2});
  span.dropped_events = 4;
  span.links.push_back({.trace_id = span.trace_id,
                        .span_id = span.span_id,
                        .trace_state = "x=y",
                        .attributes = {{"b", {true}}},
                        .dropped_attributes = 5,
                        .flags = 1});
  span.dropped_links = 6;
  span.status = 2;
  span.status_message = "no";
  TracesData traces = one_span(span);
  ResourceSpans& resource = traces.resources[0];
  resource.resource.attributes = {{"service.name", {std::string("weather")}}};
  resource.schema_url = "u1";
  resource.scopes[0].scope = {.name = "mcptrace", .version = "1", .attributes = {{"c", {1.5}}}};
  resource.scopes[0].schema_url = "u2";
  EXPECT_EQ(
      json_of(traces),
      R"({"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"weather"}}]},)"
      R"("scopeSpans":[{"scope":{"name":"mcptrace","version":"1","attributes":[{"key":"c","value":{"doubleValue":1.5}}]},)"
      R"("spans":[{"traceId":"abababababababababababababababab","spanId":"cdcdcdcdcdcdcdcd","traceState":"ot=th:8",)"
      R"("parentSpanId":"0f0f0f0f0f0f0f0f","name":"mcp.tool_call","kind":2,)"
      R"("startTimeUnixNano":"1760000000000000001","endTimeUnixNano":"1760000000000000002","droppedAttributesCount":1,)"
      R"("events":[{"timeUnixNano":"3","name":"e","attributes":[{"key":"a","value":{"intValue":"1"}}],"droppedAttributesCount":2}],)"
      R"("droppedEventsCount":4,"links":[{"traceId":"abababababababababababababababab","spanId":"cdcdcdcdcdcdcdcd",)"
      R"("traceState":"x=y","attributes":[{"key":"b","value":{"boolValue":true}}],"droppedAttributesCount":5,"flags":1}],)"
      R"("droppedLinksCount":6,"status":{"message":"no","code":2},"flags":771}],"schemaUrl":"u2"}],"schemaUrl":"u1"}]})");
}

TEST(Json, Values) {
  EXPECT_EQ(value_json({}), "{}");
  EXPECT_EQ(value_json({std::string()}), R"({"stringValue":""})");
  EXPECT_EQ(value_json({false}), R"({"boolValue":false})");
  EXPECT_EQ(value_json({std::numeric_limits<std::int64_t>::min()}), R"({"intValue":"-9223372036854775808"})");
  EXPECT_EQ(value_json({std::vector<Value>{{true}, {}, {std::string("x")}}}),
            R"({"arrayValue":{"values":[{"boolValue":true},{},{"stringValue":"x"}]}})");
  EXPECT_EQ(value_json({std::vector<Value>{}}), R"({"arrayValue":{"values":[]}})");
  EXPECT_EQ(value_json({std::vector<KeyValue>{{"a", {std::vector<KeyValue>{}}}}}),
            R"({"kvlistValue":{"values":[{"key":"a","value":{"kvlistValue":{"values":[]}}}]}})");
}

TEST(Json, Doubles) {
  using Limits = std::numeric_limits<double>;
  EXPECT_EQ(value_json({0.1}), R"({"doubleValue":0.1})");
  EXPECT_EQ(value_json({-2.0}), R"({"doubleValue":-2})");
  EXPECT_EQ(value_json({1e300}), R"({"doubleValue":1e+300})");
  EXPECT_EQ(value_json({Limits::quiet_NaN()}), R"({"doubleValue":"NaN"})");
  EXPECT_EQ(value_json({Limits::infinity()}), R"({"doubleValue":"Infinity"})");
  EXPECT_EQ(value_json({-Limits::infinity()}), R"({"doubleValue":"-Infinity"})");
}

TEST(Json, BytesAreBase64) {
  const struct {
    const char* bytes;
    const char* base64;
  } kRows[] = {{"", ""},
               {"f", "Zg=="},
               {"fo", "Zm8="},
               {"foo", "Zm9v"},
               {"foob", "Zm9vYg=="},
               {"\xff\xfe\xfd", "//79"},
               {"\xfb\xef", "++8="}};
  for (const auto& row : kRows) {
    EXPECT_EQ(value_json({Bytes{row.bytes}}), std::string(R"({"bytesValue":")") + row.base64 + "\"}");
  }
}

TEST(Json, IsOneLineOfValidUtf8) {
  std::string hard;
  for (char c = 0; c < 0x20; ++c) hard += c;
  hard += "\"\\</script>\x7f\u2028\U0001f980";
  hard += "\xff\xc0";
  Span span;
  span.name = hard;
  span.attributes = {{hard, {hard}}};
  const std::string out = json_of(one_span(span));
  EXPECT_TRUE(is_utf8(out));
  for (const char c : out) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
}

TEST(Json, LastOfARepeatedKeyStandsWhereTheFirstStood) {
  EXPECT_EQ(attributes_json({{"a", {std::string("1")}}, {"b", {std::string("2")}}, {"a", {std::string("3")}}}),
            R"([{"key":"a","value":{"stringValue":"3"}},{"key":"b","value":{"stringValue":"2"}}])");
}

TEST(Json, EnumeratorsAreSigned) {
  Span span;
  span.kind = 0xffffffff;
  EXPECT_NE(json_of(one_span(span)).find(R"("kind":-1,)"), std::string::npos);
}

}  // namespace
}  // namespace mcptrace::otlp
