#include "http/head_writer.h"

#include <gmock/gmock.h>

#include <string>

#include "http/message_parser.h"

namespace mcptrace::http {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string forward(std::string_view request, RequestOut as) {
  RequestParser parser;
  std::size_t used = 0;
  EXPECT_EQ(parser.next(request, used), ParseEvent::kHead) << parser.problem().what;
  if (as.target.empty()) as.target = parser.head().target;
  std::string out = "left over from the last one";
  write_request_head(parser.head(), as, out);
  return out;
}

std::string answer(std::string_view response, ResponseOut as, bool to_head = false) {
  ResponseParser parser;
  parser.reset(to_head);
  std::size_t used = 0;
  EXPECT_EQ(parser.next(response, used), ParseEvent::kHead) << parser.problem().what;
  std::string out;
  write_response_head(parser.head(), as, out);
  return out;
}

TEST(RequestHeadWriter, KeepsFieldsAndMakesFramingAnew) {
  EXPECT_EQ(
      forward(
          "POST /a HTTP/1.1\r\nHost: here:1\r\ncontent-TYPE: application/json\r\nX: 1\r\nMcp-Param-Odd:\t\xc3\xbc \r\n"
          "X: 2\r\nx: 1\r\nEmpty:\r\nContent-Length: 10\r\nAccept: a, b\r\n\r\n",
          {.target = "/mcp/a?b", .host = "there", .framing = BodyFraming::kLength, .length = 96}),
      "POST /mcp/a?b HTTP/1.1\r\nHost: there\r\ncontent-TYPE: application/json\r\nX: 1\r\nMcp-Param-Odd: \xc3\xbc\r\n"
      "X: 2\r\nx: 1\r\nEmpty: \r\nAccept: a, b\r\nContent-Length: 96\r\n\r\n");
}

TEST(RequestHeadWriter, KeepsTheClientsHostIfAsked) {
  EXPECT_EQ(forward("GET / HTTP/1.1\r\nA: b\r\nHost: here:1\r\n\r\n", {.target = "/x"}),
            "GET /x HTTP/1.1\r\nA: b\r\nHost: here:1\r\n\r\n");
}

TEST(RequestHeadWriter, ToAForwardProxyAddsWhatThatIsTold) {
  EXPECT_EQ(
      forward("GET / HTTP/1.1\r\nHost: h\r\nProxy-Authorization: Basic b3RoZXI=\r\nConnection: keep-alive\r\n\r\n",
              {.target = "http://up/x", .host = "up", .proxy_authorization = "Basic eA==", .close = true}),
      "GET http://up/x HTTP/1.1\r\nHost: up\r\nProxy-Authorization: Basic eA==\r\nConnection: close\r\n\r\n");
}

TEST(RequestHeadWriter, SpeaksHttp11) {
  EXPECT_EQ(forward("POST / HTTP/1.0\r\n\r\n", {.target = "/", .host = "there", .framing = BodyFraming::kChunked}),
            "POST / HTTP/1.1\r\nHost: there\r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST(RequestHeadWriter, DropsFieldsOfTheConnection) {
  EXPECT_EQ(forward("POST / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, X-Foo , upgrade,te\r\nKeep-Alive: "
                    "timeout=5\r\nTE: trailers\r\n"
                    "Trailer: X\r\nTransfer-Encoding: chunked\r\nUpgrade: h2c\r\nProxy-Authorization: Basic eA==\r\n"
                    "Proxy-Authenticate: x\r\nProxy-Connection: close\r\nExpect: 100-continue\r\nx-FOO: 1\r\nX-Foo2: "
                    "2\r\nX-Foo: 3\r\n\r\n",
                    {}),
            "POST / HTTP/1.1\r\nHost: h\r\nX-Foo2: 2\r\n\r\n");
}

TEST(RequestHeadWriter, ConnectionCannotTakeAwayWhatTheExchangeNeeds) {
  const std::string head =
      "POST / HTTP/1.1\r\nHost: h\r\nConnection: host, content-length, authorization, mcp-session-id, Mcp-Param-X, "
      "cookie,"
      " content-language, cache-control, traceparent, origin, x-gone\r\nAuthorization: Bearer t\r\nMcp-Session-Id: "
      "s\r\n"
      "Mcp-Param-X: p\r\nCookie: c\r\nContent-Language: de\r\nCache-Control: no-transform\r\ntraceparent: t\r\n"
      "Origin: http://localhost\r\nX-Gone: 1\r\n\r\n";
  EXPECT_EQ(
      forward(head, {.framing = BodyFraming::kLength, .length = 0}),
      "POST / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer t\r\nMcp-Session-Id: s\r\nMcp-Param-X: p\r\nCookie: c\r\n"
      "Content-Language: de\r\nCache-Control: no-transform\r\ntraceparent: t\r\nOrigin: http://localhost\r\n"
      "Content-Length: 0\r\n\r\n");
}

TEST(RequestHeadWriter, ReplacesTheTraceContext) {
  const std::string_view request =
      "GET / HTTP/1.1\r\nHost: h\r\nTraceParent: old\r\nX: y\r\ntracestate: a=1\r\ntraceparent: old2\r\nTRACESTATE: "
      "b=2\r\n\r\n";
  EXPECT_EQ(forward(request, {.traceparent = "new", .tracestate = "c=3"}),
            "GET / HTTP/1.1\r\nHost: h\r\nX: y\r\ntraceparent: new\r\ntracestate: c=3\r\n\r\n");
  EXPECT_EQ(forward(request, {.traceparent = "new"}), "GET / HTTP/1.1\r\nHost: h\r\nX: y\r\ntraceparent: new\r\n\r\n");
  EXPECT_EQ(forward(request, {}), request);
}

TEST(RequestHeadWriter, AsksForContinueIfTold) {
  const std::string_view request = "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n";
  EXPECT_THAT(forward(request, {.framing = BodyFraming::kLength, .length = 1}), Not(HasSubstr("Expect")));
  EXPECT_THAT(forward(request, {.framing = BodyFraming::kLength, .length = 1, .with_expect = true}),
              HasSubstr("\r\nExpect: 100-continue\r\n"));
}

TEST(RequestHeadWriter, HasRoomForTheLargestHead) {
  std::string request = "GET / HTTP/1.1\r\nHost: h\r\n";
  for (std::size_t i = 1; i < kMaxFields; ++i) request += "a:\r\n";
  request += "\r\n";
  const std::string out = forward(request, {.framing = BodyFraming::kLength,
                                            .length = ~std::uint64_t{0},
                                            .traceparent = std::string_view(request).substr(0, 55),
                                            .tracestate = request,
                                            .with_expect = true});
  EXPECT_THAT(out, HasSubstr("Content-Length: 18446744073709551615\r\n\r\n"));
}

TEST(ResponseHeadWriter, KeepsStatusReasonAndFields) {
  EXPECT_EQ(answer("HTTP/1.0 299 Sehr gut\r\nset-cookie: a\r\nSet-Cookie: b\r\nConnection: x\r\nX: gone\r\nKeep-Alive: "
                   "timeout=5\r\n"
                   "Content-Length: 3\r\nWWW-Authenticate: Bearer\r\n\r\n",
                   {.framing = BodyFraming::kLength, .length = 3}),
            "HTTP/1.1 299 Sehr gut\r\nset-cookie: a\r\nSet-Cookie: b\r\nWWW-Authenticate: Bearer\r\nContent-Length: "
            "3\r\n\r\n");
}

TEST(ResponseHeadWriter, FramesAsTold) {
  const std::string_view chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(answer(chunked, {.framing = BodyFraming::kChunked}), chunked);
  EXPECT_EQ(answer(chunked, {.framing = BodyFraming::kUntilClose, .close = true}),
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(answer(chunked, {.framing = BodyFraming::kLength, .length = 0, .http_10 = true}),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
}

TEST(ResponseHeadWriter, KeepsALengthThatDescribesWhatIsNotSent) {
  EXPECT_EQ(answer("HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n", {}, true),
            "HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n");
  EXPECT_EQ(answer("HTTP/1.1 304 NM\r\nContent-Length: 5\r\n\r\n", {}), "HTTP/1.1 304 NM\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(answer("HTTP/1.1 204 NC\r\nContent-Length: 5\r\n\r\n", {}), "HTTP/1.1 204 NC\r\n\r\n");
}

TEST(ResponseHeadWriter, InterimSaysNothingOfTheConnection) {
  EXPECT_EQ(
      answer("HTTP/1.1 103 Early Hints\r\nLink: x\r\nConnection: close\r\n\r\n", {.close = true, .interim = true}),
      "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
}

TEST(ErrorResponse, IsAWholeAnswer) {
  const std::string text = error_response(502, "docs", "the connection was refused");
  EXPECT_EQ(
      text,
      "HTTP/1.1 502 Bad Gateway\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: 78\r\n"
      "Connection: close\r\n\r\n"
      "{\"error\":{\"status\":502,\"route\":\"docs\",\"reason\":\"the connection was refused\"}}\n");
  ResponseParser parser;
  parser.reset(false);
  std::size_t used = 0;
  ASSERT_EQ(parser.next(text, used), ParseEvent::kHead);
  EXPECT_EQ(parser.head().length, text.size() - used);
}

TEST(ErrorResponse, HasAReasonForEveryStatusOfOurs) {
  for (const int status : {400, 403, 404, 405, 408, 413, 414, 431, 500, 501, 502, 503, 504, 505}) {
    EXPECT_FALSE(reason_phrase(status).empty()) << status;
  }
  EXPECT_THAT(error_response(405, {}, "x"), HasSubstr("\r\nAllow: "));
}

TEST(ErrorResponse, EscapesAndLeavesOut) {
  EXPECT_THAT(error_response(400, {}, "a \"b\" \\ \n \xff"),
              HasSubstr("{\"error\":{\"status\":400,\"reason\":\"a \\\"b\\\" \\\\ \\u000a \\u00ff\"}}"));
  const std::string to_head = error_response(400, {}, "x", false);
  EXPECT_TRUE(to_head.ends_with("\r\n\r\n"));
  EXPECT_THAT(to_head, HasSubstr("Content-Length: 38\r\n"));
}

}  // namespace
}  // namespace mcptrace::http
