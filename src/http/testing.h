// A stream without a socket, for tests: what its peer does, and what has come to it. As with a socket, nothing happens
// before the io_context runs.
//
//   const auto client = std::make_shared<FakeStream>(io);
//   client->peer_sends("GET / HTTP/1.1\r\n…");
//   io.poll();
//   EXPECT_EQ(client->take_written(), "HTTP/1.1 200 OK\r\n…");
#pragma once

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "http/stream.h"

namespace mcptrace::http {

class FakeStream final : public Stream {
 public:
  explicit FakeStream(asio::io_context& io) : Stream(io.get_executor()), io_(io) {}

  void peer_sends(std::string_view bytes) {
    sent_ += bytes;
    go_on_later();
  }
  // Behind what it has sent. After a reset it takes nothing any more.
  void peer_ends(StreamEnd how) {
    sent_end_ = how;
    go_on_later();
  }
  // So many bytes from here on, and then none.
  void peer_takes(std::size_t bytes) {
    room_ = bytes;
    go_on_later();
  }

  // What the peer has sent and nobody has read.
  [[nodiscard]] std::size_t unsent() const { return sent_.size(); }
  [[nodiscard]] const std::string& written() const { return written_; }
  std::string take_written() { return std::exchange(written_, {}); }
  enum class Ended : std::uint8_t { kNo, kFinished, kClosed, kAborted };
  [[nodiscard]] Ended ended() const { return ended_; }
  // Of what is written to a peer that has finished.
  void peer_receives(Receipt receipt) { receipt_ = receipt; }

  Receipt receipt() override { return receipt_; }
  void close() override { end(Ended::kClosed); }
  void abort() override { end(Ended::kAborted); }
  bool is_quiet() override {
    return read_end() == StreamEnd::kOpen && unread().empty() && sent_.empty() && sent_end_ == StreamEnd::kOpen;
  }

 protected:
  void start_read(char* into, std::size_t size) override {
    into_ = {into, size};
    go_on_later();
  }
  std::size_t read_now(char* into, std::size_t size) override {
    const std::size_t count = sent_.copy(into, size);
    sent_.erase(0, count);
    return count;
  }
  std::size_t write_now(std::span<const iovec> pieces) override {
    write_failed_ = sent_end_ == StreamEnd::kReset;
    std::size_t taken = 0;
    for (const iovec& piece : pieces) taken += take({static_cast<const char*>(piece.iov_base), piece.iov_len});
    return taken;
  }
  void start_flush(std::string_view bytes) override {
    flushing_ = bytes;
    go_on_later();
  }
  void start_finish() override { ended_ = Ended::kFinished; }

 private:
  void end(Ended how) {
    closed_ = true;
    ended_ = how;
    go_on_later();
  }
  std::size_t take(std::string_view bytes) {
    const std::size_t count = write_failed_ ? 0 : std::min(bytes.size(), room_);
    written_ += bytes.substr(0, count);
    room_ -= count;
    return count;
  }
  void go_on_later() {
    asio::post(io_, [self = std::static_pointer_cast<FakeStream>(shared_from_this())] { self->go_on(); });
  }
  void go_on() {
    const bool broken = closed_ || sent_end_ == StreamEnd::kReset;
    if (!flushing_.empty() && (broken || room_ != 0)) {
      const std::string_view bytes = std::exchange(flushing_, {});
      on_flushed(broken, broken ? 0 : take(bytes));
    }
    if (!into_.empty() && (closed_ || !sent_.empty() || sent_end_ != StreamEnd::kOpen)) {
      const std::span<char> into = std::exchange(into_, {});
      const std::size_t count = closed_ ? 0 : read_now(into.data(), into.size());
      error_code error;
      if (count == 0) error = closed_ ? asio::error::operation_aborted : asio::error::connection_reset;
      if (count == 0 && !closed_ && sent_end_ == StreamEnd::kFinished) error = asio::error::eof;
      on_read(error, count);
    }
  }

  asio::io_context& io_;
  std::string sent_, written_;
  StreamEnd sent_end_ = StreamEnd::kOpen;
  std::size_t room_ = std::numeric_limits<std::size_t>::max();
  std::span<char> into_;       // of the read that is under way
  std::string_view flushing_;  // of the write that is
  Receipt receipt_ = Receipt::kTaken;
  Ended ended_ = Ended::kNo;
};

}  // namespace mcptrace::http
