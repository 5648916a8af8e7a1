// One TCP connection, plain or TLS, as the relay sees it: bytes that came and were not yet taken, bytes that wait to be
// written, and how each direction ended. Never blocks, never throws; what happens fires the listener's signal.
//
// Relay thread only. Held by shared_ptr: an operation under way must outlive its starter.
//
//   stream->listen(&signal);
//   stream->read_more();                       // as long as there is room, one read is under way
//   …co_await signal.wait()…
//   while (!stream->unread().empty()) stream->consume(take(stream->unread()));
//   stream->write(pieces);                     // goes out at once if the socket takes it; else it waits here
//   if (stream->blocked()) …take nothing more from the other side until a signal says it is not…
#pragma once

#include <sys/uio.h>

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "http/async.h"
#include "http/read_buffers.h"

namespace mcptrace::http {

// How a direction of a connection ended.
enum class StreamEnd : std::uint8_t { kOpen, kFinished, kReset };

// What became of all that was written.
enum class Receipt : std::uint8_t {
  kUnclear,
  kTaken,  // the peer's system has taken it to its last byte
  kReset,  // nobody was there for it
};

class Stream : public std::enable_shared_from_this<Stream> {
 public:
  virtual ~Stream() = default;

  // Null: nobody. What happened meanwhile is seen by looking.
  void listen(Signal* signal) { signal_ = signal; }

  // What was read and not consumed; in one piece; stays where it is until read_more().
  [[nodiscard]] std::string_view unread() const { return {in_ + taken_, filled_ - taken_}; }
  void consume(std::size_t count) { taken_ += count; }
  // Has a read under way, unless the peer ended or as many bytes wait to be consumed as may: few, where who takes them
  // is blocked.
  enum class Room : std::uint8_t { kMuch, kLittle };
  void read_more(Room most = Room::kMuch);
  [[nodiscard]] StreamEnd read_end() const { return read_end_; }

  // What the socket takes at once, in bytes; the rest is the caller's.
  std::size_t offer(std::span<const iovec> pieces);
  // The pieces are written or copied when this returns.
  void write(std::span<const iovec> pieces);
  void write(std::string_view bytes) {
    const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
    write({&piece, 1});
  }
  [[nodiscard]] bool blocked() const { return sending_ < in_flight_.size() || !queued_.empty(); }
  // The peer takes nothing any more.
  [[nodiscard]] bool write_failed() const { return write_failed_; }
  // FIN (TLS: close_notify before it) once all is written.
  void finish_writing();
  // After that, of a peer that had finished before. It fires no signal: somebody has to look.
  [[nodiscard]] virtual Receipt receipt() = 0;

  // Closes: what waits to be written is given up; what the socket has taken still goes out.
  virtual void close() = 0;
  // Closes with a reset.
  virtual void abort() = 0;
  // Did the peer say something, or leave, while nobody looked? For idle connections.
  [[nodiscard]] virtual bool is_quiet() = 0;

  static constexpr std::size_t kMaxUnread = ReadBuffers::kBytes;  // above the limit of a head

 protected:
  explicit Stream(Executor executor);
  virtual void start_read(char* into, std::size_t size) = 0;  // then on_read()
  // What is there already, without waiting; 0 = nothing, or that will be seen by the next read.
  virtual std::size_t read_now(char* into, std::size_t size) = 0;
  virtual std::size_t write_now(std::span<const iovec> pieces) = 0;  // what the socket took; may set write_failed_
  virtual void start_flush(std::string_view bytes) = 0;              // then on_flushed()
  virtual void start_finish() = 0;
  void on_read(const error_code& error, std::size_t count);
  void on_flushed(bool failed, std::size_t count);
  void fire() {
    if (signal_ != nullptr) signal_->fire();
  }

  bool write_failed_ = false;
  bool closed_ = false;

 private:
  void flush();
  [[nodiscard]] std::size_t room() const { return large_ ? kMaxUnread : kSmallBytes; }
  bool enlarge();
  void use_small();

  // While nothing is there to be read, a connection has a small buffer, whatever came before; a large one is lent for
  // as long as there are more bytes than that.
  static constexpr std::size_t kSmallBytes = 4 << 10;

  Signal* signal_ = nullptr;
  ReadBuffers& buffers_;
  std::unique_ptr<char[]> small_;
  ReadBuffers::Buffer large_;
  char* in_ = nullptr;  // one of them
  std::size_t taken_ = 0, filled_ = 0;
  bool reading_ = false;
  Room most_ = Room::kMuch;
  bool more_ = false;  // the last read took all that there was room for
  StreamEnd read_end_ = StreamEnd::kOpen;
  std::string in_flight_, queued_;  // in_flight_ stays where it is while it is flushed
  std::size_t sending_ = 0;         // of in_flight_: gone
  bool flushing_ = false, finish_wanted_ = false, finished_ = false;
};

std::shared_ptr<Stream> make_plain_stream(Socket socket);

using TlsSocket = asio::ssl::stream<Socket>;
// After its handshake.
std::shared_ptr<Stream> make_tls_stream(std::unique_ptr<TlsSocket> socket);

// What every connection of ours is: non-blocking, without Nagle's delay, with TCP keep-alive.
void prepare(Socket& socket);

}  // namespace mcptrace::http
