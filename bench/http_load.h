// What the HTTP benchmarks send, and what they measure of it: calls at a fixed rate, events on SSE streams, streams on
// which nothing happens. All of it to a port of this machine that speaks as http_upstream does. One thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "http_client.h"

namespace mcptrace::bench {

// `count` sessions, each after its handshake.
std::vector<std::string> open_sessions(std::uint16_t port, std::size_t count);

// Calls of 1 KiB in open loop, over `connections` connections in turn, a session each: call n is due n / `rate` seconds
// after the start, whatever became of those before. Microseconds from the moment when each was due to its whole answer.
std::vector<double> call_at_rate(std::uint16_t port, std::size_t connections, std::size_t rate, std::size_t calls);

// `streams` SSE streams, GET and POST in turn, with `rate` events a second each: microseconds from an event's writing
// to its reading, of all events that came within `time`.
std::vector<double> event_delays(std::uint16_t port, std::size_t streams, std::size_t rate, std::chrono::seconds time);

// Streams with one event each, in a session each, which then stay.
class IdleStreams {
 public:
  explicit IdleStreams(std::uint16_t port) : port_(port) {}
  void open(std::size_t count);

 private:
  std::uint16_t port_;
  std::vector<std::unique_ptr<Connection>> streams_;
};

}  // namespace mcptrace::bench
