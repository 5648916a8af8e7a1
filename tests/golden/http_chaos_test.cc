// Whatever comes, in whatever order, with facts lost on the way and tables far too small: nothing breaks, every span
// has ids, a session and a time that can be, and what was opened is closed at the end.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>

#include "golden/http_pipeline.h"

namespace mcptrace::golden {
namespace {

using proxy::ExchangeEnd;

class Checker final : public observe::RecordSink {
 public:
  void resource(std::span<const std::pair<std::string, std::string>>) override {}
  void record(spool::RecordType type, const trace::SpanHeader& header, const trace::SpanRecord& span) override {
    EXPECT_FALSE(span.trace_id.is_zero()) << span.name;
    EXPECT_FALSE(span.span_id.is_zero()) << span.name;
    EXPECT_NE(span.span_id, span.parent_id) << span.name;
    EXPECT_GE(span.duration, Nanos(0)) << span.name;
    EXPECT_GE(span.start, HttpPipeline::start().wall) << span.name;
    for (const auto& link : span.links) EXPECT_FALSE(link.span_id.is_zero()) << span.name << " " << link.relation;
    const auto key = std::pair(span.trace_id, span.span_id);
    if (type == spool::RecordType::kSessionOpen) open.insert_or_assign(key, true);
    if (type == spool::RecordType::kSessionClose) open.erase(key);
    if (type == spool::RecordType::kSpan && (header.flags & trace::kRootSpan) == 0) ++spans[span.span_id];
  }

  std::map<std::pair<TraceId, SpanId>, bool> open;
  std::map<SpanId, int> spans;
};

class Chaos {
 public:
  explicit Chaos(unsigned seed) : random_(seed), pipeline_(tracing(seed), tracer(seed), checker_, seed) {
    pipeline_.lose_facts(seed % 3 == 0 ? 10 : 0);
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      now_ += pick(500) == 0 ? Nanos(std::chrono::minutes(20)) : Nanos(std::chrono::microseconds(pick(1000)));
      pipeline_.go_to(now_);
      if (pick(300) == 0) pipeline_.tracer().add_dropped(1, pipeline_.now().boot);
      if (pick(500) == 0) pipeline_.tracer().write_open();
      step(pick(12));
    }
    for (auto& [connection, stage] : stages_) {
      if (stage != 0) pipeline_.end(connection, ExchangeEnd::kStopped);
    }
    pipeline_.tracer().finish({}, pipeline_.now());
    EXPECT_TRUE(checker_.open.empty());
    for (const auto& [span, count] : checker_.spans) EXPECT_EQ(count, 1);
    EXPECT_GT(checker_.spans.size(), 100u);
  }

 private:
  static proxy::TracingOptions tracing(unsigned seed) {
    proxy::TracingOptions options;
    options.route_names = {"a", "b"};
    options.inject = seed % 5 != 0;
    options.trust_proxy = seed % 2 == 0;
    options.conversation_headers = {"X-C"};
    return options;
  }
  static observe::TracerOptions tracer(unsigned seed) {
    observe::TracerOptions options;
    options.routes = {{"a", "a.example", 80}, {"b", "b.example", 0}};
    if (seed % 2 == 0) options.max_open = 8, options.max_exchanges = 6, options.max_sessions = 4;
    return options;
  }

  int pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }
  template <std::size_t kSize>
  std::string one_of(const char* const (&texts)[kSize]) {
    return texts[pick(static_cast<int>(kSize))];
  }

  std::string id() { return one_of({"0", "1", "2", "\"1\"", "null", "{}", "1.0"}); }
  std::string message() {
    const std::string meta = one_of(
        {"", R"(,"_meta":{"progressToken":1})", R"(,"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"})",
         R"(,"_meta":{"traceparent":"00-11111111111111111111111111111111-2222222222222222-01","baggage":"session.id=x"})",
         R"(,"_meta":7)"});
    const std::string method =
        one_of({"tools/call", "initialize", "server/discover", "subscriptions/listen", "prompts/get", "ping", "odd"});
    switch (pick(9)) {
      case 0:
        return R"({"id":)" + id() + R"(,"result":{"isError":)" + (pick(2) ? "true" : "false") + "}}";
      case 1:
        return R"({"id":)" + id() + R"(,"error":{"code":-32000,"message":"x"}})";
      case 2:
        return R"({"method":"notifications/cancelled","params":{"requestId":)" + id() + "}}";
      case 3:
        return R"({"method":"notifications/progress","params":{"progressToken":)" + id() + "}}";
      case 4:
        return one_of({"", "nonsense", "{", "[]", "[1]", "{}", "7"});
      case 5:
        return "[" + message() + "," + message() + "]";
      default:
        return R"({"id":)" + id() + R"(,"method":")" + method + R"(","params":{"name":"t")" + meta + "}}";
    }
  }

  void request(int connection) {
    HttpPipeline::Request request;
    request.method = one_of({"POST", "POST", "POST", "POST", "GET", "GET", "DELETE", "PUT"});
    request.target = one_of({"/mcp", "/message?s=1", "/message?s=2"});
    request.route = static_cast<std::size_t>(pick(2));
    request.chunked = pick(2) == 0, request.cut = pick(20) == 0, request.expects_continue = pick(20) == 0;
    request.client = one_of({"127.0.0.1", "::1", ""});
    const auto maybe = [&](int odds, const char* name, const std::string& value) {
      if (pick(odds) == 0) request.headers.emplace_back(name, value);
    };
    maybe(2, "Mcp-Session-Id", one_of({"s1", "s2", "s3", "s4", "s5", ""}));
    maybe(3, "MCP-Protocol-Version", one_of({"2025-11-25", "2026-07-28", "\xff"}));
    maybe(4, "Last-Event-ID", one_of({"e1", "e2", "e3"}));
    maybe(5, "traceparent", one_of({"00-11111111111111111111111111111111-2222222222222222-01", "bad"}));
    maybe(6, "Content-Encoding", one_of({"gzip", "odd", "identity"}));
    maybe(9, "X-C", "conversation");
    maybe(9, "X-Forwarded-For", one_of({"1.2.3.4", "[::2]:5", ",,", "x"}));
    if (pick(10) != 0) request.headers.emplace_back("Content-Type", "application/json");
    if (request.method != "GET") request.body = message();
    pipeline_.request(connection, request);
    stages_[connection] = 1;
  }

  void answer(int connection) {
    HeaderLines headers = {{"Content-Type", one_of({"application/json", "text/event-stream", "text/html", ""})}};
    if (pick(3) == 0) headers.emplace_back("Mcp-Session-Id", one_of({"s1", "s2", "s9"}));
    if (pick(5) == 0) headers.emplace_back("WWW-Authenticate", one_of({"Bearer x", "Odd", ""}));
    if (pick(9) == 0) headers.emplace_back("Content-Encoding", one_of({"gzip", "odd"}));
    static constexpr int kStatus[] = {200, 200, 200, 202, 204, 301, 400, 401, 404, 405, 500};
    pipeline_.answer(connection, kStatus[pick(std::size(kStatus))], headers);
    stages_[connection] = 2;
  }

  std::string event() {
    const std::string id = pick(2) == 0 ? "id: " + one_of({"e1", "e2", "e3", ""}) + "\n" : "";
    if (pick(8) == 0)
      return "event: endpoint\ndata: " + one_of({"/message?s=1", "message?s=2", "http://h", ""}) + "\n\n";
    return one_of({"", ": comment\n", "event: message\n"}) + id + "data: " + message() + "\n\n";
  }

  void step(int connection) {
    switch (stages_[connection]) {
      case 0:
        return request(connection);
      case 1:
        return pick(6) == 0 ? end(connection) : answer(connection);
      default:
        break;
    }
    if (pick(4) == 0) return end(connection);
    if (pick(12) == 0) pipeline_.client_left(connection);
    const std::string bytes = pick(2) == 0 ? event() : message();
    const auto cut = static_cast<std::size_t>(pick(static_cast<int>(bytes.size()) + 1));
    pipeline_.piece(connection, std::string_view(bytes).substr(0, cut));
    if (cut != bytes.size()) pipeline_.piece(connection, std::string_view(bytes).substr(cut));
  }

  void end(int connection) {
    static constexpr ExchangeEnd kEnds[] = {
        ExchangeEnd::kComplete, ExchangeEnd::kComplete, ExchangeEnd::kClientClosed, ExchangeEnd::kServerClosed,
        ExchangeEnd::kFailed,   ExchangeEnd::kStopped,  ExchangeEnd::kClientLeft};
    pipeline_.end(connection, kEnds[pick(std::size(kEnds))], one_of({"", "refused", "odd"}));
    stages_[connection] = 0;
  }

  std::mt19937 random_;
  Checker checker_;
  HttpPipeline pipeline_;
  Nanos now_{};
  std::map<int, int> stages_;  // 0: no exchange, 1: asked, 2: being answered
};

TEST(HttpChaosTest, NothingBreaks) {
  const unsigned seeds = std::getenv("MCPTRACE_LONG") != nullptr ? 1500 : 24;
  for (unsigned seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE(seed);
    Chaos chaos(seed);
    chaos.run(3000);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace mcptrace::golden
