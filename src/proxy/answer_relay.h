// The answer's half of an exchange: from the server's bytes to the client's, each as it comes. Bodies are passed on
// byte for byte with their framing made anew; all that is ever changed is where the server names itself: the URI in the
// `endpoint` event of HTTP+SSE, and the fields of field_rewriter.h. Without waiting: whoever calls it waits. Relay
// thread only; one object a client connection, reused.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/message_parser.h"
#include "http/outgoing.h"
#include "http/stream.h"
#include "proxy/endpoint_rewriter.h"
#include "proxy/exchange_tap.h"
#include "proxy/field_rewriter.h"

namespace mcptrace::proxy {

class AnswerRelay {
 public:
  enum class State : std::uint8_t {
    kHead,  // the final head is still to come
    kBody,
    kDone,
    // Bad:
    kNonsense,        // not HTTP, or framed in a way that could be read in two; nothing has gone on
    kRefusedByProxy,  // the forward proxy wants credentials; nothing has gone on
    kBroken,          // nonsense behind what has gone on
  };

  explicit AnswerRelay(http::Stream& client) : client_(client) {}

  struct Asked {
    bool with_head = false;   // the request was HEAD
    bool http_10 = false;     // the client speaks HTTP/1.0
    bool keep_alive = false;  // the client wants to go on after this
    bool from_proxy = false;  // a 407 is a forward proxy's, meant for us
    FieldRewriter* fields = nullptr;
    EndpointRewriter* endpoint = nullptr;  // for the answer to a GET that may open an HTTP+SSE session
  };
  void begin(const Asked& asked);
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool is_bad() const { return state_ >= State::kNonsense; }
  [[nodiscard]] bool anything_sent() const {
    return state_ == State::kBody || state_ == State::kDone || state_ == State::kBroken;
  }
  [[nodiscard]] bool is_event_stream() const { return event_stream_; }

  // Passes on what the server has sent and the client takes.
  // `closing`: the client is told that this is the connection's last answer. `tap` may be null.
  void pump(http::Stream& server, ExchangeTap* tap, bool closing, const Clock& clock);
  // The server's connection ended: kDone if that is how the body ends, else it was cut.
  State end_of_stream();
  // The client's connection can be used for another answer.
  [[nodiscard]] bool client_can_go_on() const { return keeps_client_; }
  // The client takes its connection's end for the body's: an answer that was cut must not end so.
  [[nodiscard]] bool ends_with_connection() const { return framing_ == http::BodyFraming::kUntilClose; }
  // The server's connection can be used for another request; for how long it says it waits (zero: it does not say).
  [[nodiscard]] bool server_can_go_on() const { return keeps_server_; }
  [[nodiscard]] std::chrono::seconds server_waits() const { return server_waits_; }
  // With kNonsense: what is wrong with the head; one of a fixed set of texts.
  [[nodiscard]] std::string_view fault() const {
    return parser_.problem().what.empty() ? "an upgrade that nobody asked for" : parser_.problem().what;
  }
  // The WWW-Authenticate fields of a 401, joined by ", "; empty for every other answer.
  [[nodiscard]] const std::string& challenge() const { return challenge_; }

 private:
  // Of an `endpoint` event that may come.
  enum class Rewriting : std::uint8_t {
    kNo,
    kUnclear,  // the stream says that it is encoded, and may be plain
    kYes,
  };

  void take_head(bool closing);
  void add_body(bool end);
  void look_at_coding();
  void pass_held(bool end);

  http::Stream& client_;
  http::ResponseParser parser_;
  Asked asked_;
  State state_ = State::kDone;
  http::BodyFraming framing_ = http::BodyFraming::kNone;  // towards the client
  bool keeps_client_ = false, keeps_server_ = false, event_stream_ = false;
  Rewriting rewriting_ = Rewriting::kNo;
  std::chrono::seconds server_waits_{};
  std::string out_, rewritten_, challenge_, looked_at_;
  http::Outgoing outgoing_;
  std::vector<std::string_view> pieces_;
};

}  // namespace mcptrace::proxy
