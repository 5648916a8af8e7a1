// GET /-/ready, on a listener of its own: 200 while the proxy takes requests, 503 once it drains. Whoever asks, by
// whatever name (an orchestrator uses the address): it tells nothing else. Relay thread only.
#pragma once

#include "http/handler.h"

namespace mcptrace::proxy {

class Ready final : public http::Handler {
 public:
  // References must outlive this.
  Ready(http::Stream& client, const bool& draining) : client_(client), draining_(draining) {}

  http::Async<http::After> run(http::RequestParser& parser, std::size_t head_size, Instant first_byte) override;
  void drain() override {}
  void stop() override {}

 private:
  http::Stream& client_;
  const bool& draining_;
};

}  // namespace mcptrace::proxy
