#include "proxy/endpoint_rewriter.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <string>

namespace mcptrace::proxy {
namespace {

RouteTable table(std::string_view text) { return *RouteTable::make({*parse_route(text)}); }

std::string rewrite(EndpointRewriter& rewriter, std::string_view stream, std::size_t step) {
  std::string out;
  for (std::size_t at = 0; at < stream.size(); at += step) rewriter.feed(stream.substr(at, step), out);
  rewriter.finish(out);
  return out;
}

// However it is cut.
void expect_rewritten(std::string_view stream, std::string_view expected) {
  const RouteTable routes = table("/a=http://up:3001");
  for (std::size_t step = 1; step <= stream.size() + 1; step = step < 64 ? step + 1 : step * 2) {
    EndpointRewriter rewriter;
    rewriter.begin(routes, 0, {.scheme = "http", .host = "localhost:8080"});
    EXPECT_EQ(rewrite(rewriter, stream, step), expected) << step;
    EXPECT_FALSE(rewriter.unreachable());
  }
}

TEST(EndpointRewriter, RewritesTheFirstEventOnly) {
  expect_rewritten("event: endpoint\ndata: /message?id=1\n\nevent: endpoint\ndata: /message?id=2\n\n",
                   "event: endpoint\ndata: /a/message?id=1\n\nevent: endpoint\ndata: /message?id=2\n\n");
}

TEST(EndpointRewriter, KeepsEveryOtherByte) {
  expect_rewritten("data:/m\nevent:endpoint\n\n", "data:/a/m\nevent:endpoint\n\n");
  expect_rewritten("event: endpoint\r\ndata: /m\r\n\r\ndata: x\r\n\r\n",
                   "event: endpoint\r\ndata: /a/m\r\n\r\ndata: x\r\n\r\n");
  expect_rewritten("event: endpoint\rdata: /m\r\rdata: x\r\r", "event: endpoint\rdata: /a/m\r\rdata: x\r\r");
  expect_rewritten(
      "\xef\xbb\xbf"
      "event: endpoint\ndata: /m\n\n",
      "\xef\xbb\xbf"
      "event: endpoint\ndata: /a/m\n\n");
  expect_rewritten(": hello\n\n\r\r\n:\nid: 1\nretry: 10\nevent: endpoint\nx\n:c\ndata: /m\nid: 2\n\n:\n",
                   ": hello\n\n\r\r\n:\nid: 1\nretry: 10\nevent: endpoint\nx\n:c\ndata: /a/m\nid: 2\n\n:\n");
  expect_rewritten("event: ping\n\nevent: endpoint\ndata: /m\n\n", "event: ping\n\nevent: endpoint\ndata: /a/m\n\n");
  expect_rewritten("event: x\nevent: endpoint\ndata: /m\n\n", "event: x\nevent: endpoint\ndata: /a/m\n\n");
}

// What cannot be in an `endpoint` event's one data line waits for nothing.
TEST(EndpointRewriter, HoldsNothingThatCannotChange) {
  const RouteTable routes = table("/a=http://up:3001");
  for (const std::string_view stream : {"{}", "event: mess", ": ping", "event: message\ndata: [1", "data: {\"jsonrpc\"",
                                        "data: /m\ndata: ", "\xef\xbb\xbf:", "id: 7", "database", "\x1f\x8b\x08"}) {
    EndpointRewriter rewriter;
    rewriter.begin(routes, 0, {.scheme = "http", .host = "localhost:8080"});
    std::string out;
    for (const char c : stream) rewriter.feed({&c, 1}, out);
    EXPECT_EQ(out, stream);
  }
}

TEST(EndpointRewriter, LeavesOtherStreamsAlone) {
  for (const std::string stream :
       {"", "data: /m\n\n", "data: {}\n\nevent: endpoint\ndata: /m\n\n", "event: message\ndata: {}\n\n",
        "event: endpoint\n\n", "event: endpoint\ndata: /m\ndata: /n\n\n", "event: endpoint\ndata: /m\n",
        "event: endpoint\ndata: /m", "event : endpoint\ndata: /m\n\n", "Event: endpoint\ndata: /m\n\n",
        "event: endpoint \ndata: /m\n\n", "event: endpoint\ndata\n\n", "event: endpoint\ndata: \n\n", "<html>\n\n",
        "event: endpoint\ndata: https://other.example/m\n\n", "id\n\n\n\n",
        " \xef\xbb\xbf"
        "event: endpoint\n\n"}) {
    expect_rewritten(stream, stream);
  }
}

TEST(EndpointRewriter, HoldsNoMoreThanItMust) {
  const RouteTable routes = table("/a=http://up");
  EndpointRewriter rewriter;
  std::string out;
  const auto given = [&](std::string_view bytes) {
    out.clear();
    rewriter.feed(bytes, out);
    return out;
  };
  rewriter.begin(routes, 0, {.scheme = "http", .host = "h"});
  EXPECT_EQ(given(": comment\n\n"), ": comment\n\n");
  EXPECT_EQ(given("event: endpoint\nda"), "event: endpoint\n");
  EXPECT_EQ(given("ta: /m"), "");
  EXPECT_EQ(given("\n"), "");
  EXPECT_EQ(given("\ndata: x"), "data: /a/m\n\ndata: x");
  EXPECT_TRUE(rewriter.done());
  EXPECT_EQ(given("y"), "y");

  rewriter.begin(routes, 0, {.scheme = "http", .host = "h"});
  EXPECT_FALSE(rewriter.done());
  EXPECT_EQ(given("event: message\ndata"), "event: message\n");
  EXPECT_EQ(given(": {"), "data: {") << "before the line is complete";
  EXPECT_TRUE(rewriter.done());
}

TEST(EndpointRewriter, GivesUpAfterItsBound) {
  const RouteTable routes = table("/a=http://up");
  const std::string value(kMaxHeldBytes - 7, 'x');
  const auto out_of = [&](const std::string& stream, std::size_t step) {
    EndpointRewriter rewriter;
    rewriter.begin(routes, 0, {.scheme = "http", .host = "h"});
    std::string out, largest_wait;
    std::size_t fed = 0;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      rewriter.feed(std::string_view(stream).substr(at, step), out);
      fed = std::min(at + step, stream.size());
      EXPECT_LE(fed - std::min(fed, out.size()), kMaxHeldBytes);
    }
    rewriter.finish(out);
    return out;
  };
  for (const std::size_t step : {1UL, 1000UL, 1UL << 20}) {
    // Just small enough, and just too large. What was passed before does not count.
    const std::string before(20000, ':');
    const std::string event = "data:/" + value.substr(16) + "\nevent:endpoint\n";
    EXPECT_EQ(event.size(), kMaxHeldBytes - 1);
    EXPECT_THAT(out_of(event + "\n", step), testing::StartsWith("data:/a/xx"));
    const std::string larger = "data:/" + value.substr(14) + "\nevent:endpoint\n\n";
    EXPECT_EQ(out_of(larger, step), larger);
    EXPECT_THAT(out_of(":\n\n:" + before.substr(0, 5000) + "\n:" + before.substr(0, 5000) + "\n" + event + "\n", step),
                testing::HasSubstr("data:/a/xx"));
    EXPECT_EQ(out_of(before + "\n" + event + "\n", step), before + "\n" + event + "\n");
  }
}

}  // namespace
}  // namespace mcptrace::proxy
