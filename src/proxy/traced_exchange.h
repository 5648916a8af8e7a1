// One client connection's tap: turns what passes of each exchange into facts (tracing.h). Made by Tracing; called by
// the relay in the order that exchange_tap.h says.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/content_decoder.h"
#include "proxy/exchange_tap.h"
#include "proxy/traced_head.h"
#include "proxy/tracing_shared.h"

namespace mcptrace::proxy {

class TracedExchange final : public ExchangeTap {
 public:
  explicit TracedExchange(TracingShared& shared) : shared_(shared) {}
  ~TracedExchange() override;

  void begin(const http::RequestHead& head, std::string_view target, std::size_t route, const http::PeerAddress& client,
             Instant first_byte) override;
  [[nodiscard]] BodyWish body_wish() const override { return wish_; }
  Rewrite whole_body(std::string_view body, Instant at) override;
  void not_held(mcp::NotInjected why) override;
  void body_piece(std::string_view bytes) override;
  void body_end(Instant at) override;
  void leads_away() override { findings_ |= mcp::finding_bit(mcp::Finding::kForeignRedirect); }
  void endpoint_leads_away() override { findings_ |= mcp::finding_bit(mcp::Finding::kForeignEndpoint); }
  void bad_head(std::string_view why) override {
    findings_ |= mcp::finding_bit(mcp::Finding::kBadAnswerHead);
    http_.reason = why;
  }
  void client_left(Instant at) override { http_.left = at.boot; }
  void response(const http::ResponseHead& head, Instant at) override;
  void response_piece(std::string_view bytes, Instant at) override;
  void end(ExchangeEnd how, std::string_view error_type, Instant at) override;

  // It is not traced any further. Then only end_lost(), at its end, which allocates nothing.
  void lose();
  void end_lost(ExchangeEnd how, std::string_view error_type, Instant at);

 private:
  enum class Answer : std::uint8_t {
    kNothing,  // is not read
    kJson,
    kEvents,
    kUntyped,  // JSON, if it looks so
  };

  void take(mcp::MessageScanner& scanner);
  void on_found(const mcp::Found& found);
  void on_declared(std::span<const mcp::DeclaredTool> tools);
  void on_event(const mcp::SseEvent& event);

  void read_caller();
  void choose_wish(const http::RequestHead& head);
  void feed_request(std::string_view bytes);
  void finish_request(bool whole);

  void know();
  void look_for_mcp(std::string_view body);
  void on_client_message(mcp::Message& message, const mcp::SpliceMap* map);
  void on_server_message(mcp::Message& message);
  mcp::NotInjected judge(const mcp::Message& message, const mcp::SpliceMap* map) const;
  void take_place(const observe::HttpPlacement::Placed& placed);
  void note_sent(const mcp::Message& message, mcp::NotInjected how);
  mcp::Findings learn(const mcp::Message& message);
  void inject(const mcp::SpliceMap& map, const mcp::Injection& injection);
  void hold_initialize(const mcp::Message& message, const mcp::SpliceMap* map);
  void release_initialize(bool failed);

  void look_at_body(std::string_view bytes);
  void feed_answer(std::string_view bytes);
  void feed_encoded(std::string_view bytes);
  void note_plain(bool plain);
  void note_undecodable(const Error& error);
  void begin_http();
  void set_endpoint(std::string_view uri);
  void keep_session_only();
  void refresh_session();
  std::uint64_t event_print(std::uint64_t id) const;
  void note_end(ExchangeEnd how, std::string_view error_type, Instant at);
  void end_answer(ExchangeEnd how);
  // `ends`: and the exchange is over.
  void push(mcp::FactHead& fact, const mcp::Message& message, bool ends = false);
  void push_bare(mcp::FactKind kind, bool ends = false);
  void release();

  TracingShared& shared_;

  // The request. Strings of `caller_` lie in head_, and in endpoint_.
  KeptHead head_;
  observe::HttpCaller caller_;
  BodyWish wish_ = BodyWish::kNothing;
  mcp::NotInjected not_injected_ = mcp::NotInjected::kNone;  // why this body cannot be changed
  bool request_done_ = true;
  mcp::RequestId asked_;  // of the request whose answer says what the server accepts
  bool known_ = false;    // MCP is spoken on this stream (docs/spans.md)
  std::uint64_t request_bytes_ = 0;
  std::unique_ptr<mcp::MessageScanner> request_scanner_;
  std::unique_ptr<http::ContentDecoder> request_decoder_;
  Instant now_;

  // What it came to.
  mcp::HttpFact http_;
  mcp::CallContext context_;  // of its session
  observe::HttpPlacement::Handle stretch_;
  std::uint64_t scope_ = 0;                               // of an explicit transport session; 0: none
  std::uint32_t messages_ = 0, spans_ = 0, waiting_ = 0;  // JSON-RPC messages; those with spans; requests
  bool began_ = false;                                    // the observer knows of it
  mcp::Edits edits_;
  std::string traceparent_, tracestate_;
  Rewrite rewrite_;
  std::vector<std::uint64_t> held_;  // an initialize that waits for its answer, packed
  observe::HttpPlacement::Placed held_place_;

  // The answer.
  Answer answer_ = Answer::kNothing;
  std::string answer_session_;
  std::unique_ptr<mcp::MessageScanner> scanner_;
  std::unique_ptr<mcp::SseFramer> framer_;
  std::unique_ptr<http::ContentDecoder> decoder_;
  std::uint64_t answer_bytes_ = 0;
  mcp::Findings findings_ = 0;  // not told yet
  std::uint64_t last_event_ = 0;
  bool message_in_event_ = false;
  bool misnamed_ = false;  // a body is plain, whatever it says
  bool mistyped_ = false;  // the answer is JSON, whatever it says
  bool ending_ = false, end_told_ = false;
  mcp::HttpEnd end_ = mcp::HttpEnd::kOpen;
  std::string endpoint_, endpoint_target_;
};

}  // namespace mcptrace::proxy
