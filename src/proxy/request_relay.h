// The request's half of an exchange: from the client's bytes to the server's, held for injection or passed on as it
// comes. Without waiting: whoever calls it waits. Relay thread only; one object a client connection, reused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/message_parser.h"
#include "http/outgoing.h"
#include "http/stream.h"
#include "proxy/exchange_tap.h"

namespace mcptrace::proxy {

// Where the request goes, and as what.
struct Destination {
  std::string_view target;
  std::string_view host;  // the Host field's value
  std::string_view proxy_authorization = {};
  bool close = false;  // the connection's last request
};

class RequestRelay {
 public:
  enum class State : std::uint8_t {
    kHolding,    // the body is being collected; nothing has gone on
    kWhole,      // the body is here; nothing has gone on
    kSending,    // ... and the server has not taken all of it yet
    kStreaming,  // it goes on as it comes; nothing, or the beginning, has gone on
    kDone,       // all of it has gone on
    kBad,        // the body's framing is broken: parser().problem()
  };

  // `budget`: for what is held; null where nothing ever is.
  RequestRelay(http::Stream& client, http::HoldBudget* budget) : client_(client), budget_(budget) {}

  // `parser` has a head, whose bytes are the first `head_size` of the client's unread ones, and outlives the exchange.
  void begin(http::RequestParser& parser, std::size_t head_size);
  void hold() { state_ = State::kHolding; }
  [[nodiscard]] const http::RequestHead& head() const { return parser_->head(); }
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] std::uint64_t received() const { return received_; }

  // kHolding: takes what the client has sent; becomes kWhole, kStreaming (too large, or no room to hold it) or kBad, or
  // stays.
  void collect();
  // The client's bytes may move from here on: keeps what is still needed of them.
  void let_go();
  // Shows what was held to the tap, which says what is to go in. Before there is a server to send it to: a request that
  // never reaches one is traced, too.
  void show(ExchangeTap& tap, Instant at);
  // Sends the head, and what there is of the body.
  void send(http::Stream& server, const Destination& destination);
  // The exchange is over: nothing of it is held any longer.
  void forget();
  // kSending, kStreaming: passes on what is held, or what the client has sent, and the server takes.
  void pump(http::Stream& server, ExchangeTap* tap, Instant at);

 private:
  void write_head(const Destination& destination, std::uint64_t length);
  void collect_piece(std::string_view piece);
  void add_spliced(const mcp::Edits& edits);
  void cut_portion(std::size_t most);
  void advance(std::size_t count);
  bool pass_held(http::Stream& server);
  void pass_pieces(http::Stream& server, ExchangeTap* tap, Instant at);
  void finish_taking();
  void finish();

  http::Stream& client_;
  http::HoldBudget* budget_;
  http::RequestParser* parser_ = nullptr;
  State state_ = State::kDone;
  std::size_t head_size_ = 0;
  std::size_t position_ = 0;  // of the client's unread bytes: parsed, not yet consumed
  std::uint64_t received_ = 0;
  std::string head_copy_, out_;
  http::HeldBytes held_;
  mcp::NotInjected not_held_ = mcp::NotInjected::kNone;
  std::string_view body_;  // kWhole; before that the only piece so far, if held_ is empty
  // Of outgoing_, while it is passed on in portions: the piece that comes next, and what of it is gone.
  std::size_t next_ = 0, gone_ = 0;
  std::vector<iovec> portion_;
  Rewrite rewrite_;
  http::Outgoing outgoing_;
  std::vector<std::string_view> pieces_;
};

}  // namespace mcptrace::proxy
