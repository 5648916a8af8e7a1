#include "http/message_parser.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace mcptrace::http {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Everything that a parser says about a stream, as one text: "head(...) body(...)* end" for each message.
struct Story {
  std::vector<std::string> heads;
  std::string body;
  int ends = 0;
  ParseProblem problem;
  bool bad = false;
  bool head_done = false;
  std::size_t used = 0;
};

void reset(RequestParser& parser) { parser.reset(); }
void reset(ResponseParser& parser) { parser.reset(false); }

std::string describe(const Head& head) {
  std::string text;
  for (const Field& field : head.fields) text += std::string(field.name) + "=" + std::string(field.value) + ";";
  return text;
}

// Gives `stream` in pieces of `step` bytes.
template <class Parser>
Story parse(Parser& parser, std::string_view stream, std::size_t step) {
  Story story;
  std::size_t begin = 0;
  std::size_t given = 0;
  while (true) {
    // A copy of exactly this size, so that a sanitizer sees the first byte too many.
    const std::vector<char> unread(stream.begin() + static_cast<std::ptrdiff_t>(begin),
                                   stream.begin() + static_cast<std::ptrdiff_t>(given));
    std::size_t used = 0;
    const ParseEvent event = parser.next({unread.data(), unread.size()}, used);
    begin += used;
    story.used = begin;
    if (event == ParseEvent::kHead) story.heads.push_back(describe(parser.head()));
    if (event == ParseEvent::kBody) story.body += parser.body();
    if (event == ParseEvent::kEnd) {
      ++story.ends;
      if (begin == stream.size()) break;
      reset(parser);
    }
    if (event == ParseEvent::kBad) {
      story.bad = true;
      story.problem = parser.problem();
      break;
    }
    if (event == ParseEvent::kNeedMore) {
      if (given == stream.size()) break;
      given = std::min(given + step, stream.size());
    }
  }
  story.head_done = parser.head_done();
  return story;
}

Story request(std::string_view stream, std::size_t step = 1 << 20) {
  RequestParser parser;
  return parse(parser, stream, step);
}
Story response(std::string_view stream, bool to_head = false, std::size_t step = 1 << 20) {
  ResponseParser parser;
  parser.reset(to_head);
  return parse(parser, stream, step);
}

constexpr std::string_view kPost =
    "POST /mcp?x=1 HTTP/1.1\r\nHost: localhost:3000\r\nContent-Type: application/json\r\nX-Odd-CASE:  a b \t\r\n"
    "Empty:\r\nContent-Length: 5\r\n\r\nhello";

TEST(RequestParser, TellsHeadBodyAndEnd) {
  RequestParser parser;
  std::size_t used = 0;
  ASSERT_EQ(parser.next(kPost, used), ParseEvent::kHead);
  EXPECT_EQ(used, kPost.size() - 5);
  const RequestHead& head = parser.head();
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.target, "/mcp?x=1");
  EXPECT_EQ(head.minor_version, 1);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(head.framing, BodyFraming::kLength);
  EXPECT_EQ(head.length, 5u);
  EXPECT_EQ(describe(head),
            "Host=localhost:3000;Content-Type=application/json;X-Odd-CASE=a b;Empty=;Content-Length=5;");
  EXPECT_EQ(head.fields[0].id, FieldName::kHost);
  EXPECT_EQ(head.fields[2].id, FieldName::kOther);
  EXPECT_EQ(head.value(FieldName::kContentType), "application/json");
  EXPECT_EQ(head.find(FieldName::kOrigin), nullptr);

  const std::string_view rest = kPost.substr(used);
  ASSERT_EQ(parser.next(rest.substr(0, 2), used), ParseEvent::kBody);
  EXPECT_EQ(parser.body(), "he");
  EXPECT_EQ(parser.next({}, used), ParseEvent::kNeedMore);
  ASSERT_EQ(parser.next("lloPOST", used), ParseEvent::kBody);
  EXPECT_EQ(parser.body(), "llo");
  EXPECT_EQ(used, 3u);
  EXPECT_EQ(parser.next("POST", used), ParseEvent::kEnd);
  EXPECT_EQ(used, 0u);
}

TEST(RequestParser, CuttingDoesNotMatter) {
  const std::string stream = std::string(kPost) +
                             "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"
                             "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                             "3;a=b;c=\"d e\"\r\nabc\r\n0010\r\n0123456789abcdef\r\n000\r\nX: y\r\nZ: q\r\n\r\n"
                             "POST / HTTP/1.0\r\nContent-Length: 0\r\n\r\n";
  const Story whole = request(stream);
  EXPECT_FALSE(whole.bad) << whole.problem.what;
  EXPECT_EQ(whole.ends, 4);
  EXPECT_EQ(whole.body, "helloabc0123456789abcdef");
  EXPECT_THAT(whole.heads[2], "Host=a;Transfer-Encoding=chunked;");
  for (std::size_t step = 1; step < 40; ++step) {
    const Story cut = request(stream, step);
    EXPECT_EQ(cut.heads, whole.heads) << step;
    EXPECT_EQ(cut.body, whole.body) << step;
    EXPECT_EQ(cut.ends, whole.ends) << step;
  }
}

TEST(RequestParser, KeepsTheConnectionAsItsVersionSays) {
  struct Case {
    std::string_view line, field;
    bool keep_alive;
  };
  for (const Case& c :
       {Case{"HTTP/1.1", "A: b", true}, Case{"HTTP/1.1", "Connection: Close", false},
        Case{"HTTP/1.1", "connection: x, close ,y", false}, Case{"HTTP/1.0", "A: b", false},
        Case{"HTTP/1.0", "Connection: keep-alive", true}, Case{"HTTP/1.0", "Connection: keep-alive, close", false}}) {
    RequestParser parser;
    std::size_t used = 0;
    const std::string text = "GET / " + std::string(c.line) + "\r\nHost: a\r\n" + std::string(c.field) + "\r\n\r\n";
    ASSERT_EQ(parser.next(text, used), ParseEvent::kHead);
    EXPECT_EQ(parser.head().keep_alive, c.keep_alive) << text;
  }
}

TEST(RequestParser, ExpectCountsOnlyInHttp11) {
  RequestParser parser;
  std::size_t used = 0;
  ASSERT_EQ(parser.next("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n\r\n", used), ParseEvent::kHead);
  EXPECT_TRUE(parser.head().expects_continue);
  parser.reset();
  ASSERT_EQ(parser.next("POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", used), ParseEvent::kHead);
  EXPECT_FALSE(parser.head().expects_continue);
}

TEST(RequestParser, IsUsedAgainAfterReset) {
  RequestParser parser;
  EXPECT_TRUE(parse(parser, "GET / HTTP/1.1\n\n", 1).bad);
  parser.reset();
  const Story story = parse(parser, kPost, 7);
  EXPECT_FALSE(story.bad);
  EXPECT_EQ(story.ends, 1);
}

TEST(RequestParser, TellsEarlyThatAHeadIsTooLong) {
  // Before the end of the head has come.
  EXPECT_EQ(request("GET /" + std::string(kMaxTargetBytes + 64, 'x')).problem.status, 414);
  EXPECT_EQ(request("GET / HTTP/1.1\r\nA: " + std::string(kMaxHeadBytes, 'x')).problem.status, 431);
  EXPECT_EQ(request(std::string(64, 'X')).problem.status, 400);
  const std::string fits = "GET /" + std::string(kMaxTargetBytes - 1, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n";
  EXPECT_FALSE(request(fits).bad);
  EXPECT_EQ(request("GET /" + std::string(kMaxTargetBytes, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n").problem.status, 414);
}

TEST(RequestParser, BoundsFields) {
  std::string head = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (std::size_t i = 1; i < kMaxFields; ++i) head += "a:b\r\n";
  EXPECT_FALSE(request(head + "\r\n").bad);
  EXPECT_EQ(request(head + "a:b\r\n\r\n").problem.status, 431);
}

TEST(RequestParser, BoundsChunkLinesAndTrailers) {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_TRUE(request(head + "1;" + std::string(600, 'a') + "\r\nx\r\n0\r\n\r\n").bad);
  EXPECT_TRUE(request(head + "1;" + std::string(9000, 'a'), 100).bad);
  EXPECT_TRUE(request(head + "0\r\nA: " + std::string(9000, 'a'), 100).bad);
}

TEST(ResponseParser, FramesAnswers) {
  struct Case {
    std::string_view head;
    bool to_head;
    BodyFraming framing;
    bool keep_alive;
  };
  for (const Case& c : {
           Case{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, BodyFraming::kLength, true},
           Case{"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", false, BodyFraming::kChunked, true},
           Case{"HTTP/1.1 200 OK\r\n\r\n", false, BodyFraming::kUntilClose, false},
           Case{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, BodyFraming::kNone, true},
           Case{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", true, BodyFraming::kNone, true},
           Case{"HTTP/1.1 200 OK\r\n\r\n", true, BodyFraming::kNone, true},
           Case{"HTTP/1.1 304 \r\nContent-Length: 5\r\n\r\n", false, BodyFraming::kNone, true},
           Case{"HTTP/1.1 204 No\r\n\r\n", false, BodyFraming::kNone, true},
           Case{"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n", false, BodyFraming::kNone, false},
           Case{"HTTP/1.1 100 Continue\r\n\r\n", false, BodyFraming::kNone, true},
           Case{"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", false, BodyFraming::kLength, false},
           Case{"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n", false, BodyFraming::kLength,
                true},
       }) {
    ResponseParser parser;
    parser.reset(c.to_head);
    std::size_t used = 0;
    ASSERT_EQ(parser.next(c.head, used), ParseEvent::kHead) << c.head << parser.problem().what;
    EXPECT_EQ(parser.head().framing, c.framing) << c.head;
    EXPECT_EQ(parser.head().keep_alive, c.keep_alive) << c.head;
    if (c.framing == BodyFraming::kNone) EXPECT_EQ(parser.next({}, used), ParseEvent::kEnd) << c.head;
  }
}

TEST(ResponseParser, TakesAStatusLineWithoutReason) {
  for (const std::size_t step : {1UL, 5UL, 100UL}) {
    ResponseParser parser;
    parser.reset(false);
    const Story story = parse(parser, "HTTP/1.1 202\r\nContent-Length: 2\r\nA: b\r\n\r\nok", step);
    EXPECT_FALSE(story.bad) << story.problem.what;
    EXPECT_EQ(story.body, "ok");
    EXPECT_THAT(story.heads, ElementsAre("Content-Length=2;A=b;"));
    EXPECT_EQ(parser.head().status, 202);
    EXPECT_EQ(parser.head().reason, "");
  }
}

// A server's odd habits that leave no doubt about where its answer ends.
TEST(ResponseParser, TakesWhatIsOddButClear) {
  ResponseParser parser;
  parser.reset(false);
  std::size_t used = 0;
  ASSERT_EQ(parser.next("HTTP/1.1 200 OK\r\nConnection: keep-alive;x\r\nContent_Length: 7\r\nContent-Length: 2\r\n\r\n",
                        used),
            ParseEvent::kHead);
  EXPECT_FALSE(parser.head().keep_alive);
  EXPECT_EQ(parser.head().length, 2u);
}

// RFC 9112 5.1: a proxy removes it from an answer; in a request it is refused.
TEST(ResponseParser, RemovesWhiteSpaceBeforeAColon) {
  const std::string_view head = "HTTP/1.1 200 OK\r\nContent-Length : 2\r\nA \t: b\r\nMcp-Session-Id\t:s\r\n\r\nok";
  for (const std::size_t step : {1UL, 5UL, 100UL}) {
    const Story story = response(head, false, step);
    EXPECT_FALSE(story.bad) << story.problem.what;
    EXPECT_EQ(story.body, "ok");
    EXPECT_THAT(story.heads, ElementsAre("Content-Length=2;A=b;Mcp-Session-Id=s;"));
  }
  EXPECT_EQ(response("HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n").body, "ok");
}

TEST(ResponseParser, KeepsTheReason) {
  ResponseParser parser;
  parser.reset(false);
  std::size_t used = 0;
  ASSERT_EQ(parser.next("HTTP/1.1 404 Nicht gefunden \xe2\x98\x83\r\n\r\n", used), ParseEvent::kHead);
  EXPECT_EQ(parser.head().status, 404);
  EXPECT_EQ(parser.head().reason, "Nicht gefunden \xe2\x98\x83");
}

TEST(ResponseParser, InterimThenFinal) {
  const Story story = response("HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
  EXPECT_EQ(story.ends, 2);
  EXPECT_EQ(story.body, "x");
}

TEST(ResponseParser, EndOfStream) {
  struct Case {
    std::string_view bytes;
    ParseEvent end;
    bool head_done;
  };
  for (const Case& c : {
           Case{"", ParseEvent::kBad, false},
           Case{"HTTP/1.1 200 OK\r\nA: b\r\n", ParseEvent::kBad, false},
           Case{"HTTP/1.1 200 OK\r\n\r\nwhatever", ParseEvent::kEnd, true},
           Case{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nwhatever", ParseEvent::kBad, true},
           Case{"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nwhatever", ParseEvent::kEnd, true},
           Case{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", ParseEvent::kBad, true},
           Case{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", ParseEvent::kBad, true},
           Case{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", ParseEvent::kEnd, true},
       }) {
    ResponseParser parser;
    parser.reset(false);
    parse(parser, c.bytes, 3);
    EXPECT_EQ(parser.end_of_stream(), c.end) << c.bytes;
    EXPECT_EQ(parser.head_done(), c.head_done) << c.bytes;
  }
}

TEST(ResponseParser, BoundsItsHead) {
  EXPECT_TRUE(response("HTTP/1.1 200 " + std::string(kMaxTargetBytes, 'x')).bad);
  EXPECT_TRUE(response("HTTP/1.1 200 OK\r\nX: " + std::string(kMaxHeadBytes, 'x')).bad);
}

TEST(ResponseParser, RefusesWhatIsNoAnswer) {
  for (const std::string_view bytes : {"HTTP/2 200 OK\r\n\r\n",
                                       "HTTP/1.2 200 OK\r\n\r\n",
                                       "ICY 200 OK\r\n\r\n",
                                       "\r\nHTTP/1.1 200 OK\r\n\r\n",
                                       "SSH-2.0",
                                       "HTTP/1.1  200 OK\r\n\r\n",
                                       "HTTP/1.1 20 OK\r\n\r\n",
                                       "HTTP/1.1 2000 OK\r\n\r\n",
                                       "HTTP/1.1 099 OK\r\n\r\n",
                                       "HTTP/1.1 200 O\rK\r\n\r\n",
                                       "HTTP/1.1 200 OK\r\n : b\r\n\r\n",
                                       "HTTP/1.1 200 OK\r\nA b : c\r\n\r\n",
                                       "HTTP/1.1 200 OK\r\nA\x0b: b\r\n\r\n",
                                       "HTTP/1.1 200 OK\r\nContent-Length : 5\r\nContent-Length: 5\r\n\r\n",
                                       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding\t: chunked\r\n\r\n",
                                       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
                                       "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                                       "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
                                       "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                                       "HTTP/1.1 100 C\r\nContent-Length: 5\r\n\r\n",
                                       "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
                                       "HTTP/1.1 200 OK\nA: b\n\n"}) {
    EXPECT_TRUE(response(bytes).bad) << bytes;
    EXPECT_TRUE(response(bytes, false, 1).bad) << bytes;
  }
}

TEST(RequestParser, AHeadMayMove) {
  std::string text = "GET /a HTTP/1.1\r\nHost: h\r\nX-Empty:\r\n\r\n";
  RequestParser parser;
  std::size_t used = 0;
  ASSERT_EQ(parser.next(text, used), ParseEvent::kHead);
  const std::string copy = text;
  parser.head_moved(text.data(), copy.data());
  text.assign(text.size(), '?');
  EXPECT_EQ(parser.head().method, "GET");
  EXPECT_EQ(parser.head().target, "/a");
  ASSERT_EQ(parser.head().fields.size(), 2u);
  EXPECT_EQ(parser.head().value(FieldName::kHost), "h");
  EXPECT_EQ(parser.head().fields[1].name, "X-Empty");
  EXPECT_EQ(parser.head().fields[1].value, "");
}

}  // namespace
}  // namespace mcptrace::http
