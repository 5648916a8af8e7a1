#include "mcp/counted_framer.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "mcp/recording_test_support.h"
#include "mcp/server_framer.h"

namespace mcptrace::mcp {
namespace {

std::string frame(std::string_view body, std::string_view end = "\r\n") {
  return "Content-Length: " + std::to_string(body.size()) + std::string(end) + std::string(end) + std::string(body);
}

constexpr std::string_view kList = R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})";
constexpr std::string_view kPretty = "{\n \"jsonrpc\": \"2.0\",\n \"id\": 2, \"method\": \"ping\"\n}";

// What a server's stream gives, read in pieces of this size.
Recording read(std::string_view bytes, std::size_t piece = 1 << 20, bool* counted = nullptr) {
  ServerFramer framer(test_key());
  Recording sink;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    framer.passed(bytes.substr(at, piece));
    sink.take(framer);
  }
  framer.end();
  sink.take(framer);
  if (counted != nullptr) *counted = framer.is_counted();
  return sink;
}

TEST(CountedFramer, BodiesAreMessagesHoweverTheBytesCome) {
  const std::string bytes =
      frame(kList) + frame(kPretty, "\n") +
      "content-type: application/vscode-jsonrpc; charset=utf-8; and more than fits in the line\r\n"
      "CONTENT-LENGTH:2 \r\n\r\n{}" +
      frame("") + frame(kList);
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    bool counted = false;
    const Recording sink = read(bytes, piece, &counted);
    EXPECT_TRUE(counted);
    ASSERT_EQ(sink.messages.size(), 4u) << piece;
    EXPECT_EQ(sink.messages[0].message.method, Method::kToolsList);
    EXPECT_EQ(sink.messages[0].message.bytes, frame(kList).size());
    EXPECT_EQ(sink.messages[1].message.method, Method::kPing);
    EXPECT_EQ(sink.messages[2].message.kind, MessageKind::kNotMessage);
    EXPECT_EQ(sink.messages[3].message.method, Method::kToolsList);
    for (const Recorded& message : sink.messages) EXPECT_TRUE(message.message.has(kCounted));
  }
}

TEST(CountedFramer, OnlyTheBeginningOfTheStreamTells) {
  for (const std::string_view bytes :
       {"Content-Lengths: 5\n", "Content-Type\n", "Content \n", " Content-Length: 46\n", "\nContent-Length: 46\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\nContent-Length: 2\n\n{}\n", "Content-Leng\n"}) {
    for (const std::size_t piece : {1u, 5u, 1000u}) {
      bool counted = true;
      read(bytes, piece, &counted);
      EXPECT_FALSE(counted) << bytes;
    }
  }
  bool counted = false;
  read("Content-Type: x\r\nContent-Length: 2\r\n\r\n{}", 3, &counted);
  EXPECT_TRUE(counted);
}

TEST(CountedFramer, WhatWasTakenForALineIsALineAgain) {
  const Recording sink = read("Content-Leng\n" + std::string(kList) + "\n", 4);
  ASSERT_EQ(sink.messages.size(), 2u);
  EXPECT_EQ(sink.messages[0].message.kind, MessageKind::kNotJson);
  EXPECT_EQ(sink.messages[0].message.bytes, 13u);
  EXPECT_FALSE(sink.messages[1].message.has(kCounted));
}

TEST(CountedFramer, WhatCannotBeFollowedIsPassedOver) {
  const std::string long_head = "Content-Length: 2\r\n" + std::string(9000, 'x') + ": y\r\n\r\n{}";
  for (const std::string& bytes :
       {std::string("Content-Length: x\r\n\r\n{}"), std::string("Content-Length: 2x\r\n\r\n{}"),
        std::string("Content-Length: -2\r\n\r\n{}"), std::string("Content-Length: 99999999999999999999999\r\n\r\n{}"),
        std::string("Content-Length:\r\n\r\n{}"), std::string("Content-Type: x\r\n\r\n{}"),
        std::string("Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
        std::string("Content-Length: 2\r\nnoise\r\n\r\n{}"), long_head}) {
    for (const std::size_t piece : {1u, 7u, 100000u}) {
      const Recording sink = read(bytes + frame(kList), piece);
      EXPECT_TRUE(sink.messages.empty()) << bytes.substr(0, 40);
    }
  }
  // A body that is cut is no message.
  EXPECT_TRUE(read("Content-Length: 99\r\n\r\n{}").messages.empty());
  // And one that is no JSON is one that is none.
  const Recording sink = read(frame("<html>") + frame(kList));
  ASSERT_EQ(sink.messages.size(), 2u);
  EXPECT_EQ(sink.messages[0].message.kind, MessageKind::kNotJson);
}

}  // namespace
}  // namespace mcptrace::mcp
