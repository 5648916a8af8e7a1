#include "query/export.h"

#include <gtest/gtest.h>

#include "json/scanner_model.h"
#include "query/testing.h"

namespace mcptrace::query {
namespace {

using namespace std::chrono_literals;
using trace::Outcome;

std::size_t occurrences(std::string_view text, std::string_view what) {
  std::size_t count = 0;
  for (std::size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + what.size())) ++count;
  return count;
}

void expect_in(const std::string& text, const std::string& what) {
  EXPECT_NE(text.find(what), std::string::npos) << what << "\nis not in\n" << text;
}

struct Exported : ::testing::Test {
  std::vector<MemoryFile> files{1};
  Sample sample{files[0].sink()};

  void fill() {
    sample.options().client_name = "a\u202e\"\x1b";
    sample.open();
    sample.initialize(0s, 1ms);
    SampleCall call;
    call.tool = "echo";
    call.at = 1s;
    call.duration = 2ms;
    call.outcome = Outcome::kRpcError;
    call.code = -32602;
    sample.call(call);
    call.trace_id.bytes.fill(0xab);
    call.parent_id.bytes.fill(0xcd);
    sample.call(call);
    call = {};
    call.open = true;
    call.at = 2s;
    sample.call(call);
  }
  Session session() { return ledger_of(files).sessions().begin()->second; }
  TraceView view() { return view_of(files, session(), sample.options().start + 10s); }
};

TEST_F(Exported, SessionsJson) {
  fill();
  sample.close(5s);
  const std::string text = sessions_json(
      {session()}, true, {.messages = 1, .records = 2, .deleted_files = 3, .damaged_places = 4, .unsupported = 5});
  ASSERT_TRUE(text.ends_with('\n'));
  EXPECT_EQ(display(text.substr(0, text.size() - 1)), text.substr(0, text.size() - 1));
  EXPECT_TRUE(json::simdjson_accepts(text));
  EXPECT_TRUE(
      text.starts_with("{\"sessions\":[{\"id\":\"" + sample.id() + "\",\"state\":\"closed\",\"class\":\"agent\","))
      << text;
  EXPECT_TRUE(text.ends_with(
      R"(}],"more":true,"lost":{"messages":1,"records":2,"deleted_files":3,"damaged_places":4,"unsupported":5}})"
      "\n"))
      << text;
  expect_in(text, R"("client_name":"a\u202e\"\u001b")");
  expect_in(
      text,
      R"("start":"2023-11-14T22:13:20.000000000Z","end":"2023-11-14T22:13:25.000000000Z","duration_ns":5000000000)");
  expect_in(text, R"("counts":{"calls":2,"errors":2,"requests":3,)");
  expect_in(text, R"("outcomes":{"rpc_error":2},"at_least":false})");
  expect_in(text, "\"stretches\":[{\"trace_id\":\"" + sample.trace_id().hex() + "\"");
}

TEST_F(Exported, TraceJson) {
  fill();
  const std::string text = trace_json(view());
  EXPECT_TRUE(json::simdjson_accepts(text));
  expect_in(text, R"("state":"killed")");
  EXPECT_EQ(occurrences(text, "\"span_id\":\""), 5u);
  EXPECT_EQ(occurrences(text, "\"outcome\":\"rpc_error\",\"error\":true,\"ending\":\"ended\""), 2u);
  EXPECT_EQ(occurrences(text, "\"outcome\":\"abandoned\",\"error\":true,\"ending\":\"unknown\""), 1u);
  expect_in(text, R"("duration_ns":2000000,)");
  expect_in(text, R"("mcp.error_code":-32602,)");
  expect_in(text, R"("trace_id":"abababababababababababababababab")");
}

TEST_F(Exported, FindingsOfTheRootAndOfEachSpan) {
  sample.extra = {{trace::finding_count(mcp::Finding::kLateAnswer), 3},
                  {trace::finding_count(mcp::Finding::kNullId), 1}};
  sample.open();
  SampleCall call;
  call.findings = {mcp::Finding::kNullId};
  sample.call(call);
  // Of one that runs on only its spans tell, in a trace.
  expect_in(sessions_json({session()}, false, {}), R"("findings":null,)");
  expect_in(trace_json(view()), R"("findings":[{"code":"null_id","severity":"error","count":1}])");
  sample.close(5s);
  const std::string of_root = R"("findings":[{"code":"null_id","severity":"error","count":1},)"
                              R"({"code":"late_answer","severity":"notice","count":3}])";
  expect_in(sessions_json({session()}, false, {}), of_root);
  expect_in(trace_json(view()), of_root);
  expect_in(trace_json(view()),
            R"("findings":[{"code":"null_id","severity":"error","at":"2023-11-14T22:13:20.000000000Z"}])");
  EXPECT_EQ(occurrences(trace_json(view()), R"("findings":[])"), 1u);
}

TEST_F(Exported, WhyASessionFailed) {
  sample.options().server_name = "";
  sample.options().error_type = "initialize_failed";
  sample.open();
  SampleCall denied;
  denied.method = mcp::Method::kInitialize;
  denied.outcome = Outcome::kAuthRequired;
  denied.auth_scheme = "Bearer";
  sample.call(denied);
  sample.close(1s);
  expect_in(
      session_json(session()),
      R"("state":"failed","failure":"needs_sign_in","auth_scheme":"Bearer","class":"agent","error_type":"initialize_failed")");
}

TEST_F(Exported, OtlpOneLineATrace) {
  fill();
  const std::string text = trace_otlp(view(), "9.9");
  ASSERT_EQ(occurrences(text, "\n"), 2u);
  const std::string first = text.substr(0, text.find('\n')), second = text.substr(text.find('\n') + 1);
  for (const std::string& line : {first, second}) {
    EXPECT_TRUE(json::simdjson_accepts(line));
    expect_in(line, R"({"key":"service.name","value":{"stringValue":"everything"}})");
    expect_in(line, R"("scope":{"name":"mcptrace","version":"9.9"})");
    expect_in(line, "\"schemaUrl\":\"" + std::string(trace::kSchemaUrl) + "\"");
  }
  EXPECT_EQ(occurrences(first, "\"spanId\""), 4u);
  EXPECT_EQ(occurrences(second, "\"traceId\":\"abababababababababababababababab\""), 1u);
}

TEST_F(Exported, FollowLines) {
  fill();
  const std::string span = span_json(view().spans.front()), end = session_json(session());
  EXPECT_TRUE(json::simdjson_accepts(span));
  EXPECT_TRUE(json::simdjson_accepts(end));
  EXPECT_TRUE(span.starts_with(R"({"span":{"trace_id":")")) << span;
  EXPECT_TRUE(end.starts_with("{\"session\":{\"id\":\"" + sample.id() + "\"")) << end;
}

}  // namespace
}  // namespace mcptrace::query
