#include "otlp/export.h"

#include <gtest/gtest.h>

#include "otlp/decode.h"
#include "otlp/protobuf.h"
#include "trace/conventions.h"

namespace mcptrace::otlp {
namespace {

std::string resource_named(std::string name) {
  std::string bytes;
  append_protobuf(Resource{{{"service.name", {std::move(name)}}}}, bytes);
  return bytes;
}

std::string span_named(std::string name) {
  Span span;
  span.trace_id.bytes.fill(1);
  span.span_id.bytes.fill(2);
  span.name = std::move(name);
  std::string bytes;
  append_protobuf(span, bytes);
  return bytes;
}

TEST(TraceRequest, GroupsSpansByResourceInTheirOrder) {
  const std::string weather = resource_named("weather"), idle = resource_named("idle"), files = resource_named("files");
  const std::string first = span_named("first"), second = span_named("second"),
                    third = span_named(std::string(300, 't'));
  const std::string_view resources[] = {weather, idle, files};
  const SpanBytes spans[] = {{2, first}, {0, second}, {2, third}};
  std::string request = "before";
  append_trace_request(resources, spans, "1.2", request);
  const auto traces = decode_traces(std::string_view(request).substr(6));
  ASSERT_TRUE(traces) << traces.error().message;
  ASSERT_EQ(traces->resources.size(), 2u);
  const ResourceSpans& of_weather = traces->resources[0];
  EXPECT_EQ(*of_weather.resource.attribute("service.name")->string(), "weather");
  ASSERT_EQ(of_weather.scopes.size(), 1u);
  EXPECT_EQ(of_weather.scopes[0].scope.name, "mcptrace");
  EXPECT_EQ(of_weather.scopes[0].scope.version, "1.2");
  EXPECT_EQ(of_weather.scopes[0].schema_url, trace::kSchemaUrl);
  EXPECT_EQ(of_weather.schema_url, trace::kSchemaUrl);
  ASSERT_EQ(of_weather.scopes[0].spans.size(), 1u);
  const ResourceSpans& of_files = traces->resources[1];
  ASSERT_EQ(of_files.scopes[0].spans.size(), 2u);
  EXPECT_EQ(of_files.scopes[0].spans[0].name, "first");
  EXPECT_EQ(of_files.scopes[0].spans[1].name, std::string(300, 't'));
}

TEST(TraceRequest, OfNothingIsEmpty) {
  std::string request;
  append_trace_request({}, {}, "1", request);
  EXPECT_EQ(request, "");
}

std::string field(std::uint32_t number, std::string_view bytes) {
  std::string out;
  append_bytes(out, number, bytes);
  return out;
}
std::string number_field(std::uint32_t number, std::uint64_t value) {
  std::string out;
  append_varint(out, tag_of(number, Wire::kVarint));
  append_varint(out, value);
  return out;
}

TEST(ExportAnswer, SaysWhatWasNotTaken) {
  EXPECT_EQ(decode_export_answer("")->rejected, 0);
  const auto partial = decode_export_answer(field(1, number_field(1, 3) + field(2, "too \xffold")));
  ASSERT_TRUE(partial);
  EXPECT_EQ(partial->rejected, 3);
  EXPECT_EQ(partial->message, "too \xef\xbf\xbdold");
  EXPECT_FALSE(decode_export_answer("\x0a\x05x"));
  const auto json = parse_export_answer(R"({"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}})");
  ASSERT_TRUE(json);
  EXPECT_EQ(json->rejected, 3);
  EXPECT_EQ(json->message, "too old");
  EXPECT_EQ(parse_export_answer(R"({"partialSuccess":{"rejectedSpans":4}})")->rejected, 4);
  EXPECT_EQ(parse_export_answer("{}")->rejected, 0);
  EXPECT_FALSE(parse_export_answer("<html>"));
}

TEST(RpcStatus, SaysWhyAndWhenAgain) {
  const std::string delay = field(1, number_field(1, 7) + number_field(2, 500'000'000));
  const std::string info = field(1, "type.googleapis.com/google.rpc.RetryInfo") + field(2, delay);
  const std::string other = field(1, "type.googleapis.com/google.rpc.DebugInfo") + field(2, "x");
  const auto status = decode_rpc_status(number_field(1, 14) + field(2, "busy") + field(3, other) + field(3, info));
  ASSERT_TRUE(status);
  EXPECT_EQ(status->code, 14);
  EXPECT_EQ(status->message, "busy");
  EXPECT_EQ(status->retry_delay, Nanos(7'500'000'000));
  EXPECT_FALSE(decode_rpc_status(field(2, "busy"))->retry_delay);
  EXPECT_EQ(parse_rpc_status(R"({"code":3,"message":"bad"})")->message, "bad");
}

}  // namespace
}  // namespace mcptrace::otlp
