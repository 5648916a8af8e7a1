// What all connections of one listener share. Relay thread only.
#pragma once

#include <chrono>

#include "base/clock.h"
#include "http/handler.h"

namespace mcptrace::http {

// For a request's head, and before it for a TLS handshake.
inline constexpr std::chrono::seconds kHeadTime{10};

struct Context {
  asio::io_context& io;
  const Clock& clock;
  MakeHandler make_handler;
  bool draining = false;  // connections end with their present request
};

}  // namespace mcptrace::http
