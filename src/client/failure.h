// What libcurl calls a failure, as one of our steps and a clause. Pure.
#pragma once

#include <curl/curl.h>

#include <string>
#include <string_view>

#include "base/clock.h"
#include "client/client.h"

namespace mcptrace::client {

// How far it got, as libcurl's timers say.
enum class Phase { kWaiting, kConnecting, kTls, kExchange };

struct Broken {
  CURLcode code;
  Phase phase;
  std::string_view server;  // "host:port"
  std::string_view peer;    // whom we connect to: the server, or "the proxy host:port"
  std::string_view detail;  // libcurl's words, or errno's
};
Failure failure_of(const Broken& broken);
Failure late_failure(Phase phase, std::string_view server, std::string_view peer, Nanos after);

std::string duration_text(Nanos time);  // "10 s", "50 ms"

// Somebody else's words in a line of ours: printable ASCII, at most 200 bytes.
std::string tame(std::string_view words);

}  // namespace mcptrace::client
