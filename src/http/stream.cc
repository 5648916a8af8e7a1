#include "http/stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <cerrno>
#include <cstring>

namespace mcptrace::http {
namespace {

std::size_t size_of(std::span<const iovec> pieces) {
  std::size_t size = 0;
  for (const iovec& piece : pieces) size += piece.iov_len;
  return size;
}

// Everything but the first `count` bytes.
void append_rest(std::span<const iovec> pieces, std::size_t count, std::string& to) {
  for (const iovec& piece : pieces) {
    const std::size_t skipped = std::min(count, piece.iov_len);
    count -= skipped;
    to.append(static_cast<const char*>(piece.iov_base) + skipped, piece.iov_len - skipped);
  }
}

// sendmsg(2) until it is all gone or the socket takes no more. Nothing: broken.
std::optional<std::size_t> send_some(int fd, std::span<const iovec> pieces) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces.data());
  message.msg_iovlen = std::min<std::size_t>(pieces.size(), 1024);
  for (;;) {
    const ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return static_cast<std::size_t>(sent);
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
    return std::nullopt;
  }
}

}  // namespace

Stream::Stream(Executor executor)
    : buffers_(asio::use_service<ReadBuffers>(executor.context())), small_(new char[kSmallBytes]), in_(small_.get()) {}

void Stream::use_small() {
  in_ = small_.get();
  large_.reset();
}

// What is unread moves along. False: there is no memory.
bool Stream::enlarge() {
  if (large_) return true;
  large_ = buffers_.lend();
  if (!large_) return false;
  filled_ -= taken_;
  std::memcpy(large_.get(), in_ + taken_, filled_);
  taken_ = 0;
  in_ = large_.get();
  return true;
}

void Stream::read_more(Room most) {
  most_ = most;
  if (reading_ || closed_ || read_end_ != StreamEnd::kOpen) return;
  if (taken_ == filled_) {
    taken_ = filled_ = 0;
    if (!more_) use_small();
  }
  if (filled_ - taken_ >= kMaxUnread) return;
  if (most_ == Room::kMuch && (more_ || filled_ == room())) enlarge();
  if (taken_ != 0 && filled_ + kSmallBytes / 4 > room()) {
    std::memmove(in_, in_ + taken_, filled_ - taken_);
    filled_ -= taken_;
    taken_ = 0;
  }
  if (filled_ == room()) return;
  reading_ = true;
  start_read(in_ + filled_, room() - filled_);
}

void Stream::on_read(const error_code& error, std::size_t count) {
  reading_ = false;
  filled_ += count;
  more_ = !error && filled_ == room();
  // What did not fit into the small buffer comes along at once: messages are mostly whole then.
  if (more_ && most_ == Room::kMuch && !large_ && enlarge()) {
    filled_ += read_now(in_ + filled_, room() - filled_);
    more_ = filled_ == room();
  }
  if (error) {
    // TLS without close_notify may have been cut by anybody: that is no clean end.
    read_end_ = error == asio::error::eof ? StreamEnd::kFinished : StreamEnd::kReset;
  }
  fire();
}

std::size_t Stream::offer(std::span<const iovec> pieces) {
  return write_failed_ || closed_ || blocked() ? 0 : write_now(pieces);
}

void Stream::write(std::span<const iovec> pieces) {
  if (write_failed_ || closed_) return;
  std::size_t gone = 0;
  if (!blocked()) {
    gone = write_now(pieces);
    if (write_failed_ || gone == size_of(pieces)) return;
  }
  append_rest(pieces, gone, queued_);
  flush();
}

void Stream::flush() {
  if (flushing_ || closed_) return;
  if (sending_ == in_flight_.size()) {
    in_flight_.clear();
    sending_ = 0;
    std::swap(in_flight_, queued_);
  }
  if (in_flight_.empty()) {
    in_flight_.shrink_to_fit();
    queued_.shrink_to_fit();
    if (finish_wanted_ && !finished_) {
      finished_ = true;
      start_finish();
    }
    return;
  }
  flushing_ = true;
  start_flush(std::string_view(in_flight_).substr(sending_));
}

void Stream::on_flushed(bool failed, std::size_t count) {
  flushing_ = false;
  sending_ += count;
  if (failed) write_failed_ = true;
  if (write_failed_) {
    in_flight_.clear();
    queued_.clear();
    sending_ = 0;
  } else {
    flush();
  }
  if (!blocked()) fire();
}

void Stream::finish_writing() {
  finish_wanted_ = true;
  if (!blocked() && !write_failed_) flush();
}

void prepare(Socket& socket) {
  error_code ignored;
  socket.native_non_blocking(true, ignored);
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
}

namespace {

void close_socket(Socket& socket, bool reset) {
  error_code ignored;
  if (reset) socket.set_option(asio::socket_base::linger(true, 0), ignored);
  socket.close(ignored);
}

bool nothing_to_read(Socket& socket) {
  char byte = 0;
  const ssize_t got = recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

// Both sides have finished: the connection is gone once the peer's system has taken our last byte, and by an error if
// it refused it.
Receipt receipt_of(Socket& socket) {
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(socket.native_handle(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
    return Receipt::kReset;
  }
  tcp_info info{};
  size = sizeof(info);
  if (getsockopt(socket.native_handle(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return Receipt::kUnclear;
  return info.tcpi_state == TCP_CLOSE ? Receipt::kTaken : Receipt::kUnclear;
}

class PlainStream final : public Stream {
 public:
  explicit PlainStream(Socket socket) : Stream(socket.get_executor()), socket_(std::move(socket)) {}
  void close() override { end(false); }
  void abort() override { end(true); }
  bool is_quiet() override { return read_end() == StreamEnd::kOpen && unread().empty() && nothing_to_read(socket_); }
  Receipt receipt() override { return write_failed_ ? Receipt::kReset : receipt_of(socket_); }

 protected:
  void start_read(char* into, std::size_t size) override {
    socket_.async_read_some(asio::buffer(into, size), [self = self()](const error_code& error, std::size_t count) {
      self->on_read(error, count);
    });
  }
  std::size_t read_now(char* into, std::size_t size) override {
    return static_cast<std::size_t>(std::max<ssize_t>(recv(socket_.native_handle(), into, size, MSG_DONTWAIT), 0));
  }
  std::size_t write_now(std::span<const iovec> pieces) override {
    const auto sent = send_some(socket_.native_handle(), pieces);
    write_failed_ = !sent;
    return sent.value_or(0);
  }
  void start_flush(std::string_view bytes) override {
    socket_.async_wait(Socket::wait_write, [self = self(), bytes](const error_code& error) {
      const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
      const auto sent = error ? std::nullopt : send_some(self->socket_.native_handle(), {&piece, 1});
      self->on_flushed(!sent, sent.value_or(0));
    });
  }
  void start_finish() override {
    error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
  }

 private:
  std::shared_ptr<PlainStream> self() { return std::static_pointer_cast<PlainStream>(shared_from_this()); }
  void end(bool reset) {
    closed_ = true;
    close_socket(socket_, reset);
  }
  Socket socket_;
};

class TlsStream final : public Stream {
 public:
  explicit TlsStream(std::unique_ptr<TlsSocket> tls) : Stream(tls->get_executor()), tls_(std::move(tls)) {}
  void close() override { end(false); }
  void abort() override { end(true); }
  // Beyond the socket, bytes may have been decrypted already; an idle connection always has a read under way, which
  // would have told. A session ticket makes it look noisy: then it is not used again, no harm.
  bool is_quiet() override { return read_end() == StreamEnd::kOpen && unread().empty() && nothing_to_read(socket()); }
  Receipt receipt() override { return write_failed_ ? Receipt::kReset : receipt_of(socket()); }

 protected:
  void start_read(char* into, std::size_t size) override {
    tls_->async_read_some(asio::buffer(into, size),
                          [self = self()](const error_code& error, std::size_t count) { self->on_read(error, count); });
  }
  std::size_t read_now(char*, std::size_t) override { return 0; }
  std::size_t write_now(std::span<const iovec>) override { return 0; }
  void start_flush(std::string_view bytes) override {
    tls_->async_write_some(asio::buffer(bytes.data(), bytes.size()),
                           [self = self()](const error_code& error, std::size_t count) {
                             self->on_flushed(static_cast<bool>(error), count);
                           });
  }
  // For TLS the end of one direction is the end of both: a peer that has sent close_notify is not expected to read on.
  void start_finish() override {
    tls_->async_shutdown([self = self()](const error_code&) {
      error_code ignored;
      if (!self->closed_) self->socket().shutdown(Socket::shutdown_send, ignored);
    });
  }

 private:
  std::shared_ptr<TlsStream> self() { return std::static_pointer_cast<TlsStream>(shared_from_this()); }
  Socket& socket() { return tls_->next_layer(); }
  void end(bool reset) {
    closed_ = true;
    close_socket(socket(), reset);
  }
  std::unique_ptr<TlsSocket> tls_;
};

}  // namespace

std::shared_ptr<Stream> make_plain_stream(Socket socket) { return std::make_shared<PlainStream>(std::move(socket)); }

std::shared_ptr<Stream> make_tls_stream(std::unique_ptr<TlsSocket> socket) {
  return std::make_shared<TlsStream>(std::move(socket));
}

}  // namespace mcptrace::http
