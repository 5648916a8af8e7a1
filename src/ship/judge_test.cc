// reference: OTLP's tables of answers, code by code.
#include "ship/judge.h"

#include <gtest/gtest.h>

#include "otlp/wire.h"

namespace mcptrace::ship {
namespace {

using namespace std::chrono_literals;
using client::Answer;
using client::Response;
using config::Protocol;

Answer http(int status, client::Headers headers = {}, std::string body = {}) {
  return Response{.status = status, .headers = std::move(headers), .trailers = {}, .body = std::move(body)};
}
Judgement judged(int status, client::Headers headers = {}, std::string body = {}) {
  return judge(Protocol::kHttpProtobuf, http(status, std::move(headers), std::move(body)), 0ns);
}

TEST(JudgeHttp, OnlyFourStatusesAreTriedAgain) {
  for (int status = 200; status < 600; ++status) {
    const Verdict verdict = judged(status).verdict;
    const bool retry = status == 429 || status == 502 || status == 503 || status == 504;
    EXPECT_EQ(verdict == Verdict::kRetry, retry) << status;
    EXPECT_EQ(verdict == Verdict::kDelivered, status < 300) << status;
    EXPECT_EQ(verdict == Verdict::kTooLarge, status == 413) << status;
  }
  for (const int status : {401, 403, 404, 302}) EXPECT_EQ(judged(status).verdict, Verdict::kMisplaced) << status;
  for (const int status : {400, 422, 500}) EXPECT_EQ(judged(status).verdict, Verdict::kRefused) << status;
}

TEST(JudgeHttp, RetryAfterIsSecondsOrADate) {
  EXPECT_EQ(judged(503, {{"retry-after", "7"}}).retry_after, 7s);
  EXPECT_EQ(judged(429, {{"retry-after", " 0 "}}).retry_after, 0s);
  EXPECT_EQ(judged(429, {{"retry-after", "99999"}}).retry_after, 1h) << "bounded";
  const Nanos now = std::chrono::seconds(784111777);  // Sun, 06 Nov 1994 08:49:37 GMT
  const auto dated = [now](const char* date) {
    return judge(Protocol::kHttpJson, http(503, {{"retry-after", date}}), now).retry_after;
  };
  EXPECT_EQ(dated("Sun, 06 Nov 1994 08:49:47 GMT"), 10s);
  EXPECT_EQ(dated("Sun, 06 Nov 1994 08:00:00 GMT"), 0s) << "the past";
  EXPECT_FALSE(dated("soon"));
  EXPECT_FALSE(judged(500, {{"retry-after", "7"}}).retry_after) << "not to be tried again";
  EXPECT_FALSE(judged(503).retry_after);
}

std::string partial(std::uint64_t rejected, std::string_view message) {
  std::string inner, out;
  otlp::append_varint(inner, otlp::tag_of(1, otlp::Wire::kVarint));
  otlp::append_varint(inner, rejected);
  otlp::append_bytes(inner, 2, message);
  otlp::append_bytes(out, 1, inner);
  return out;
}

TEST(JudgeHttp, APartialSuccessIsDeliveredAndSaysWhatWasNot) {
  const Judgement some = judged(200, {}, partial(3, "too old"));
  EXPECT_EQ(some.verdict, Verdict::kDelivered);
  EXPECT_EQ(some.rejected, 3);
  EXPECT_EQ(some.sentence, "3 spans of a request were not taken: too old");
  EXPECT_EQ(judged(202, {}, partial(0, "slow\x1b[31m\ndown")).sentence, "it warns: slow [31m down");
  EXPECT_EQ(
      judged(200, {{"content-type", "application/json; charset=utf-8"}}, R"({"partialSuccess":{"rejectedSpans":"2"}})")
          .rejected,
      2);
  EXPECT_EQ(judged(200, {}, "\xff nonsense").verdict, Verdict::kDelivered);
  EXPECT_EQ(judged(200).sentence, "");
}

TEST(JudgeHttp, TheSentenceSaysWhatToDo) {
  EXPECT_EQ(judged(401).sentence, "HTTP 401 Unauthorized; check the key, and what it is allowed to do");
  EXPECT_EQ(judged(404).sentence, "HTTP 404 Not Found; check the endpoint and its path");
  std::string status;
  otlp::append_bytes(status, 2, "no such tenant");
  EXPECT_EQ(judged(400, {}, status).sentence, "HTTP 400 Bad Request: no such tenant");
  EXPECT_EQ(judged(400, {{"content-type", "application/json"}}, R"({"message":"bad"})").sentence,
            "HTTP 400 Bad Request: bad");
  EXPECT_LT(judged(400, {{"content-type", "application/json"}}, R"({"message":")" + std::string(100'000, 'x') + R"("})")
                .sentence.size(),
            300u);
}

TEST(JudgeHttp, NoAnswerIsTriedAgainButNotWhereItWasTooLarge) {
  const auto failed = [](client::Step step) {
    return judge(Protocol::kHttpProtobuf, std::unexpected(client::Failure{step, "why"}), 0ns);
  };
  EXPECT_EQ(failed(client::Step::kConnect).verdict, Verdict::kRetry);
  EXPECT_EQ(failed(client::Step::kTimeout).sentence, "why");
  EXPECT_EQ(failed(client::Step::kTooLarge).verdict, Verdict::kDelivered);
}

Judgement rpc(int code, client::Headers more = {}) {
  more.emplace_back("grpc-status", std::to_string(code));
  return judge(Protocol::kGrpc, Response{.status = 200, .headers = {}, .trailers = std::move(more), .body = {}}, 0ns);
}

// google.rpc.Status with RetryInfo of 3 s, in base64 without its padding.
std::string retry_info() {
  std::string duration, info, any, status;
  otlp::append_varint(duration, otlp::tag_of(1, otlp::Wire::kVarint));
  otlp::append_varint(duration, 3);
  otlp::append_bytes(info, 1, duration);
  otlp::append_bytes(any, 1, "type.googleapis.com/google.rpc.RetryInfo");
  otlp::append_bytes(any, 2, info);
  otlp::append_bytes(status, 3, any);
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < status.size(); i += 3) {
    unsigned bits = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      bits = bits << 8 | (i + j < status.size() ? static_cast<unsigned char>(status[i + j]) : 0u);
    }
    const std::size_t digits = std::min<std::size_t>(status.size() - i, 3) + 1;
    for (std::size_t j = 0; j < digits; ++j) out += kDigits[bits >> (18 - 6 * j) & 63];
  }
  return out;
}

TEST(JudgeGrpc, RetriesWhatOtlpSaysMayBe) {
  for (int code = 1; code <= 16; ++code) {
    const bool retry = code == 1 || code == 4 || code == 10 || code == 11 || code == 14 || code == 15;
    EXPECT_EQ(rpc(code).verdict == Verdict::kRetry, retry) << code;
  }
  EXPECT_EQ(rpc(0).verdict, Verdict::kDelivered);
  EXPECT_EQ(rpc(8).verdict, Verdict::kTooLarge);
  const Judgement throttled = rpc(8, {{"grpc-status-details-bin", retry_info()}});
  EXPECT_EQ(throttled.verdict, Verdict::kRetry);
  EXPECT_EQ(throttled.retry_after, 3s);
  EXPECT_EQ(rpc(14, {{"grpc-status-details-bin", retry_info()}}).retry_after, 3s);
  EXPECT_EQ(rpc(16).verdict, Verdict::kMisplaced);
  EXPECT_EQ(rpc(3, {{"grpc-message", "bad%20span"}}).sentence, "gRPC INVALID_ARGUMENT: bad span");
}

TEST(JudgeGrpc, ReadsThePartialSuccessBehindItsFrame) {
  const std::string body = std::string("\0\0\0\0\x05", 5) + partial(2, "x");
  const Judgement judgement = judge(
      Protocol::kGrpc, Response{.status = 200, .headers = {{"grpc-status", "0"}}, .trailers = {}, .body = body}, 0ns);
  EXPECT_EQ(judgement.verdict, Verdict::kDelivered);
  EXPECT_EQ(judgement.rejected, 2);
}

TEST(JudgeGrpc, AnAnswerThatIsNoneIsJudgedByItsStatus) {
  EXPECT_EQ(judge(Protocol::kGrpc, http(503), 0ns).verdict, Verdict::kRetry);
  EXPECT_EQ(judge(Protocol::kGrpc, http(404), 0ns).verdict, Verdict::kMisplaced);
  EXPECT_EQ(judge(Protocol::kGrpc, http(400), 0ns).sentence, "HTTP 400, which is no gRPC: INTERNAL");
}

}  // namespace
}  // namespace mcptrace::ship
