// The W3C trace context rules (levels 1 and 2) on the wire, at both carriers: what comes in by header or _meta, and
// what goes on. The cases are those that the official harness checks, in our own
// words.
#include <gtest/gtest.h>

#include "golden/http_pipeline.h"
#include "trace/w3c.h"

namespace mcptrace::golden {
namespace {

constexpr std::string_view kTrace = "0af7651916cd43dd8448eb211c80319c";
constexpr std::string_view kSpan = "b7ad6b7169203331";

class NoSink final : public observe::RecordSink {
 public:
  void resource(std::span<const std::pair<std::string, std::string>>) override {}
  void record(spool::RecordType, const trace::SpanHeader&, const trace::SpanRecord&) override {}
};

class ContextTest : public testing::Test {
 protected:
  ContextTest() : pipeline_(tracing(), tracer(), sink_) {}

  static proxy::TracingOptions tracing() {
    proxy::TracingOptions options;
    options.route_names = {"w3c"};
    return options;
  }
  static observe::TracerOptions tracer() {
    observe::TracerOptions options;
    options.routes = {{"w3c", "server", 80}};
    return options;
  }

  Forwarded send(const HeaderLines& context, const std::string& meta = {}) {
    HttpPipeline::Request request;
    request.headers = context;
    request.headers.emplace_back("Content-Type", "application/json");
    request.body = R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x")" +
                   (meta.empty() ? "" : ",\"_meta\":{" + meta + "}") + "}}";
    Forwarded passed = pipeline_.request(1, request);
    pipeline_.end(1, proxy::ExchangeEnd::kClientClosed);
    // Whatever came, what goes on is valid, new, and the same in both places.
    const auto own = trace::parse_traceparent(passed.traceparent);
    EXPECT_TRUE(own.has_value()) << passed.traceparent;
    EXPECT_EQ(passed.traceparent.substr(0, 3), "00-");
    EXPECT_NE(passed.traceparent.substr(36, 16), kSpan);
    EXPECT_NE(passed.body.find("\"traceparent\":\"" + passed.traceparent + "\""), std::string::npos) << passed.body;
    EXPECT_EQ(passed.body.find("traceparent"), passed.body.rfind("traceparent"));
    if (passed.tracestate.empty()) {
      EXPECT_EQ(passed.body.find("tracestate"), std::string::npos) << passed.body;
    } else {
      EXPECT_TRUE(trace::is_valid_tracestate(passed.tracestate));
      EXPECT_NE(passed.body.find("\"tracestate\":\""), std::string::npos) << passed.body;
    }
    return passed;
  }
  // By header, and by _meta: the trace must be joined, or not, alike.
  void expect_joined(const std::string& value, bool joined, std::string_view flags = {}) {
    for (const bool in_meta : {false, true}) {
      const Forwarded passed = in_meta ? send({}, "\"traceparent\":\"" + value + "\"") : send({{"traceparent", value}});
      EXPECT_EQ(passed.traceparent.substr(3, 32) == kTrace, joined)
          << value << (in_meta ? " in _meta" : " in a header");
      if (joined && !flags.empty()) {
        EXPECT_EQ(passed.traceparent.substr(53), flags) << value;
      }
      // A trace that we start is sampled and random, with a number of its own.
      if (!joined) {
        EXPECT_EQ(passed.traceparent.substr(53), "03") << value;
        EXPECT_EQ(passed.tracestate.substr(0, 6), "ot=rv:") << value;
      }
    }
  }
  static std::string parent(std::string_view version, std::string_view flags, std::string_view rest = {}) {
    return std::string(version) + "-" + std::string(kTrace) + "-" + std::string(kSpan) + "-" + std::string(flags) +
           std::string(rest);
  }
  // What goes on of a tracestate that came with a valid traceparent.
  void expect_state(const std::string& value, const std::string& passed_on) {
    EXPECT_EQ(send({{"traceparent", parent("00", "01")}, {"tracestate", value}}).tracestate, passed_on) << value;
    if (value.find_first_of("\"\\\t") != std::string::npos) return;
    EXPECT_EQ(send({}, "\"traceparent\":\"" + parent("00", "01") + "\",\"tracestate\":\"" + value + "\"").tracestate,
              passed_on)
        << value << " in _meta";
  }

  NoSink sink_;
  HttpPipeline pipeline_;
};

TEST_F(ContextTest, TraceparentsThatAreJoined) {
  expect_joined(parent("00", "01"), true, "01");
  expect_joined(parent("00", "00"), true, "00");
  expect_joined(parent("00", "02"), true, "02");  // random, not sampled
  expect_joined(parent("00", "03"), true, "03");
  expect_joined(parent("00", "ff"), true, "03");  // flags that nobody knows are not passed on
  expect_joined(parent("cc", "01"), true, "01");
  expect_joined(parent("cc", "01", "-what-the-future-will-be-like"), true, "01");
  expect_joined(" " + parent("00", "01") + " ", true, "01");
}

TEST_F(ContextTest, TraceparentsThatAreNot) {
  expect_joined(parent("ff", "01"), false);
  expect_joined(parent("00", "01", "-01"), false);
  expect_joined(parent("00", "01", "."), false);
  expect_joined(parent("cc", "01", "."), false);
  expect_joined(parent("cc", "01", ".what"), false);
  expect_joined(parent("0", "01"), false);
  expect_joined(parent(".0", "01"), false);
  expect_joined(parent("0.", "01"), false);
  expect_joined(parent("00", ".0"), false);
  expect_joined(parent("00", "1"), false);
  expect_joined(parent("00", "0G"), false);
  expect_joined("00-" + std::string(32, '0') + "-" + std::string(kSpan) + "-01", false);
  expect_joined("00-" + std::string(kTrace) + "-" + std::string(16, '0') + "-01", false);
  expect_joined("00-0AF7651916CD43DD8448EB211C80319C-" + std::string(kSpan) + "-01", false);
  expect_joined("00-.af7651916cd43dd8448eb211c80319c-" + std::string(kSpan) + "-01", false);
  expect_joined("00-" + std::string(kTrace).substr(1) + "-" + std::string(kSpan) + "-01", false);
  expect_joined("00-" + std::string(kTrace) + "-" + std::string(kSpan).substr(1) + "-01", false);
  expect_joined("00-" + std::string(kTrace) + "-" + std::string(kSpan), false);
  expect_joined("", false);
  expect_joined(std::string(4000, '0'), false);
}

TEST_F(ContextTest, HeaderNamesAreOfAnyCaseAndTwoTraceparentsAreNone) {
  EXPECT_EQ(send({{"TrAcEpArEnT", parent("00", "01")}}).traceparent.substr(3, 32), kTrace);
  EXPECT_EQ(send({{"traceparent", parent("00", "01")}, {"TraceState", "a=1"}}).tracestate, "a=1");
  const Forwarded twice =
      send({{"traceparent", parent("00", "01")}, {"Traceparent", parent("00", "01")}, {"tracestate", "a=1"}});
  EXPECT_NE(twice.traceparent.substr(3, 32), kTrace);
  EXPECT_EQ(twice.tracestate.substr(0, 6), "ot=rv:");
}

TEST_F(ContextTest, TracestatesThatArePassedOn) {
  expect_state("foo=1", "foo=1");
  expect_state("foo=1,bar=2", "foo=1,bar=2");
  expect_state("foo@=1", "foo@=1");  // level 2
  expect_state("foo@@bar=1", "foo@@bar=1");
  expect_state("foo@bar@baz=1", "foo@bar@baz=1");
  expect_state(std::string(242, 't') + "@v=1", std::string(242, 't') + "@v=1");
  expect_state("t@" + std::string(15, 'v') + "=1", "t@" + std::string(15, 'v') + "=1");
  expect_state("0foo=1", "0foo=1");
  expect_state("foo=" + std::string(256, 'v'), "foo=" + std::string(256, 'v'));
}

TEST_F(ContextTest, TracestatesThatAreDropped) {
  for (const char* odd :
       {"foo", "foo=", "foo=1=2", "FOO=1", "foo.bar=1", "@foo=1", "foo =1", "_foo=1", "foo=\xc3\xa4"}) {
    expect_state(odd, "");
  }
  expect_state(std::string(257, 'k') + "=1", "");
  expect_state("foo=" + std::string(257, 'v'), "");
  std::string many = "k0=1";
  for (int i = 1; i < 33; ++i) many += ",k" + std::to_string(i) + "=1";
  expect_state(many, "");
}

TEST_F(ContextTest, SeveralTracestateFieldsAreOneAndNoneCountsWithoutItsParent) {
  const HeaderLines three = {
      {"traceparent", parent("00", "01")}, {"tracestate", "a=1"}, {"Tracestate", "b=2,c=3"}, {"tracestate", "d=4"}};
  EXPECT_EQ(send(three).tracestate, "a=1,b=2,c=3,d=4");
  EXPECT_EQ(send({{"tracestate", "a=1"}}).tracestate.substr(0, 6), "ot=rv:");
  EXPECT_EQ(send({{"traceparent", "00-bad"}, {"tracestate", "a=1"}}).tracestate.substr(0, 6), "ot=rv:");
  std::string many = "k0=1";
  for (int i = 1; i < 20; ++i) many += ",k" + std::to_string(i) + "=1";
  EXPECT_EQ(send({{"traceparent", parent("00", "01")}, {"tracestate", many}, {"tracestate", many}}).tracestate, "");
}

TEST_F(ContextTest, AnotherCarriersStateIsNotMixedIn) {
  const Forwarded passed = send({{"traceparent", parent("00", "01")}, {"tracestate", "header=1"}},
                                "\"traceparent\":\"00-11111111111111111111111111111111-2222222222222222-00\"");
  EXPECT_EQ(passed.traceparent.substr(3, 32), std::string(32, '1'));
  EXPECT_EQ(passed.traceparent.substr(53), "00");
  EXPECT_EQ(passed.tracestate, "");
}

TEST_F(ContextTest, EachRequestHasASpanOfItsOwn) {
  std::string last;
  for (int i = 0; i < 3; ++i) {
    const Forwarded passed = send({{"traceparent", parent("00", "01")}});
    EXPECT_EQ(passed.traceparent.substr(3, 32), kTrace);
    EXPECT_NE(passed.traceparent.substr(36, 16), last);
    last = passed.traceparent.substr(36, 16);
  }
}

}  // namespace
}  // namespace mcptrace::golden
