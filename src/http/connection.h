// One client's connection: its requests, one after the other, each for the handler; what is no request is answered
// here. Relay thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "http/context.h"

namespace mcptrace::http {

class Connection {
 public:
  Connection(Context& context, std::shared_ptr<Stream> client, const asio::ip::tcp::endpoint& peer);

  // Until the connection is over.
  Async<> run();

  // These two may end run(), and so this, before they return.
  // The server is ending: no further request after the present one.
  void drain();
  // At once.
  void stop();
  // Since when it has been waiting for a request; the far future while it is not.
  [[nodiscard]] Nanos idle_since() const;
  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  enum class Stage : std::uint8_t { kWaiting, kReadingHead, kHandling, kLeaving };

  enum class Look : std::uint8_t { kMore, kRequest, kRefused, kOver };
  void await_request();
  Look look_for_request();
  void refuse(int status, std::string_view reason);
  Async<> leave();

  Context& context_;
  std::shared_ptr<Stream> client_;
  std::string address_;
  Signal signal_;
  Deadline deadline_;
  RequestParser parser_;
  std::unique_ptr<Handler> handler_;
  Stage stage_ = Stage::kWaiting;
  std::size_t head_size_ = 0;
  std::uint64_t served_ = 0;
  Instant first_byte_;
  Nanos waiting_since_{};
  bool stopped_ = false;
};

}  // namespace mcptrace::http
