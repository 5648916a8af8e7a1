#include "mcp/client_framer.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/page_buffer.h"
#include "mcp/recording_test_support.h"
#include "mcp/server_framer.h"
#include "mcp/testing.h"

namespace mcptrace::mcp {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";

// Injects into everything it may, with a state that changes, and keeps what it was asked.
struct TestDecider {
  void take(ClientFramer& framer) {
    while (const Message* message = framer.next()) {
      kinds.push_back(message->kind);
      reasons.push_back(framer.may());
      bytes += message->bytes;
      if (framer.may() == NotInjected::kNone) ++injected;
      const std::string state = "n=" + std::to_string(kinds.size());
      if (willing) framer.inject({kParent, kinds.size() % 3 == 0 ? std::string_view() : state});
    }
  }

  bool willing = true;
  std::vector<MessageKind> kinds;
  std::vector<NotInjected> reasons;
  std::uint64_t bytes = 0;
  std::size_t injected = 0;
};

// A framer with its relay: what came out, and the checks that every relay may rely on.
class Pipe {
 public:
  explicit Pipe(bool inject) : framer(test_key(), inject), inject_(inject) {}

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::span<char> room = framer.room();
      ASSERT_FALSE(room.empty());
      const std::size_t size = std::min(room.size(), bytes.size());
      std::memcpy(room.data(), bytes.data(), size);
      in += size;
      arrived(size);
      bytes.remove_prefix(size);
      drain();
    }
  }
  void arrived(std::size_t size) {
    framer.arrived(size, now);
    decider.take(framer);
  }
  void drain() {
    while (!framer.ready().empty()) {
      ASSERT_LE(framer.ready().size(), 1000u);
      for (const iovec& piece : framer.ready()) {
        ASSERT_GT(piece.iov_len, 0u);
        out.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
      }
      framer.sent();
      decider.take(framer);
    }
    if (const auto deadline = framer.deadline()) {
      EXPECT_TRUE(inject_);
      EXPECT_LE(*deadline, now.boot + kHoldTime);
      EXPECT_GT(*deadline, now.boot);
    }
  }
  void pass_time(Nanos time) {
    now.boot += time;
    if (framer.deadline() && *framer.deadline() <= now.boot) framer.on_time(now);
    decider.take(framer);
    drain();
  }
  void end() {
    framer.end(now);
    decider.take(framer);
    drain();
  }

  TestDecider decider;
  ClientFramer framer;
  Instant now{Nanos(5), Nanos(1000)};
  std::string out;
  std::size_t in = 0;

 private:
  bool inject_;
};

constexpr std::string_view kPing = R"({"id":1,"method":"ping"})"
                                   "\n";
constexpr std::string_view kInjected =
    R"({"id":1,"method":"ping","params":{"_meta":{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03",)"
    R"("tracestate":"n=1"}}})"
    "\n";

// Else the kernel may take three times as long to fill it (base/page_buffer.h).
TEST(ClientFramer, WhatIsReadGoesToTheBeginningOfAPage) {
  Pipe pipe(true);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(pipe.framer.room().data()) % kPageBytes, 0u);
    pipe.write("{\"method\":\"ping\",\"jsonrpc\":\"2.0\",\"id\":1}\n");
  }
}

TEST(ClientFramer, ALineThatComesWholeIsInjectedAtOnce) {
  Pipe pipe(true);
  pipe.write(kPing);
  EXPECT_EQ(pipe.out, kInjected);
  EXPECT_FALSE(pipe.framer.deadline().has_value());
  EXPECT_EQ(pipe.decider.bytes, kPing.size());
}

TEST(ClientFramer, ALineThatComesInPiecesIsHeldUntilItIsWhole) {
  for (std::size_t cut = 1; cut < kPing.size(); ++cut) {
    Pipe pipe(true);
    pipe.write(kPing.substr(0, cut));
    EXPECT_EQ(pipe.out, "");
    EXPECT_EQ(pipe.framer.deadline(), pipe.now.boot + kHoldTime);
    pipe.pass_time(milliseconds(19));
    pipe.write(kPing.substr(cut));
    EXPECT_EQ(pipe.out, kInjected);
  }
}

TEST(ClientFramer, NothingIsHeldForLongerThanTwentyMilliseconds) {
  Pipe pipe(true);
  pipe.write(kPing.substr(0, 10));
  pipe.pass_time(milliseconds(12));
  pipe.write(kPing.substr(10, 3));
  EXPECT_EQ(pipe.out, "");
  pipe.pass_time(milliseconds(8));
  EXPECT_EQ(pipe.out, kPing.substr(0, 13));
  pipe.write(kPing.substr(13, 4));
  EXPECT_EQ(pipe.out, kPing.substr(0, 17));
  pipe.write(kPing.substr(17));
  EXPECT_EQ(pipe.out, kPing);
  ASSERT_EQ(pipe.decider.reasons.size(), 1u);
  EXPECT_EQ(pipe.decider.reasons[0], NotInjected::kTooSlow);
  pipe.write(kPing);
  EXPECT_EQ(pipe.decider.reasons.back(), NotInjected::kNone);
}

TEST(ClientFramer, TheHoldBeginsWithTheLinesOwnFirstByte) {
  Pipe pipe(true);
  pipe.write(kPing.substr(0, 5));
  pipe.pass_time(milliseconds(15));
  pipe.write(std::string(kPing.substr(5)) + "{");
  EXPECT_EQ(pipe.framer.deadline(), pipe.now.boot + kHoldTime);
}

TEST(ClientFramer, NoMoreThanAMebibyteIsHeld) {
  Pipe pipe(true);
  const std::string head = R"({"id":1,"method":"ping","params":{"a":")";
  pipe.write(head + std::string(kHoldBytes - head.size() - 1, 'x'));
  EXPECT_EQ(pipe.out, "");
  pipe.write("x");
  EXPECT_EQ(pipe.out.size(), kHoldBytes);
  pipe.write(std::string(3 << 20, 'y'));
  EXPECT_EQ(pipe.out.size(), pipe.in);
  pipe.write("\"}}\n");
  EXPECT_EQ(pipe.out.size(), pipe.in);
  ASSERT_EQ(pipe.decider.reasons.size(), 1u);
  EXPECT_EQ(pipe.decider.kinds[0], MessageKind::kRequest);
  EXPECT_EQ(pipe.decider.reasons[0], NotInjected::kTooLarge);
  EXPECT_EQ(pipe.decider.bytes, pipe.in);
  pipe.write(kPing);
  EXPECT_EQ(pipe.decider.reasons.back(), NotInjected::kNone);
}

TEST(ClientFramer, ABigLinesMemoryIsGivenBack) {
  Pipe pipe(true);
  constexpr std::uintptr_t kPage = 4096;
  const auto buffer = reinterpret_cast<std::uintptr_t>(pipe.framer.room().data());
  void* const page = reinterpret_cast<void*>((buffer + (768 << 10)) & ~(kPage - 1));
  unsigned char resident = 0;
  pipe.write("\"" + std::string(kHoldBytes - 100, 'x'));
  ASSERT_EQ(mincore(page, kPage, &resident), 0);
  EXPECT_EQ(resident & 1, 1);
  pipe.write("\"\n");
  pipe.framer.room();
  ASSERT_EQ(mincore(page, kPage, &resident), 0);
  EXPECT_EQ(resident & 1, 0);
}

TEST(ClientFramer, ALineOfExactlyAMebibyteIsInjected) {
  for (const std::size_t size : {kHoldBytes, kHoldBytes + 1}) {
    Pipe pipe(true);
    std::string line = R"({"id":1,"method":"ping","params":{"a":")";
    line += std::string(size - line.size() - 4, 'x') + "\"}}\n";
    pipe.write(line);
    ASSERT_EQ(pipe.decider.reasons.size(), 1u);
    EXPECT_EQ(pipe.decider.reasons[0], size == kHoldBytes ? NotInjected::kNone : NotInjected::kTooLarge);
    EXPECT_EQ(pipe.out.size() > pipe.in, size == kHoldBytes);
  }
}

TEST(ClientFramer, WithoutInjectionNothingIsHeldAndNothingChanges) {
  Pipe pipe(false);
  const std::string text = std::string(kPing) + R"({"id":2,"method":"tools/call","params":{"name":"a"}})"
                                                "\n{\"part";
  for (const char byte : text) {
    pipe.write({&byte, 1});
    ASSERT_EQ(pipe.out.size(), pipe.in);
    ASSERT_FALSE(pipe.framer.deadline().has_value());
  }
  EXPECT_EQ(pipe.out, text);
  EXPECT_EQ(pipe.decider.reasons, (std::vector{NotInjected::kOff, NotInjected::kOff}));
  pipe.end();
  EXPECT_EQ(pipe.decider.kinds.back(), MessageKind::kNotJson);
}

TEST(ClientFramer, OneReadOfManyLinesIsOneWrite) {
  Pipe pipe(false);
  std::string text;
  for (int i = 0; i < 50; ++i) text += kPing;
  std::memcpy(pipe.framer.room().data(), text.data(), text.size());
  pipe.arrived(text.size());
  ASSERT_EQ(pipe.framer.ready().size(), 1u);
  EXPECT_EQ(pipe.framer.ready()[0].iov_len, text.size());
  EXPECT_EQ(pipe.decider.kinds.size(), 50u);
}

TEST(ClientFramer, LinesThatAreNotInjectedShareAPiece) {
  Pipe pipe(true);
  const std::string text = R"({"id":1,"result":{}})"
                           "\nnoise\n"
                           R"({"method":"notifications/initialized"})"
                           "\n";
  std::memcpy(pipe.framer.room().data(), text.data(), text.size());
  pipe.arrived(text.size());
  ASSERT_EQ(pipe.framer.ready().size(), 1u);
  EXPECT_EQ(pipe.decider.reasons,
            (std::vector{NotInjected::kNotRequest, NotInjected::kBadShape, NotInjected::kNotRequest}));
}

TEST(ClientFramer, AFullListGoesOnAfterItWasSent) {
  Pipe pipe(true);
  std::string text, expected;
  while (text.size() + kPing.size() + 5 < (64u << 10)) text += kPing;
  text += "{\"id\"";
  pipe.write(text);
  EXPECT_EQ(pipe.decider.injected, text.size() / kPing.size());
  EXPECT_TRUE(pipe.framer.deadline().has_value());
  pipe.write(":2}\n");
  EXPECT_TRUE(pipe.out.ends_with("{\"id\":2}\n"));
  EXPECT_FALSE(pipe.framer.deadline().has_value());
}

TEST(ClientFramer, AFullListAtTheEndOfFileLosesNothing) {
  Pipe pipe(true);
  std::string text;
  while (text.size() + kPing.size() < (64u << 10)) text += kPing;
  text.pop_back();
  const std::span<char> room = pipe.framer.room();
  ASSERT_GE(room.size(), text.size());
  std::memcpy(room.data(), text.data(), text.size());
  pipe.arrived(text.size());
  pipe.end();
  EXPECT_EQ(pipe.decider.injected, (text.size() + 1) / kPing.size());
  EXPECT_TRUE(pipe.out.ends_with("\"}}}"));
}

TEST(ClientFramer, TheLastLineNeedsNoNewline) {
  Pipe pipe(true);
  pipe.write(kPing.substr(0, kPing.size() - 1));
  EXPECT_EQ(pipe.out, "");
  pipe.end();
  EXPECT_EQ(pipe.out + "\n", kInjected);
  Pipe broken(true);
  broken.write("{\"id\":");
  broken.end();
  EXPECT_EQ(broken.out, "{\"id\":");
  EXPECT_EQ(broken.decider.kinds, std::vector{MessageKind::kNotJson});
}

TEST(ClientFramer, OddLinesGoOnAsTheyAre) {
  constexpr std::string_view kLines[] = {
      {"\0\n", 2},
      "\n",
      "\r\n",
      "\xef\xbb\xbf{\"id\":1,\"method\":\"ping\"}\n",
      "[{\"id\":1,\"method\":\"ping\"}]\n",
      "{\n",
      "{\"id\":1,\"method\":\"ping\",\"params\":null}\n",
      "{\"id\":1,\"method\":\"ping\",\"method\":\"x\"}\n",
  };
  for (const std::string_view line : kLines) {
    Pipe pipe(true);
    pipe.write(line);
    EXPECT_EQ(pipe.out, line);
    EXPECT_EQ(pipe.decider.injected, 0u);
  }
}

TEST(ClientFramer, CarriageReturnsStayWithTheLine) {
  Pipe pipe(true);
  pipe.write("{\"id\":1,\"method\":\"ping\"}\r\n");
  EXPECT_TRUE(pipe.out.ends_with("}}}\r\n")) << pipe.out;
}

TEST(ClientFramer, AnUnwillingDeciderLeavesTheLineAlone) {
  Pipe pipe(true);
  pipe.decider.willing = false;
  pipe.write(kPing);
  EXPECT_EQ(pipe.out, kPing);
}

TEST(ClientFramer, TheDeciderIsAskedBeforeTheNewlineIsReady) {
  Pipe pipe(false);
  std::memcpy(pipe.framer.room().data(), kPing.data(), kPing.size());
  pipe.arrived(kPing.size() - 1);
  pipe.drain();
  EXPECT_TRUE(pipe.decider.kinds.empty());
  pipe.framer.room()[0] = '\n';
  pipe.arrived(1);
  EXPECT_EQ(pipe.decider.kinds.size(), 1u);
}

// The model: what the lines of a stream come to when each is spliced by itself.
std::string random_line(std::mt19937& random) {
  static const std::vector<std::string> kLines = {
      std::string(kPing),
      R"({"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"n","arguments":{"x":"\"\\"},"_meta":{"progressToken":1}}})"
      "\n",
      R"({"id":3,"method":"x","params":{"_meta":{"tracestate":"a=b","traceparent":"old"}}})"
      "\n",
      R"({"method":"notifications/cancelled","params":{"requestId":1}})"
      "\n",
      R"({"method":"notifications/cancelled","params":{"_meta":{},"requestId":1}})"
      "\r\n",
      "[{\"id\":1,\"method\":\"ping\"},{\"method\":\"x\"}]\n",
      R"({"id":1,"result":{"tools":[{"name":"x"}]}})"
      "\n",
      "\n",
      "\r\n",
      "noise [\n",
      "{\"id\":1,\"method\":\"ping\"\n",
      "\xff\xfe\n",
      "{\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"" + std::string(3000, 'z') + "\"}}\n"};
  return kLines[random() % kLines.size()];
}

TEST(ClientFramerModel, CuttingAndTimeNeverMatterToTheBytes) {
  for (unsigned seed = 0; seed < 150; ++seed) {
    std::mt19937 random(seed);
    std::string text;
    for (std::size_t i = random() % 60; i > 0; --i) text += random_line(random);
    if (seed % 2 == 0 && !text.empty()) text.pop_back();
    Pipe whole(true), pieces(true), plain(false), slow(true);
    whole.write(text), whole.end();
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = std::min<std::size_t>(1 + random() % (seed % 5 == 0 ? 3000 : 40), text.size() - at);
      const auto piece = std::string_view(text).substr(at, size);
      pieces.write(piece);
      plain.write(piece);
      ASSERT_EQ(plain.out.size(), plain.in);
      slow.write(piece);
      slow.pass_time(milliseconds(random() % 15));
      at += size;
    }
    pieces.end(), plain.end(), slow.end();
    EXPECT_EQ(pieces.out, whole.out);
    EXPECT_EQ(pieces.decider.kinds, whole.decider.kinds);
    EXPECT_EQ(pieces.decider.reasons, whole.decider.reasons);
    EXPECT_EQ(plain.out, text);
    EXPECT_EQ(plain.decider.kinds, whole.decider.kinds);
    EXPECT_EQ(slow.decider.kinds, whole.decider.kinds);
    EXPECT_EQ(slow.decider.bytes, whole.decider.bytes);
  }
}

// With one line at a time the framer's bytes are those of plan_splice() and apply().
TEST(ClientFramerModel, TheBytesAreThoseOfTheSplice) {
  std::mt19937 random(11);
  for (int i = 0; i < 300; ++i) {
    const std::string line = random_line(random);
    Pipe pipe(true);
    pipe.write(line);
    Recording sink = scan_line(std::string_view(line).substr(0, line.size() - 1));
    std::string expected = line;
    if (sink.messages.size() == 1 && sink.messages[0].map &&
        may_inject(sink.messages[0].message, *sink.messages[0].map) == NotInjected::kNone) {
      Edits edits;
      plan_splice(*sink.messages[0].map, {kParent, "n=1"}, edits);
      expected = mcp::apply(line, edits);
    }
    EXPECT_EQ(pipe.out, expected);
  }
}

TEST(ServerFramer, GivesTheMessagesOfAStreamHoweverItIsCut) {
  std::mt19937 random(3);
  std::string text;
  for (int i = 0; i < 200; ++i) text += random_line(random);
  text += R"({"id":9,"result":{}})";
  Recording whole;
  ServerFramer framer(test_key());
  framer.passed(text);
  whole.take(framer);
  const std::size_t before = whole.messages.size();
  for (int i = 0; i < 2; ++i) {
    framer.end();
    whole.take(framer);
  }
  EXPECT_EQ(whole.messages.size(), before + 1);
  for (const std::size_t size : {1u, 7u, 64u, 4096u}) {
    Recording cut;
    ServerFramer pieces(test_key());
    for (std::size_t at = 0; at < text.size(); at += size) {
      const std::string piece = text.substr(at, size);
      pieces.passed(piece);
      cut.take(pieces);
    }
    pieces.end();
    cut.take(pieces);
    EXPECT_EQ(cut.log, whole.log);
  }
}

TEST(ClientFramer, AStreamFramedByContentLengthGoesOnAtOnceAndAsItCame) {
  const std::string frame = "Content-Length: 46\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}";
  for (const std::size_t piece : {1u, 3u, 14u, 16u, 1000u}) {
    Pipe pipe(true);
    std::string in;
    for (int i = 0; i < 3; ++i) in += frame;
    for (std::size_t at = 0; at < in.size(); at += piece) {
      pipe.write(std::string_view(in).substr(at, piece));
      // Once it is known, nothing waits.
      if (at + piece > 15) EXPECT_EQ(pipe.out, in.substr(0, at + piece)) << piece;
    }
    pipe.end();
    EXPECT_EQ(pipe.out, in);
    EXPECT_EQ(pipe.decider.injected, 0u);
    EXPECT_EQ(pipe.decider.bytes, in.size());
    EXPECT_EQ(pipe.decider.reasons, std::vector(3, NotInjected::kFraming));
  }
}

TEST(ClientFramer, WhereTheServerCountsNothingIsInjected) {
  Pipe pipe(true);
  const std::string line = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}\n";
  pipe.write(line);
  EXPECT_EQ(pipe.decider.injected, 1u);
  pipe.framer.stop_injecting(NotInjected::kFraming);
  pipe.out.clear();
  pipe.write(line.substr(0, 20));
  EXPECT_EQ(pipe.out, line.substr(0, 20));
  pipe.write(line.substr(20));
  EXPECT_EQ(pipe.out, line);
  EXPECT_EQ(pipe.decider.reasons.back(), NotInjected::kFraming);
}

}  // namespace
}  // namespace mcptrace::mcp
