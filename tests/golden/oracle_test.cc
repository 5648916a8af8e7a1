// The oracle of the matching: thousands of overlapping exchanges whose end is known beforehand, in every mixture that
// tells a right pairing from a lucky one: ids that collide across types and directions, ids used again, answers
// shuffled, callers' contexts mixed in, calls cancelled, never answered, answered twice. Every span must have the right
// partner, parent, time and outcome.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "base/testing.h"
#include "golden/pipeline.h"
#include "trace/testing.h"
#include "trace/w3c.h"

namespace mcptrace::golden {
namespace {

using trace::Outcome;

struct Seen {
  std::string name;
  Outcome outcome = Outcome::kNone;
  TraceId trace_id;
  SpanId span_id, parent_id;
  Nanos start{}, duration{};
  trace::SpanKind kind = trace::SpanKind::kInternal;
};

// Keeps the spans by the tool's name, which the oracle makes unique for each call.
class Ledger final : public observe::RecordSink {
 public:
  void resource(std::span<const std::pair<std::string, std::string>>) override {}
  void record(spool::RecordType type, const trace::SpanHeader&, const trace::SpanRecord& span) override {
    if (type != spool::RecordType::kSpan) return;
    Seen seen{std::string(span.name), span.outcome, span.trace_id, span.span_id,
              span.parent_id,         span.start,   span.duration, span.kind};
    if (span.name == trace::kRootName) root = seen;
    if (span.name == trace::kLateAnswerName) ++late;
    for (const trace::Attribute& attribute : trace::all_attributes(span)) {
      if (attribute.key == trace::Attr::kToolName) calls.emplace(std::get<std::string_view>(attribute.value), seen);
      if (span.kind == trace::SpanKind::kClient && attribute.key == trace::Attr::kRequestBytes) {
        server_requests.emplace(std::get<std::int64_t>(attribute.value), seen);
      }
      if (attribute.key == trace::Attr::kSecondAnswers) second = std::get<std::int64_t>(attribute.value);
    }
  }

  std::multimap<std::string, Seen, std::less<>> calls;
  std::multimap<std::int64_t, Seen> server_requests;  // by size, which the oracle makes unique
  Seen root;
  std::int64_t second = 0;
  int late = 0;
};

struct Expected {
  std::string id, name;
  Outcome outcome = Outcome::kOk;
  Nanos start{}, end{};
  bool from_caller = false;
  TraceId caller_trace;
  SpanId caller_span, own_span;
  bool twice = false, late = false;
};

class Oracle {
 public:
  explicit Oracle(unsigned seed) : random_(seed), pipeline_({}, {}, ledger_) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      now_ += std::chrono::microseconds(1 + pick(50));
      pipeline_.go_to(now_);
      const int dice = pick(100);
      if (dice < 40 && open_.size() < 300) {
        ask();
      } else if (dice < 75 && !open_.empty()) {
        answer();
      } else if (dice < 79 && !open_.empty()) {
        cancel();
      } else if (dice < 90) {
        ask_from_server();
      } else {
        answer_to_server();
      }
    }
    pipeline_.go_to(now_ += std::chrono::milliseconds(1));
    pipeline_.tracer().finish({}, pipeline_.now());
    for (auto& [id, call] : open_) {
      call.outcome = Outcome::kAbandoned, call.end = now_;
      done_.push_back(call);
    }
  }

  void check();

 private:
  int pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }

  // From few values, so that an id is used again soon after its answer, and 7 is open beside "7".
  std::string free_id() {
    for (;;) {
      const std::string number = std::to_string(pick(400));
      std::string id = pick(2) == 0 ? number : "\"" + number + "\"";
      if (!open_.contains(id) && !spent_.contains(id)) return id;
    }
  }

  void ask() {
    Expected call;
    call.id = free_id();
    call.name = "tool-" + std::to_string(++made_);
    call.start = now_;
    std::string meta;
    if (pick(3) == 0) {
      call.from_caller = true;
      SeededRandom ids(random_());
      call.caller_trace = ids.trace_id(), call.caller_span = ids.span_id();
      char text[trace::kTraceparentSize];
      trace::write_traceparent({call.caller_trace, call.caller_span, 1}, text);
      meta = R"(,"_meta":{"traceparent":")" + std::string(text, sizeof(text)) + R"("})";
    }
    const std::string line = R"({"jsonrpc":"2.0","id":)" + call.id + R"(,"method":"tools/call","params":{"name":")" +
                             call.name + R"(","arguments":{"id":99,"method":"x"})" + meta + "}}\n";
    const std::string out = pipeline_.from_client(line);
    const std::size_t at = out.find("\"traceparent\":\"00-") + 18;
    ASSERT_NE(at, std::string::npos + 18) << out;
    ASSERT_TRUE(parse_hex(std::string_view(out).substr(at + 33, 16), call.own_span.bytes));
    open_[call.id] = call;
  }

  std::map<std::string, Expected>::iterator any_open() {
    auto chosen = open_.begin();
    std::advance(chosen, pick(static_cast<int>(open_.size())));
    return chosen;
  }

  void say(const std::string& id, int kind) {
    static const char* const kAnswers[] = {R"("result":{"content":[],"id":"7"})",
                                           R"("result":{"isError":true,"content":[]})",
                                           R"("error":{"code":-32603,"message":"x","data":{"id":3}})"};
    pipeline_.from_server(R"({"id":)" + id + R"(,"jsonrpc":"2.0",)" + kAnswers[kind] + "}\n");
  }

  void answer() {
    static const Outcome kOutcomes[] = {Outcome::kOk, Outcome::kToolError, Outcome::kRpcError};
    const auto chosen = any_open();
    const int kind = pick(3);
    say(chosen->first, kind);
    chosen->second.outcome = kOutcomes[kind];
    chosen->second.end = now_;
    if (pick(20) == 0) {
      say(chosen->first, 0);
      ++second_;
    }
    done_.push_back(chosen->second);
    open_.erase(chosen);
  }

  void cancel() {
    const auto chosen = any_open();
    pipeline_.from_client(R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":)" +
                          chosen->first + "}}\n");
    chosen->second.outcome = Outcome::kCancelled;
    chosen->second.end = now_;
    done_.push_back(chosen->second);
    if (pick(2) == 0) {
      say(chosen->first, 0);
      ++late_;
    } else {
      spent_.insert(chosen->first);  // its late answer would be taken for the next call's: nobody could tell
    }
    open_.erase(chosen);
  }

  // The server's requests use the very same ids.
  void ask_from_server() {
    const std::string id = std::to_string(pick(60));
    if (server_open_.contains(id)) return;
    const std::string line = R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":"roots/list","params":{"x":")" +
                             std::string(static_cast<std::size_t>(++server_made_) * 2, 'x') + "\"}}\n";
    if (open_.size() == 1) return;  // it would nest, and end with its parent: another test's matter
    pipeline_.from_server(line);
    server_open_[id] = {static_cast<std::int64_t>(line.size()), now_};
  }

  void answer_to_server() {
    if (server_open_.empty()) return;
    const auto chosen = server_open_.begin();
    pipeline_.from_client(R"({"jsonrpc":"2.0","id":)" + chosen->first + R"(,"result":{"roots":[]}})" + "\n");
    server_done_[chosen->second.first] = {chosen->second.second, now_};
    server_open_.erase(chosen);
  }

  std::mt19937 random_;
  Ledger ledger_;
  Pipeline pipeline_;
  Nanos now_{};
  int made_ = 0, server_made_ = 0, second_ = 0, late_ = 0;
  std::map<std::string, Expected> open_;
  std::set<std::string> spent_;
  std::vector<Expected> done_;
  std::map<std::string, std::pair<std::int64_t, Nanos>> server_open_;
  std::map<std::int64_t, std::pair<Nanos, Nanos>> server_done_;
};

void Oracle::check() {
  ASSERT_EQ(ledger_.calls.size(), static_cast<std::size_t>(made_));
  ASSERT_EQ(done_.size(), static_cast<std::size_t>(made_));
  for (const Expected& call : done_) {
    ASSERT_EQ(ledger_.calls.count(call.name), 1u) << call.name;
    const Seen& seen = ledger_.calls.find(call.name)->second;
    EXPECT_EQ(seen.outcome, call.outcome) << call.name << " id " << call.id;
    EXPECT_EQ(seen.span_id, call.own_span) << call.name;
    EXPECT_EQ(seen.start, Pipeline::start().wall + call.start) << call.name;
    EXPECT_EQ(seen.duration, call.end - call.start) << call.name;
    EXPECT_EQ(seen.trace_id, call.from_caller ? call.caller_trace : ledger_.root.trace_id) << call.name;
    EXPECT_EQ(seen.parent_id, call.from_caller ? call.caller_span : ledger_.root.span_id) << call.name;
  }
  for (const auto& [size, times] : server_done_) {
    ASSERT_EQ(ledger_.server_requests.count(size), 1u);
    const Seen& seen = ledger_.server_requests.find(size)->second;
    EXPECT_EQ(seen.outcome, Outcome::kOk);
    EXPECT_EQ(seen.start, Pipeline::start().wall + times.first);
    EXPECT_EQ(seen.duration, times.second - times.first);
  }
  EXPECT_EQ(ledger_.second, second_);
  EXPECT_EQ(ledger_.late, late_);
}

class OracleTest : public testing::TestWithParam<unsigned> {};

TEST_P(OracleTest, EverySpanHasTheRightPartnerParentTimeAndOutcome) {
  Oracle oracle(GetParam());
  oracle.run(12'000);
  oracle.check();
}

INSTANTIATE_TEST_SUITE_P(Seeds, OracleTest, testing::Values(1u, 2u, 3u, 4u));

}  // namespace
}  // namespace mcptrace::golden
