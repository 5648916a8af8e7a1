// The client's end of the HTTP benchmarks: a connection to a port of this machine, one exchange at a time, and a reader
// of what comes back. Written apart from src/http, so that nothing here shares what it measures. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace mcptrace::bench {

// An HTTP/1.1 response out of a byte stream: Content-Length, chunked, or no body. What is neither is a failure
// (fail()).
class ResponseReader {
 public:
  // Takes bytes. True once the response is complete; nothing may follow it.
  bool feed(std::string_view bytes);
  void reset() { *this = {}; }

  [[nodiscard]] bool has_head() const { return state_ != State::kHead; }
  [[nodiscard]] int status() const { return status_; }
  // "" if there is none; any case.
  [[nodiscard]] std::string header(std::string_view name) const;
  // What came so far, free of framing; may be taken away.
  std::string& body() { return body_; }

 private:
  enum class State { kHead, kLength, kChunkSize, kChunkData, kChunkEnd, kTrailer, kDone };
  void start_body();
  bool take_line(std::string& line);
  bool take_left();

  State state_ = State::kHead;
  std::string raw_, head_, body_;
  std::size_t left_ = 0;
  int status_ = 0;
};

class Connection {
 public:
  // Connects; the socket does not block.
  explicit Connection(std::uint16_t port);

  [[nodiscard]] int fd() const { return fd_.get(); }
  // Sends all of a request that fits the socket's buffer, as ours do. A new exchange begins.
  void send(std::string_view request);
  // Reads once. True when the response is complete. Fails when the peer closes.
  bool receive();
  // One exchange from end to end, within 10 s.
  ResponseReader& exchange(std::string_view request);
  ResponseReader& response() { return response_; }

 private:
  UniqueFd fd_;
  ResponseReader response_;
};

// Requests. `session`: Mcp-Session-Id, "" for none.
std::string post(std::uint16_t port, std::string_view target, std::string_view session, std::string_view body);
std::string get(std::uint16_t port, std::string_view target, std::string_view session);
// A tools/call whose body has `size` bytes.
std::string tool_call(std::uint64_t id, std::size_t size);

// The handshake; the session's id.
std::string initialize(Connection& connection, std::uint16_t port);

}  // namespace mcptrace::bench
