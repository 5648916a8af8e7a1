// GET /-/ready on a listener of its own: 200 while the proxy takes requests, 503 once it drains. Relay thread only.
#pragma once

#include "http/context.h"

namespace mcptrace::http {

class ReadyListener {
 public:
  ReadyListener(Context& context, Acceptor acceptor);
  void start();
  void stop();
  [[nodiscard]] std::uint16_t port() const;

 private:
  static constexpr unsigned kMaxAtOnce = 16;

  Async<> accept();
  Async<> answer(Socket socket);

  Context& context_;
  Acceptor acceptor_;
  unsigned answering_ = 0;
};

}  // namespace mcptrace::http
