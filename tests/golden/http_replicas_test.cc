// Two proxies with one secret in front of one server: what each writes of a session that goes back and forth between
// them, read back together, is one session, one trace, one root.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/log.h"
#include "golden/http_pipeline.h"
#include "observe/recorder.h"
#include "query/load.h"

namespace mcptrace::golden {
namespace {

using std::chrono::milliseconds;

class Replica {
 public:
  Replica(const std::string& directory, std::string instance, std::uint64_t seed)
      : recorder_({.directory = directory, .name_prefix = instance}, trace::Naming::kBoth, instance, clock_, log_),
        pipeline_(tracing(), tracer(instance), recorder_, seed) {
    recorder_.set_tracer(&pipeline_.tracer());
  }

  void post(Nanos at, const std::string& body, int status, const HeaderLines& headers, const std::string& answer) {
    exchange(at, "POST", body, status, headers, answer);
  }
  void exchange(Nanos at, const std::string& method, const std::string& body, int status, const HeaderLines& headers,
                const std::string& answer) {
    pipeline_.go_to(at);
    HttpPipeline::Request request;
    request.method = method;
    request.headers = {{"Content-Type", "application/json"}};
    if (body.find("\"initialize\"") == std::string::npos) request.headers.emplace_back("Mcp-Session-Id", "one");
    request.body = body;
    pipeline_.request(1, request);
    pipeline_.go_to(at + milliseconds(5));
    HeaderLines all = headers;
    all.emplace_back("Content-Type", "application/json");
    pipeline_.answer(1, status, all);
    pipeline_.piece(1, answer);
    pipeline_.end(1, proxy::ExchangeEnd::kComplete);
    recorder_.flush();
  }
  void shut_down() {
    pipeline_.tracer().finish({}, pipeline_.now());
    recorder_.flush();
  }

 private:
  static proxy::TracingOptions tracing() {
    proxy::TracingOptions options;
    options.route_names = {"files http://files.example/mcp"};
    return options;
  }
  static observe::TracerOptions tracer(std::string instance) {
    observe::TracerOptions options;
    options.transport = "tcp";
    options.instance_id = std::move(instance);
    options.routes = {{"files", "files.example", 80}};
    return options;
  }

  SystemClock clock_;
  Log log_{-1};
  observe::Recorder recorder_;
  HttpPipeline pipeline_;
};

class ReplicasTest : public testing::Test {
 protected:
  ReplicasTest() {
    char path[] = "/tmp/mcptrace-replicas-XXXXXX";
    directory_ = mkdtemp(path);
    spool_ = directory_ + "/spool";
  }
  ~ReplicasTest() override { std::filesystem::remove_all(directory_); }

  static std::string call(int id) {
    return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":"tools/call","params":{"name":"echo"}})";
  }
  static std::string result(int id) { return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"result":{}})"; }
  static constexpr const char* kInitialize =
      R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","clientInfo":{"name":"acme","version":"1"}}})";
  static constexpr const char* kInitialized =
      R"({"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","serverInfo":{"name":"srv","version":"2"}}})";

  void play(Replica& a, Replica& b) {
    a.post(milliseconds(0), kInitialize, 200, {{"Mcp-Session-Id", "one"}}, kInitialized);
    b.post(milliseconds(100), call(1), 200, {}, result(1));
    a.post(milliseconds(200), call(2), 200, {}, R"({"jsonrpc":"2.0","id":2,"result":{"isError":true}})");
    b.post(milliseconds(300), call(3), 200, {}, result(3));
    a.exchange(milliseconds(400), "DELETE", "", 200, {}, "");
  }

  // `root_end`: as far as roots were written.
  void check(query::State state, Nanos root_end = milliseconds(305)) {
    auto list = query::load_sessions(spool_, {});
    ASSERT_TRUE(list.has_value());
    ASSERT_EQ(list->sessions.size(), 1u);
    const query::Session& session = list->sessions.front();
    EXPECT_EQ(session.state, state);
    EXPECT_EQ(session.stretches.size(), 1u);
    EXPECT_EQ(session.counts.calls, 3);
    EXPECT_EQ(session.counts.errors, 1);
    EXPECT_EQ(session.client_name, "acme");
    EXPECT_EQ(session.server_name, "srv");
    EXPECT_FALSE(session.guessed);
    query::Skips skips;
    auto found = query::find_session(spool_, session.id, {}, skips);
    ASSERT_TRUE(found.has_value());
    auto view = query::load_spans(*found, HttpPipeline::start().wall + std::chrono::seconds(1), skips);
    ASSERT_TRUE(view.has_value());
    std::vector<query::TraceSpan> roots;
    std::size_t calls = 0;
    for (const query::TraceSpan& span : view->spans) {
      EXPECT_EQ(span.header.trace_id, view->spans.front().header.trace_id);
      if (span.is_root()) roots.push_back(span);
      calls += span.header.operation == trace::Operation::kToolCall;
    }
    EXPECT_EQ(calls, 3u);
    ASSERT_EQ(roots.size(), 1u);
    EXPECT_EQ(roots.front().header.start, HttpPipeline::start().wall);
    EXPECT_EQ(roots.front().end(), HttpPipeline::start().wall + root_end);
    for (const query::TraceSpan& span : view->spans) {
      if (!span.is_root()) {
        EXPECT_EQ(span.header.parent_id, roots.front().header.span_id);
      }
    }
  }

  std::string directory_, spool_;
};

TEST_F(ReplicasTest, ASessionThatAlternatesBetweenTwoProxiesIsOne) {
  {
    Replica a(spool_, "a", 1), b(spool_, "b", 100);
    play(a, b);
    a.shut_down();
    b.shut_down();
  }
  check(query::State::kClosed);
}

TEST_F(ReplicasTest, WhileBothGoOnItIsOpenAndOne) {
  Replica a(spool_, "a", 1), b(spool_, "b", 100);
  play(a, b);
  // The one that saw the DELETE has written its root; the other one's is still open.
  auto list = query::load_sessions(spool_, {});
  ASSERT_TRUE(list.has_value());
  ASSERT_EQ(list->sessions.size(), 1u);
  EXPECT_EQ(list->sessions.front().stretches.size(), 1u);
  EXPECT_EQ(list->sessions.front().state, query::State::kOpen);
}

TEST_F(ReplicasTest, OneThatDiesLeavesTheOtherOnesRoot) {
  {
    Replica a(spool_, "a", 1), b(spool_, "b", 100);
    play(a, b);
    a.shut_down();
  }
  check(query::State::kClosed, milliseconds(205));
}

}  // namespace
}  // namespace mcptrace::golden
