// One request and its answer, relayed: to the server and back, each side's leaving passed on to the other at once.
// Nothing is retried, repaired, compressed or delayed, but a request's body of at most 1 MiB that trace context may go
// into.
//
// One object a client connection, reused for its exchanges. Relay thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/answer_relay.h"
#include "proxy/context.h"
#include "proxy/request_relay.h"

namespace mcptrace::proxy {

class Exchange final : public http::Handler {
 public:
  // `signal` is fired by everything that an exchange waits for. References must outlive this.
  Exchange(Context& context, http::Stream& client, http::Signal& signal, http::PeerAddress peer);
  ~Exchange() override;

  http::Async<http::After> run(http::RequestParser& parser, std::size_t head_size, Instant first_byte) override;
  // A stream from a server of the legacy era to its client is not waited for; but one that was asked to go on after an
  // event may bring the answer of a call.
  void drain() override;
  void stop() override;

 private:
  enum class Stage : std::uint8_t {
    kIdle,        // none is under way
    kHolding,     // the request's body is being collected
    kConnecting,  // to the server
    kRelaying,
    kParting,  // the answer is whole; is the client, whose side had ended, there for it?
  };

  // An answer of our own, to a request that does not go on.
  void refuse(int status, std::string_view reason);
  void begin(http::RequestParser& parser, std::size_t head_size, Instant first_byte);
  bool admit();
  void keep_view();
  void hold_body();
  void reach_server();
  void send_request();
  void relay();
  void note_leaving();
  void look_at_client();
  void look_at_server();
  void part(ExchangeEnd how, std::string_view error_type);
  void look_at_receipt();
  void before_waiting();
  void after_waiting();
  void tell_status(int status);
  void fail(int status, std::string_view reason, std::string_view error_type);
  [[nodiscard]] http::After cut() const {
    return answer_.ends_with_connection() ? http::After::kReset : http::After::kClose;
  }
  void end(http::After after, ExchangeEnd how, std::string_view error_type);
  void end(http::After after, ExchangeEnd how, std::string_view error_type, Instant at);
  void let_server_go(http::After after, ExchangeEnd how);
  void hint_about_challenge();

  Context& context_;
  http::Stream& client_;
  http::Signal& signal_;
  http::PeerAddress peer_;
  bool trusts_peer_;  // of how it was called
  http::Deadline deadline_;
  std::unique_ptr<ExchangeTap> tap_;  // null: not traced
  RequestRelay request_;
  AnswerRelay answer_;
  EndpointRewriter endpoint_;
  FieldRewriter fields_;
  std::unique_ptr<Connecting> connecting_;
  std::shared_ptr<http::Stream> server_;
  std::string target_, host_, own_host_;  // own_host_: the client's Host field, once it has passed
  std::string called_host_, called_target_;
  ClientView client_view_;
  std::size_t route_ = 0;
  Stage stage_ = Stage::kIdle;
  http::After after_ = http::After::kReuse;
  Nanos body_waited_{}, waiting_since_{};  // for what the client owes of its body
  std::optional<Instant> client_left_;     // when its side ended; it may wait for the answer
  bool end_went_on_ = false;               // and the server was told
  struct Parting {
    ExchangeEnd how = ExchangeEnd::kClientLeft;  // if the client is there
    std::string_view error_type{};
    Instant since{};
  };
  Parting parting_;
  bool head_only_ = false, session_stream_ = false;
};

}  // namespace mcptrace::proxy
