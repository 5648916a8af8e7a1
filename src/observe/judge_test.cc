#include "observe/judge.h"

#include <gtest/gtest.h>

namespace mcptrace::observe {
namespace {

using mcp::HttpEnd;
using mcp::Method;
using trace::Outcome;

TEST(Judge, AnAnswerSaysHowItsCallEnded) {
  mcp::Message answer;
  answer.kind = mcp::MessageKind::kResult;
  answer.bytes = 7;
  EXPECT_EQ(judge_answer(Method::kToolsCall, answer).outcome, Outcome::kOk);
  EXPECT_EQ(judge_answer(Method::kToolsCall, answer).answer_bytes, 7u);
  answer.flags = mcp::kIsError;
  EXPECT_EQ(judge_answer(Method::kToolsCall, answer).outcome, Outcome::kToolError);
  EXPECT_EQ(judge_answer(Method::kToolsList, answer).outcome, Outcome::kOk);
  answer.flags = 0;
  answer.result_type = mcp::ResultType::kInputRequired;
  EXPECT_EQ(judge_answer(Method::kToolsCall, answer).outcome, Outcome::kInputRequired);
  answer.kind = mcp::MessageKind::kError;
  answer.flags = mcp::kHasErrorCode;
  answer.error_code = -32602;
  const trace::CallEnd end = judge_answer(Method::kToolsCall, answer);
  EXPECT_EQ(end.outcome, Outcome::kRpcError);
  EXPECT_TRUE(end.has_code);
  EXPECT_EQ(end.code, -32602);
}

class JudgeExchange : public testing::Test {
 protected:
  std::optional<trace::CallEnd> judge(std::uint16_t status, HttpEnd end, bool dropped = false) {
    http_.status = status;
    http_.end = end;
    return judge_exchange(call_, exchange_, http_, exchanges_, dropped);
  }

  HttpExchanges exchanges_{10};
  HttpExchange& exchange_ = exchanges_.add(1);
  mcp::HttpFact http_;
  mcp::OpenCall call_;
};

TEST_F(JudgeExchange, TheHeadAloneMaySayIt) {
  EXPECT_EQ(judge(500, HttpEnd::kComplete)->outcome, Outcome::kTransportError);
  http_.auth = mcp::AuthScheme::kBearer;
  EXPECT_EQ(judge(401, HttpEnd::kComplete)->outcome, Outcome::kAuthRequired);
  http_.flags = mcp::kRedirects;
  EXPECT_EQ(judge(307, HttpEnd::kComplete)->outcome, Outcome::kRedirected);
}

TEST_F(JudgeExchange, WithoutAnAnswerItIsWhoEndedItThatCounts) {
  EXPECT_EQ(judge(200, HttpEnd::kServerClosed)->outcome, Outcome::kTransportError);
  EXPECT_EQ(judge(200, HttpEnd::kClientClosed)->outcome, Outcome::kAbandoned);
  EXPECT_EQ(judge(200, HttpEnd::kServerClosed, true)->unobserved, "dropped");
  call_.flags = mcp::kModern;
  EXPECT_EQ(judge(200, HttpEnd::kClientClosed)->outcome, Outcome::kCancelled);
}

TEST_F(JudgeExchange, AnAnswerMayStillComeElsewhere) {
  EXPECT_EQ(judge(202, HttpEnd::kComplete)->unobserved, "other_replica");
  HttpExchange& stream = exchanges_.add(2);
  stream.method = mcp::HttpMethod::kGet;
  stream.flags = mcp::kStreamed;
  EXPECT_FALSE(judge(202, HttpEnd::kComplete));
  stream.scope = 5;  // of another session
  EXPECT_TRUE(judge(202, HttpEnd::kComplete));
  exchange_.flags = mcp::kHasEvents;
  EXPECT_FALSE(judge(200, HttpEnd::kServerClosed));
  exchange_.flags = 0;
  exchanges_.begin_sse(0);
  EXPECT_FALSE(judge(202, HttpEnd::kComplete));
}

}  // namespace
}  // namespace mcptrace::observe
