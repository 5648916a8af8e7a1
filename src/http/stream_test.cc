#include "http/stream.h"

#include <gtest/gtest.h>

#include "http/testing.h"

namespace mcptrace::http {
namespace {

class StreamTest : public testing::Test {
 protected:
  StreamTest() { stream->listen(&signal); }
  // What happens is done with; was the listener told?
  bool poll() {
    io.restart();
    io.poll();
    return signal.take();
  }

  asio::io_context io;
  Signal signal;
  std::shared_ptr<FakeStream> stream = std::make_shared<FakeStream>(io);
};

TEST_F(StreamTest, WhatIsReadWaitsInOnePieceUntilItIsConsumed) {
  stream->read_more();
  EXPECT_FALSE(poll());
  stream->peer_sends("abc");
  EXPECT_TRUE(poll());
  EXPECT_EQ(stream->unread(), "abc");
  stream->consume(1);
  stream->read_more();
  stream->peer_sends("def");
  EXPECT_TRUE(poll());
  EXPECT_EQ(stream->unread(), "bcdef");
}

TEST_F(StreamTest, WhatIsLargerThanTheSmallBufferComesAlongAtOnce) {
  const std::string bytes(50'000, 'x');
  stream->read_more();
  stream->peer_sends(bytes);
  EXPECT_TRUE(poll());
  EXPECT_EQ(stream->unread(), bytes);
}

TEST_F(StreamTest, NoMoreIsReadThanMayWait) {
  stream->peer_sends(std::string(1 << 20, 'x'));
  for (const auto [room, most] :
       {std::pair(Stream::Room::kLittle, std::size_t{4096}), std::pair(Stream::Room::kMuch, Stream::kMaxUnread)}) {
    for (int i = 0; i < 100; ++i) {
      stream->read_more(room);
      poll();
    }
    EXPECT_EQ(stream->unread().size(), most);
  }
}

TEST_F(StreamTest, ReadingGoesOnWhereABufferIsConsumedInPieces) {
  std::string sent, got;
  for (int i = 0; i < 40'000; ++i) sent += std::to_string(i) + " ";
  stream->peer_sends(sent);
  for (std::size_t piece = 1; got.size() < sent.size(); piece = piece * 7 % 9973) {
    stream->read_more();
    poll();
    ASSERT_FALSE(stream->unread().empty());
    got += stream->unread().substr(0, piece);
    stream->consume(std::min(piece, stream->unread().size()));
  }
  EXPECT_EQ(got, sent);
}

TEST_F(StreamTest, HowThePeerEndsIsSeenBehindWhatItSent) {
  for (const StreamEnd end : {StreamEnd::kFinished, StreamEnd::kReset}) {
    stream = std::make_shared<FakeStream>(io);
    stream->peer_sends("last");
    stream->peer_ends(end);
    stream->read_more();
    poll();
    EXPECT_EQ(stream->unread(), "last");
    EXPECT_EQ(stream->read_end(), StreamEnd::kOpen);
    stream->read_more();
    poll();
    EXPECT_EQ(stream->read_end(), end);
  }
}

TEST_F(StreamTest, WhatThePeerDoesNotTakeWaitsInOrder) {
  stream->peer_takes(4);
  poll();
  stream->write("abc");
  EXPECT_FALSE(stream->blocked());
  stream->write("def");
  EXPECT_TRUE(stream->blocked());
  stream->write("ghi");
  EXPECT_EQ(stream->offer({}), 0u);
  EXPECT_FALSE(poll());
  EXPECT_EQ(stream->written(), "abcd");
  stream->peer_takes(3);
  EXPECT_FALSE(poll());
  stream->peer_takes(100);
  EXPECT_TRUE(poll());
  EXPECT_EQ(stream->written(), "abcdefghi");
  EXPECT_FALSE(stream->blocked());
}

TEST_F(StreamTest, WhatIsOfferedIsTheCallersUntilItIsTaken) {
  std::string bytes = "abcdef";
  const iovec piece{bytes.data(), bytes.size()};
  stream->peer_takes(4);
  EXPECT_EQ(stream->offer({&piece, 1}), 4u);
  EXPECT_FALSE(stream->blocked());
  stream->write("x");
  EXPECT_EQ(stream->offer({&piece, 1}), 0u);
}

TEST_F(StreamTest, TheEndIsWrittenBehindAllElse) {
  stream->peer_takes(0);
  stream->write("abc");
  stream->finish_writing();
  poll();
  EXPECT_EQ(stream->ended(), FakeStream::Ended::kNo);
  stream->peer_takes(100);
  poll();
  EXPECT_EQ(stream->written(), "abc");
  EXPECT_EQ(stream->ended(), FakeStream::Ended::kFinished);
}

TEST_F(StreamTest, WhatCannotBeWrittenIsGivenUp) {
  stream->peer_takes(0);
  stream->write("abc");
  stream->peer_ends(StreamEnd::kReset);
  EXPECT_TRUE(poll());
  EXPECT_TRUE(stream->write_failed());
  EXPECT_FALSE(stream->blocked());
  stream->write("def");
  EXPECT_EQ(stream->written(), "");
}

}  // namespace
}  // namespace mcptrace::http
