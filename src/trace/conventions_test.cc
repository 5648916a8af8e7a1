#include "trace/conventions.h"

#include <gmock/gmock.h>

#include <set>

#include "trace/span_record.h"

namespace mcptrace::trace {
namespace {

std::string guide(mcp::Method method, Naming naming = Naming::kBoth) {
  std::string buffer;
  return std::string(span_name(method, naming, "a target", buffer));
}

std::string semconv(mcp::Method method, std::string_view target) {
  std::string buffer;
  return std::string(span_name(method, Naming::kSemconv, target, buffer));
}

TEST(Conventions, GuidesSpanNames) {
  EXPECT_EQ(guide(mcp::Method::kInitialize), "mcp.initialize");
  EXPECT_EQ(guide(mcp::Method::kServerDiscover), "mcp.discover");
  EXPECT_EQ(guide(mcp::Method::kToolsList), "mcp.tools_list");
  EXPECT_EQ(guide(mcp::Method::kToolsCall, Naming::kGuide), "mcp.tool_call");
  EXPECT_EQ(guide(mcp::Method::kResourcesRead), "mcp.resources_read");
  EXPECT_EQ(guide(mcp::Method::kResourcesTemplatesList), "mcp.resources_templates_list");
  EXPECT_EQ(guide(mcp::Method::kLoggingSetLevel), "mcp.logging_setLevel");
  EXPECT_EQ(guide(mcp::Method::kNotificationsCancelled), "mcp.notifications_cancelled");
  EXPECT_EQ(guide(mcp::Method::kPing), "mcp.ping");
  EXPECT_EQ(guide(mcp::Method::kUnknown), "mcp._OTHER");
}

TEST(Conventions, EveryMethodHasANameOfItsOwn) {
  std::set<std::string> names;
  for (int i = static_cast<int>(mcp::Method::kUnknown); i < static_cast<int>(mcp::Method::kCount); ++i) {
    const std::string name = guide(static_cast<mcp::Method>(i));
    EXPECT_THAT(name, testing::MatchesRegex("mcp\\.[A-Za-z_]+"));
    EXPECT_TRUE(names.insert(name).second) << name;
  }
}

TEST(Conventions, SemconvSpanNames) {
  EXPECT_EQ(semconv(mcp::Method::kToolsCall, "weather.get"), "tools/call weather.get");
  EXPECT_EQ(semconv(mcp::Method::kToolsCall, ""), "tools/call");
  EXPECT_EQ(semconv(mcp::Method::kInitialize, ""), "initialize");
  EXPECT_EQ(semconv(mcp::Method::kUnknown, "anything"), "_OTHER");
}

TEST(Conventions, Operations) {
  EXPECT_EQ(operation_text(operation_of(mcp::Method::kInitialize)), "initialize");
  EXPECT_EQ(operation_text(operation_of(mcp::Method::kServerDiscover)), "discover");
  EXPECT_EQ(operation_text(operation_of(mcp::Method::kToolsList)), "tools_list");
  EXPECT_EQ(operation_text(operation_of(mcp::Method::kToolsCall)), "tool_call");
  EXPECT_EQ(operation_of(mcp::Method::kPromptsGet), Operation::kNone);
  EXPECT_EQ(operation_text(Operation::kNone), "");
}

TEST(Conventions, AttributesOfANaming) {
  EXPECT_EQ(attr_key(Attr::kToolName), "mcp.tool_name");
  EXPECT_EQ(attr_key(Attr::kNetworkProtocolVersion), "network.protocol.version");
  const struct {
    Attr attr;
    bool both;
    bool guide;
    bool semconv;
  } kRows[] = {
      {Attr::kToolName, true, true, false},
      {Attr::kGenAiToolName, true, false, true},
      {Attr::kOutcome, true, true, true},
      {Attr::kErrorType, true, true, true},
  };
  for (const auto& row : kRows) {
    EXPECT_EQ(attr_in(row.attr, Naming::kBoth), row.both);
    EXPECT_EQ(attr_in(row.attr, Naming::kGuide), row.guide) << attr_key(row.attr);
    EXPECT_EQ(attr_in(row.attr, Naming::kSemconv), row.semconv) << attr_key(row.attr);
  }
}

TEST(Conventions, NoKeyTwice) {
  std::set<std::string_view> keys;
  for (std::size_t i = 0; i < static_cast<std::size_t>(Attr::kCount); ++i) {
    const std::string_view key = attr_key(static_cast<Attr>(i));
    EXPECT_THAT(std::string(key), testing::MatchesRegex("[a-z0-9_.]+"));
    EXPECT_TRUE(keys.insert(key).second) << key;
  }
}

TEST(Outcome, TextsAndErrors) {
  EXPECT_EQ(outcome_text(Outcome::kNone), "");
  EXPECT_EQ(outcome_text(Outcome::kToolError), "tool_error");
  EXPECT_EQ(outcome_text(Outcome::kUnobserved), "unobserved");
  std::set<std::string_view> texts;
  int errors = 0;
  for (int i = 0; i < static_cast<int>(Outcome::kCount); ++i) {
    const auto outcome = static_cast<Outcome>(i);
    EXPECT_TRUE(texts.insert(outcome_text(outcome)).second) << i;
    if (outcome_is_error(outcome)) ++errors;
  }
  EXPECT_EQ(errors, 5);
  for (const Outcome outcome : {Outcome::kNone, Outcome::kOk, Outcome::kInputRequired, Outcome::kAuthRequired,
                                Outcome::kUnobserved, Outcome::kRedirected}) {
    EXPECT_FALSE(outcome_is_error(outcome)) << outcome_text(outcome);
  }
}

TEST(SpanRecord, ALiteralIsAString) {
  SpanRecord span;
  span.add(Attr::kNetworkTransport, "pipe");
  span.add(Attr::kLate, true);
  span.add(Attr::kCalls, 7);
  EXPECT_EQ(span.attributes[0].value, AttributeValue(std::string_view("pipe")));
  EXPECT_EQ(span.attributes[1].value, AttributeValue(true));
  EXPECT_EQ(span.attributes[2].value, AttributeValue(std::int64_t{7}));
}

TEST(SpanRecord, ClearForgetsAllButCapacity) {
  SpanRecord span;
  span.trace_id.bytes[0] = 1;
  span.parent_remote = true;
  span.ended = false;
  span.status = StatusCode::kError;
  span.dropped_events = 3;
  span.name = "mcp.ping";
  for (int i = 0; i < 20; ++i) span.add(Attr::kCalls, i);
  span.events.emplace_back();
  span.links.emplace_back();
  const std::size_t capacity = span.attributes.capacity();
  span.clear();
  EXPECT_TRUE(span.trace_id.is_zero());
  EXPECT_FALSE(span.parent_remote);
  EXPECT_TRUE(span.ended);
  EXPECT_EQ(span.status, StatusCode::kUnset);
  EXPECT_EQ(span.dropped_events, 0u);
  EXPECT_EQ(span.name, "");
  EXPECT_TRUE(span.attributes.empty() && span.events.empty() && span.links.empty());
  EXPECT_EQ(span.attributes.capacity(), capacity);
}

}  // namespace
}  // namespace mcptrace::trace
