// Encoded bodies (H14): they pass as they came, and a copy is read, under a cap. What cannot be read is
// unobserved, never said to have failed.
#include <gtest/gtest.h>
#include <zlib.h>

#include "golden/http_pipeline.h"
#include "trace/testing.h"

namespace mcptrace::golden {
namespace {

using proxy::ExchangeEnd;
using trace::Outcome;

std::string gzip(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

class LastSpan final : public observe::RecordSink {
 public:
  void resource(std::span<const std::pair<std::string, std::string>>) override {}
  void record(spool::RecordType type, const trace::SpanHeader&, const trace::SpanRecord& span) override {
    if (type != spool::RecordType::kSpan || span.name == trace::kRootName) return;
    name = span.name;
    outcome = span.outcome;
    unobserved.clear();
    not_injected.clear();
    request_bytes = 0;
    for (const trace::Attribute& attribute : trace::all_attributes(span)) {
      if (attribute.key == trace::Attr::kUnobserved) unobserved = std::get<std::string_view>(attribute.value);
      if (attribute.key == trace::Attr::kNotInjectedWhy) not_injected = std::get<std::string_view>(attribute.value);
      if (attribute.key == trace::Attr::kRequestBytes) request_bytes = std::get<std::int64_t>(attribute.value);
    }
  }
  std::string name, unobserved, not_injected;
  Outcome outcome = Outcome::kNone;
  std::int64_t request_bytes = 0;
};

class EncodingTest : public testing::Test {
 protected:
  EncodingTest() : pipeline_(tracing(), tracer(), span_) {}
  static proxy::TracingOptions tracing() {
    proxy::TracingOptions options;
    options.route_names = {"r"};
    return options;
  }
  static observe::TracerOptions tracer() {
    observe::TracerOptions options;
    options.routes = {{"r", "server", 80}};
    return options;
  }

  void play(const std::string& request_body, const std::string& request_coding, const std::string& answer,
            const std::string& answer_coding, const char* type = "application/json") {
    HttpPipeline::Request request;
    request.headers = {{"Content-Type", "application/json"}, {"Mcp-Session-Id", "s"}};
    if (!request_coding.empty()) request.headers.emplace_back("Content-Encoding", request_coding);
    request.body = request_body;
    const Forwarded passed = pipeline_.request(1, request);
    if (!request_coding.empty()) {
      EXPECT_FALSE(passed.changed);
      EXPECT_EQ(passed.body, request_body);
    }
    HeaderLines headers = {{"Content-Type", type}};
    if (!answer_coding.empty()) headers.emplace_back("Content-Encoding", answer_coding);
    pipeline_.answer(1, 200, headers);
    for (std::size_t at = 0; at < answer.size(); at += 7) {
      pipeline_.piece(1, std::string_view(answer).substr(at, 7));
    }
    pipeline_.end(1, ExchangeEnd::kComplete);
  }

  const std::string call_ = R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}})";
  const std::string result_ = R"({"jsonrpc":"2.0","id":1,"result":{"isError":true}})";
  LastSpan span_;
  HttpPipeline pipeline_;
};

TEST_F(EncodingTest, EncodedRequestsAndAnswersAreReadAndLeftAsTheyAre) {
  play(gzip(call_), "gzip", gzip(result_), "gzip");
  EXPECT_EQ(span_.name, "mcp.tool_call");
  EXPECT_EQ(span_.outcome, Outcome::kToolError);
  EXPECT_EQ(span_.not_injected, "encoded");
  EXPECT_EQ(span_.request_bytes, static_cast<std::int64_t>(call_.size()));
}

TEST_F(EncodingTest, AnEncodedStreamIsReadAsItComes) {
  play(call_, "", gzip("id: 1\ndata: \n\nevent: message\ndata: " + result_ + "\n\n"), "gzip", "text/event-stream");
  EXPECT_EQ(span_.outcome, Outcome::kToolError);
}

// An answer is what its body says.
TEST_F(EncodingTest, WhatIsPlainIsReadWhateverItIsCalled) {
  for (const char* coding : {"none", "identity", "identity, identity", "utf-8", "gzip", "br", "snappy", "gzip, br"}) {
    play(call_, "", result_, coding);
    EXPECT_EQ(span_.outcome, Outcome::kToolError) << coding;
    play(call_, "", "id: 1\ndata: \n\nevent: message\ndata: " + result_ + "\n\n", coding, "text/event-stream");
    EXPECT_EQ(span_.outcome, Outcome::kToolError) << coding;
  }
  play(call_, "", gzip(result_), "identity, gzip");
  EXPECT_EQ(span_.outcome, Outcome::kToolError);
}

TEST_F(EncodingTest, SoIsARequestAndNothingIsPutIntoIt) {
  for (const char* coding : {"none", "utf-8", "gzip", "br", "snappy"}) {
    play(call_, coding, result_, "");
    EXPECT_EQ(span_.name, "mcp.tool_call") << coding;
    EXPECT_EQ(span_.outcome, Outcome::kToolError) << coding;
    EXPECT_EQ(span_.not_injected, "encoded") << coding;
  }
}

TEST_F(EncodingTest, WhatCannotBeReadIsUnobserved) {
  play(call_, "", "????", "snappy");
  EXPECT_EQ(span_.outcome, Outcome::kUnobserved);
  EXPECT_EQ(span_.unobserved, "encoding");
  play(call_, "", "no gzip at all", "gzip");
  EXPECT_EQ(span_.unobserved, "encoding");
  const std::string whole = gzip(result_);
  play(call_, "", whole.substr(0, whole.size() / 2), "gzip");
  EXPECT_EQ(span_.unobserved, "encoding");
}

TEST_F(EncodingTest, AnAnswerThatDecodesToTooMuchIsUnobserved) {
  std::string bomb = gzip(std::string(8 << 20, ' '));
  play(call_, "", bomb, "gzip");
  EXPECT_EQ(span_.outcome, Outcome::kUnobserved);
  EXPECT_EQ(span_.unobserved, "too_large");
}

TEST_F(EncodingTest, ARequestThatCannotBeReadIsAnUnobservedExchange) {
  play("????", "snappy", result_, "");
  EXPECT_EQ(span_.name, "http.request");
  EXPECT_EQ(span_.unobserved, "encoding");
  play(gzip(std::string(8 << 20, ' ')), "gzip", result_, "");
  EXPECT_EQ(span_.name, "http.request");
  EXPECT_EQ(span_.unobserved, "too_large");
}

TEST_F(EncodingTest, TheNextExchangeOfTheConnectionIsNotTouchedByTheLast) {
  play("????", "snappy", result_, "");
  play(call_, "", "????", "snappy");
  play(call_, "", result_, "");
  EXPECT_EQ(span_.name, "mcp.tool_call");
  EXPECT_EQ(span_.outcome, Outcome::kToolError);
  EXPECT_EQ(span_.not_injected, "");
}

}  // namespace
}  // namespace mcptrace::golden
