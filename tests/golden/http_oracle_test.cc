// The oracle of the matching over HTTP: hundreds of sessions whose clients all count their ids from 0, in every mixture
// that tells a right pairing from a lucky one: answers as JSON and on streams, shuffled, streams cut and resumed on
// another connection with replayed events, batches, calls cancelled, left, refused, answered 202, two calls of one id
// in one session, callers' contexts. The end of each call is known beforehand; every span must have the right partner,
// parent, session, time and outcome. With two proxies of one secret, the sessions go back and forth between them.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "base/testing.h"
#include "golden/http_pipeline.h"
#include "trace/testing.h"
#include "trace/w3c.h"

namespace mcptrace::golden {
namespace {

using proxy::ExchangeEnd;
using trace::Outcome;

struct Seen {
  Outcome outcome = Outcome::kNone;
  TraceId trace_id;
  SpanId span_id, parent_id;
  Nanos start{}, duration{};
  std::string session;
  bool derived = false;
};

class Ledger final : public observe::RecordSink {
 public:
  void resource(std::span<const std::pair<std::string, std::string>>) override {}
  void record(spool::RecordType type, const trace::SpanHeader& header, const trace::SpanRecord& span) override {
    if (type != spool::RecordType::kSpan) return;
    Seen seen{span.outcome, span.trace_id, span.span_id, span.parent_id,
              span.start,   span.duration, {},           (header.flags & trace::kDerivedIds) != 0};
    std::string tool;
    std::int64_t second = 0, unmatched = 0;
    for (const trace::Attribute& attribute : trace::all_attributes(span)) {
      if (attribute.key == trace::Attr::kToolName) tool = std::get<std::string_view>(attribute.value);
      if (attribute.key == trace::Attr::kSessionId) seen.session = std::get<std::string_view>(attribute.value);
      if (attribute.key == trace::Attr::kSecondAnswers) second = std::get<std::int64_t>(attribute.value);
      if (attribute.key == trace::Attr::kUnmatched) unmatched = std::get<std::int64_t>(attribute.value);
    }
    if (span.name == trace::kRootName) {
      roots.emplace(span.span_id, seen);
      strays += second + unmatched;
    }
    if (span.name == trace::kLateAnswerName) ++late;
    if (!tool.empty()) calls.emplace(tool, seen);
  }

  std::multimap<std::string, Seen> calls;
  std::multimap<SpanId, Seen> roots;
  std::int64_t strays = 0;
  int late = 0;
};

// What the oracle knows of a call.
struct Call {
  std::string name, id;
  std::size_t session = 0;
  int proxy = 0, connection = 0;
  bool streamed = false, with_events = false;
  int events = 0;  // ids given on its stream so far
  bool from_caller = false;
  TraceId caller_trace;
  SpanId caller_span, own_span;
  Nanos start{}, end{};
  Outcome outcome = Outcome::kNone;
};

struct SessionKey {
  bool explicit_id = true;  // else a stateless client of its own address
  std::string value;
  int next_id = 0;
};

class Oracle {
 public:
  Oracle(unsigned seed, int proxies) : random_(seed) {
    for (int i = 0; i < proxies; ++i) {
      proxy::TracingOptions tracing;
      tracing.route_names = {"oracle"};
      observe::TracerOptions tracer;
      tracer.transport = "tcp";
      tracer.max_sessions = 4096;
      tracer.routes = {{"oracle", "upstream.example", 80}};
      proxies_.push_back(
          std::make_unique<HttpPipeline>(tracing, tracer, ledger_, 10 * seed + 2 * static_cast<unsigned>(i) + 1));
    }
    for (int i = 0; i < 200; ++i) {
      const bool known = i % 4 != 3;
      sessions_.push_back({known, known ? "session-" + std::to_string(i) : "10.1." + std::to_string(i) + ".1", 0});
    }
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      go(std::chrono::microseconds(1 + pick(40)));
      const int dice = pick(100);
      if (open_.size() < 400 && dice < 40) {
        ask();
      } else if (open_.size() < 400 && dice < 44) {
        ask_batch();
      } else if (!open_.empty()) {
        next_of(pick(static_cast<int>(open_.size())));
      }
    }
    while (!open_.empty()) {
      go(std::chrono::microseconds(5));
      answer(0, 0);
    }
    go(std::chrono::minutes(6));  // nobody takes up a stream that was left
    for (auto& proxy : proxies_) proxy->tracer().finish({}, proxy->now());
  }

  void check();

 private:
  int pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }

  void go(Nanos by) {
    now_ += by;
    for (auto& proxy : proxies_) proxy->go_to(now_);
  }

  HeaderLines headers_of(const SessionKey& session) const {
    HeaderLines headers = {{"Content-Type", "application/json"}};
    if (session.explicit_id) headers.emplace_back("Mcp-Session-Id", session.value);
    return headers;
  }

  Call new_call(std::size_t session_index) {
    SessionKey& session = sessions_[session_index];
    Call call;
    call.session = session_index;
    call.name = "tool-" + std::to_string(++made_);
    // Every twentieth call uses the last one's id again, be it open or not: each POST has its own answer.
    if (pick(20) != 0 || session.next_id == 0) ++session.next_id;
    call.id = std::to_string(session.next_id - 1);
    call.start = now_;
    return call;
  }

  static std::string text_of(const Call& call, const std::string& meta) {
    return R"({"jsonrpc":"2.0","id":)" + call.id + R"(,"method":"tools/call","params":{"name":")" + call.name + "\"" +
           meta + "}}";
  }

  HttpPipeline::Request request_of(const Call& call, std::string body) const {
    HttpPipeline::Request request;
    const SessionKey& session = sessions_[call.session];
    request.headers = headers_of(session);
    request.body = std::move(body);
    if (!session.explicit_id) request.client = session.value;
    return request;
  }

  void ask() {
    Call call = new_call(static_cast<std::size_t>(pick(static_cast<int>(sessions_.size()))));
    call.proxy = pick(static_cast<int>(proxies_.size()));
    call.connection = free_connection();
    std::string meta;
    if (pick(3) == 0) {
      call.from_caller = true;
      SeededRandom ids(random_());
      call.caller_trace = ids.trace_id(), call.caller_span = ids.span_id();
    }
    HttpPipeline::Request request = request_of(call, {});
    if (call.from_caller) {
      char text[trace::kTraceparentSize];
      trace::write_traceparent({call.caller_trace, call.caller_span, 1}, text);
      const std::string context(text, sizeof(text));
      if (pick(2) == 0) {
        meta = R"(,"_meta":{"traceparent":")" + context + R"("})";
      } else {
        request.headers.emplace_back("TraceParent", context);
      }
    }
    request.body = text_of(call, meta);
    const Forwarded passed = proxy_of(call).request(call.connection, request);
    ASSERT_TRUE(passed.changed);
    ASSERT_TRUE(parse_hex(std::string_view(passed.traceparent).substr(36, 16), call.own_span.bytes));
    ASSERT_NE(passed.body.find(passed.traceparent), std::string::npos);
    open_.push_back(call);
  }

  // Two calls in one POST, answered together as an array, in the other order.
  void ask_batch() {
    const auto session = static_cast<std::size_t>(pick(static_cast<int>(sessions_.size())));
    sessions_[session].next_id += 2;  // so that neither id is the last one's
    Call one = new_call(session), two = new_call(session);
    one.id = std::to_string(sessions_[session].next_id++);
    two.id = std::to_string(sessions_[session].next_id++);
    one.connection = two.connection = free_connection();
    HttpPipeline& proxy = proxy_of(one);
    proxy.request(one.connection, request_of(one, "[" + text_of(one, "") + ",\n" + text_of(two, "") + "]"));
    go(std::chrono::microseconds(7));
    proxy.answer(one.connection, 200, {{"Content-Type", "application/json"}});
    proxy.piece(one.connection, R"([{"id":)" + two.id + R"(,"result":{"isError":true}},{"id":)" + one.id +
                                    R"(,"error":{"code":-1,"message":"x"}}])");
    proxy.end(one.connection, ExchangeEnd::kComplete);
    one.outcome = Outcome::kRpcError, two.outcome = Outcome::kToolError;
    one.end = two.end = now_;
    free_connections_.push_back(one.connection);
    done_.push_back(one);
    done_.push_back(two);
  }

  HttpPipeline& proxy_of(const Call& call) { return *proxies_[static_cast<std::size_t>(call.proxy)]; }

  int free_connection() {
    if (free_connections_.empty()) return ++last_connection_;
    const int connection = free_connections_.back();
    free_connections_.pop_back();
    return connection;
  }

  void next_of(int index) {
    const Call& call = open_[static_cast<std::size_t>(index)];
    const bool alone = !id_is_shared(call);
    switch (pick(14)) {
      case 0:
        return fail(index);
      case 1:
        return leave(index);
      case 2:
        return alone && sessions_[call.session].explicit_id ? cancel(index) : answer(index, pick(3));
      case 3:
      case 4:
        return begin_stream(index);
      case 5:
      case 6:
        return call.with_events && alone ? resume(index) : begin_stream(index);
      default:
        return answer(index, pick(3));
    }
  }

  bool id_is_shared(const Call& call) const {
    int same = 0;
    for (const Call& other : open_) same += other.session == call.session && other.id == call.id;
    return same > 1;
  }

  // A notification on its stream, perhaps with an event id.
  void begin_stream(int index) {
    Call& call = open_[static_cast<std::size_t>(index)];
    if (!call.streamed) {
      proxy_of(call).answer(call.connection, 200, {{"Content-Type", "text/event-stream"}});
      call.streamed = true;
      call.with_events = pick(2) == 0;
    }
    std::string event = call.with_events ? "id: " + event_id(call, ++call.events) + "\n" : std::string();
    event +=
        "data: "
        R"({"jsonrpc":"2.0","method":"notifications/message","params":{}})"
        "\n\n";
    pass_in_pieces(call, event);
  }

  static std::string event_id(const Call& call, int number) { return call.name + "/" + std::to_string(number); }

  void pass_in_pieces(const Call& call, std::string_view bytes) {
    while (!bytes.empty()) {
      const auto size = std::min<std::size_t>(bytes.size(), 1 + static_cast<std::size_t>(pick(60)));
      proxy_of(call).piece(call.connection, bytes.substr(0, size));
      bytes.remove_prefix(size);
    }
  }

  static std::string answer_text(const Call& call, int kind) {
    static const char* const kAnswers[] = {R"("result":{"content":[],"id":"7"})",
                                           R"("result":{"isError":true,"content":[]})",
                                           R"("error":{"code":-32603,"message":"x","data":{"id":3}})"};
    return R"({"id":)" + call.id + R"(,"jsonrpc":"2.0",)" + kAnswers[kind] + "}";
  }

  void close(int index, Outcome outcome) { close(index, outcome, now_); }
  void close(int index, Outcome outcome, Nanos end) {
    Call& call = open_[static_cast<std::size_t>(index)];
    call.outcome = outcome;
    call.end = end;
    free_connections_.push_back(call.connection);
    done_.push_back(call);
    open_.erase(open_.begin() + index);
  }

  // All of it, or less.
  void say(const Call& call, int kind, std::size_t most = std::string::npos) {
    if (call.streamed) {
      pass_in_pieces(call, ("event: message\r\ndata: " + answer_text(call, kind) + "\r\n\r\n").substr(0, most));
    } else {
      proxy_of(call).answer(call.connection, kind == 2 ? 400 : 200, {{"Content-Type", "application/json"}});
      pass_in_pieces(call, answer_text(call, kind).substr(0, most));
    }
  }

  static Outcome outcome_of(int kind) {
    static const Outcome kOutcomes[] = {Outcome::kOk, Outcome::kToolError, Outcome::kRpcError};
    return kOutcomes[kind];
  }

  void answer(int index, int kind) {
    const Call call = open_[static_cast<std::size_t>(index)];
    say(call, kind);
    proxy_of(call).end(call.connection, ExchangeEnd::kComplete);
    close(index, outcome_of(kind));
  }

  void fail(int index) {
    const Call call = open_[static_cast<std::size_t>(index)];
    if (call.with_events) return answer(index, 0);
    if (call.streamed) {
      proxy_of(call).end(call.connection, ExchangeEnd::kServerClosed, "reset");
      return close(index, Outcome::kTransportError);
    }
    switch (pick(3)) {
      case 0:
        proxy_of(call).end(call.connection, ExchangeEnd::kFailed, "refused");
        return close(index, Outcome::kTransportError);
      case 1:
        proxy_of(call).answer(call.connection, 202, {});
        proxy_of(call).end(call.connection, ExchangeEnd::kComplete);
        return close(index, Outcome::kUnobserved);
      default:
        proxy_of(call).answer(call.connection, 401, {{"WWW-Authenticate", "Bearer"}});
        proxy_of(call).end(call.connection, ExchangeEnd::kComplete);
        return close(index, Outcome::kAuthRequired);
    }
  }

  // At whatever instant: before the answer, in the middle of it, or with half of the connection only. What its client
  // got is what counts.
  void leave(int index) {
    const Call call = open_[static_cast<std::size_t>(index)];
    HttpPipeline& proxy = proxy_of(call);
    const int kind = pick(3);
    const bool cut = pick(4) == 0;
    if (cut) say(call, kind, 1 + static_cast<std::size_t>(pick(20)));
    const Nanos left = now_;
    Nanos answered{};
    bool took = false;
    if (pick(4) != 0) {  // no reset yet
      proxy.client_left(call.connection);
      go(std::chrono::microseconds(pick(3000)));
      if (!cut && pick(3) != 0) {
        say(call, kind);
        answered = now_;
        took = pick(2) == 0;
      }
      go(std::chrono::microseconds(pick(3000)));
    }
    proxy.end(call.connection, took ? ExchangeEnd::kClientLeft : ExchangeEnd::kClientClosed);
    if (took) return close(index, outcome_of(kind), answered);
    if (call.events != 0 && !id_is_shared(call) && pick(2) == 0) return take_up(index);
    late_ += answered != Nanos{};
    const bool refused = cut && kind == 2 && !call.streamed;  // that was told before it left
    close(index, refused ? Outcome::kTransportError : Outcome::kAbandoned, left);
  }

  // By a POST of its own, to the proxy that has the call.
  void cancel(int index) {
    const Call call = open_[static_cast<std::size_t>(index)];
    const int connection = free_connection();
    proxy_of(call).request(
        connection, request_of(call, R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":)" +
                                         call.id + "}}"));
    proxy_of(call).answer(connection, 202, {});
    proxy_of(call).end(connection, ExchangeEnd::kComplete);
    free_connections_.push_back(connection);
    close(index, Outcome::kCancelled);
    proxy_of(call).end(call.connection, ExchangeEnd::kComplete);
  }

  void resume(int index) {
    Call& call = open_[static_cast<std::size_t>(index)];
    if (call.events == 0) return answer(index, 0);
    proxy_of(call).end(call.connection, pick(2) == 0 ? ExchangeEnd::kClientClosed : ExchangeEnd::kServerClosed);
    take_up(index);
  }

  // A stream that was cut goes on for another connection, which gets some events again, and then the answer.
  void take_up(int index) {
    Call& call = open_[static_cast<std::size_t>(index)];
    go(std::chrono::microseconds(50));
    free_connections_.push_back(call.connection);
    call.connection = free_connection();
    HttpPipeline::Request request = request_of(call, {});
    request.method = "GET";
    const int last = 1 + pick(call.events);
    request.headers.emplace_back("Last-Event-ID", event_id(call, last));
    proxy_of(call).request(call.connection, request);
    proxy_of(call).answer(call.connection, 200, {{"Content-Type", "text/event-stream"}});
    for (int i = last + 1; i <= call.events; ++i) {
      pass_in_pieces(call, "id: " + event_id(call, i) +
                               "\ndata: "
                               R"({"jsonrpc":"2.0","method":"notifications/message"})"
                               "\n\n");
    }
    pass_in_pieces(call, "id: " + event_id(call, call.events + 1) + "\ndata: " + answer_text(call, 0) + "\n\n");
    proxy_of(call).end(call.connection, ExchangeEnd::kComplete);
    close(index, Outcome::kOk);
  }

  std::mt19937 random_;
  Ledger ledger_;
  std::vector<std::unique_ptr<HttpPipeline>> proxies_;
  std::vector<SessionKey> sessions_;
  Nanos now_{};
  int made_ = 0, last_connection_ = 0, late_ = 0;
  std::vector<int> free_connections_;
  std::vector<Call> open_, done_;
};

// Of what has one stamp the later has some nanoseconds more.
auto whole_micros(Nanos at) { return std::chrono::floor<std::chrono::microseconds>(at); }

void Oracle::check() {
  ASSERT_EQ(ledger_.calls.size(), static_cast<std::size_t>(made_));
  ASSERT_EQ(done_.size(), static_cast<std::size_t>(made_));
  std::map<std::size_t, std::string> ids;         // of sessions
  std::map<std::size_t, std::set<SpanId>> roots;  // of explicit ones
  for (const Call& call : done_) {
    ASSERT_EQ(ledger_.calls.count(call.name), 1u) << call.name;
    const Seen& seen = ledger_.calls.find(call.name)->second;
    EXPECT_EQ(seen.outcome, call.outcome) << call.name << " id " << call.id << " session " << call.session;
    EXPECT_EQ(whole_micros(seen.start), HttpPipeline::start().wall + call.start) << call.name;
    EXPECT_EQ(whole_micros(seen.start + seen.duration), HttpPipeline::start().wall + call.end) << call.name;
    EXPECT_EQ(seen.derived, sessions_[call.session].explicit_id);
    if (!call.own_span.is_zero()) {
      EXPECT_EQ(seen.span_id, call.own_span) << call.name;
    }
    const auto [known, fresh] = ids.emplace(call.session, seen.session);
    if (sessions_[call.session].explicit_id || proxies_.size() == 1) {
      EXPECT_EQ(known->second, seen.session) << call.name;
    }
    if (call.from_caller) {
      EXPECT_EQ(seen.trace_id, call.caller_trace) << call.name;
      EXPECT_EQ(seen.parent_id, call.caller_span) << call.name;
    } else {
      ASSERT_TRUE(ledger_.roots.contains(seen.parent_id)) << call.name;
      EXPECT_EQ(ledger_.roots.find(seen.parent_id)->second.session, seen.session) << call.name;
      roots[call.session].insert(seen.parent_id);
    }
  }
  std::set<std::string> different;
  for (const auto& [session, id] : ids) different.insert(id);
  EXPECT_EQ(different.size(), ids.size()) << "two sessions have one id";
  for (const auto& [session, spans] : roots) {
    EXPECT_EQ(spans.size(), sessions_[session].explicit_id ? 1u : std::min(spans.size(), proxies_.size())) << session;
  }
  EXPECT_EQ(ledger_.strays, 0);
  EXPECT_EQ(ledger_.late, late_);
}

class HttpOracleTest : public testing::TestWithParam<unsigned> {};

TEST_P(HttpOracleTest, EverySpanHasTheRightPartnerParentTimeAndOutcome) {
  Oracle oracle(GetParam(), 1);
  oracle.run(8'000);
  oracle.check();
}

TEST_P(HttpOracleTest, SessionsThatAlternateBetweenTwoProxiesAreOneTraceEach) {
  Oracle oracle(GetParam(), 2);
  oracle.run(8'000);
  oracle.check();
}

INSTANTIATE_TEST_SUITE_P(Seeds, HttpOracleTest, testing::Values(1u, 2u, 3u, 4u));

}  // namespace
}  // namespace mcptrace::golden
