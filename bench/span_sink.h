// A bare OTLP receiver, as a process of its own on another core than the first: answers everything with success, and
// counts requests, bytes and, decoded as far as that takes, spans. HTTP/1.1 with protobuf (plain, gzip, zstd) and gRPC
// without TLS, told apart by a connection's first bytes. It ends with its owner.
//
//   SpanSink sink;                // before the owner has threads
//   …send to 127.0.0.1:sink.port()…
//   const SinkCounts counts = sink.stop();
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "base/fd.h"

namespace mcptrace::bench {

struct SinkCounts {
  std::uint64_t requests = 0, bytes = 0, spans = 0;  // bytes: of bodies, as they came
  std::uint64_t bad = 0;                             // requests that could not be read
};

class SpanSink {
 public:
  // Fails the benchmark if there is no port or process to be had.
  SpanSink();
  ~SpanSink();
  SpanSink(const SpanSink&) = delete;
  SpanSink& operator=(const SpanSink&) = delete;

  [[nodiscard]] int port() const { return port_; }
  // Once; what came until now.
  SinkCounts stop();

 private:
  int port_ = 0;
  pid_t pid_ = -1;
  UniqueFd ask_, told_;
};

}  // namespace mcptrace::bench
