#include "client/response_reader.h"

#include <gmock/gmock.h>

#include <string>

namespace mcptrace::client {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

bool feed(ResponseReader& reader, std::initializer_list<std::string_view> lines) {
  for (const std::string_view line : lines) {
    if (!reader.on_line(std::string(line) + "\r\n")) return false;
  }
  return true;
}

TEST(ResponseReader, TellsHeadBodyAndTrailersApart) {
  ResponseReader reader(100);
  ASSERT_TRUE(feed(reader, {"HTTP/1.1 200 OK", "Content-Type:  a/b ", "X:", ""}));
  ASSERT_TRUE(reader.on_body("body"));
  ASSERT_TRUE(feed(reader, {"Grpc-Status: 0", ""}));
  EXPECT_EQ(reader.response().status, 200);
  EXPECT_EQ(reader.response().body, "body");
  EXPECT_THAT(reader.response().headers, ElementsAre(Pair("content-type", "a/b"), Pair("x", "")));
  EXPECT_THAT(reader.response().trailers, ElementsAre(Pair("grpc-status", "0")));
}

TEST(ResponseReader, WhatComesBeforeTheHeadIsPassedOver) {
  ResponseReader reader(100);
  ASSERT_TRUE(feed(reader, {"HTTP/1.1 100 Continue", "early: 1", ""}));
  EXPECT_FALSE(reader.has_head());
  ASSERT_TRUE(feed(reader, {"HTTP/2 404 ", "late: 1", ""}));
  EXPECT_TRUE(reader.has_head());
  EXPECT_EQ(reader.response().status, 404);
  EXPECT_THAT(reader.response().headers, ElementsAre(Pair("late", "1")));
}

TEST(ResponseReader, LinesThatAreNoFieldsSayNothing) {
  ResponseReader reader(100);
  ASSERT_TRUE(feed(reader, {"HTTP/1.1 x", "nothing", " folded: 1", ": 1", ""}));
  EXPECT_FALSE(reader.has_head());
  EXPECT_THAT(reader.response().headers, IsEmpty());
}

TEST(ResponseReader, ABodyHasABound) {
  ResponseReader reader(4);
  EXPECT_TRUE(reader.on_body("1234"));
  EXPECT_TRUE(reader.on_body(""));
  EXPECT_FALSE(reader.is_too_large());
  EXPECT_FALSE(reader.on_body("5"));
  EXPECT_TRUE(reader.is_too_large());
  EXPECT_LE(reader.response().body.capacity(), 16u);
}

TEST(ResponseReader, SoHaveHeadAndTrailers) {
  ResponseReader reader(4);
  ASSERT_TRUE(feed(reader, {"HTTP/1.1 200 OK", ""}));
  int lines = 0;
  while (lines < 100'000 && reader.on_line("a: b\r\n")) ++lines;
  EXPECT_LT(lines, 20'000);
  EXPECT_TRUE(reader.is_too_large());
}

}  // namespace
}  // namespace mcptrace::client
