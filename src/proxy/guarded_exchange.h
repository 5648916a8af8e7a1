// Keeps want of memory from the relay: an exchange in which it is felt is not traced any further, and counted. Whatever
// was to be changed in it goes on as it is.
#pragma once

#include <new>
#include <utility>

#include "proxy/traced_exchange.h"

namespace mcptrace::proxy {

class GuardedExchange final : public ExchangeTap {
 public:
  explicit GuardedExchange(TracingShared& shared) : shared_(shared), traced_(shared) {}

  void begin(const http::RequestHead& head, std::string_view target, std::size_t route, const http::PeerAddress& client,
             Instant first_byte) override {
    lost_ = false;
    at_ = first_byte;
    guard([&] { traced_.begin(head, target, route, client, first_byte); });
  }
  [[nodiscard]] BodyWish body_wish() const override { return lost_ ? BodyWish::kNothing : traced_.body_wish(); }
  Rewrite whole_body(std::string_view body, Instant at) override {
    at_ = at;
    Rewrite rewrite;
    guard([&] { rewrite = traced_.whole_body(body, at); });
    return rewrite;
  }
  void not_held(mcp::NotInjected why) override { traced_.not_held(why); }
  void body_piece(std::string_view bytes) override {
    guard([&] { traced_.body_piece(bytes); });
  }
  void body_end(Instant at) override {
    at_ = at;
    guard([&] { traced_.body_end(at); });
  }
  void leads_away() override {
    guard([&] { traced_.leads_away(); });
  }
  void endpoint_leads_away() override { traced_.endpoint_leads_away(); }
  void bad_head(std::string_view why) override { traced_.bad_head(why); }
  void client_left(Instant at) override { traced_.client_left(at); }
  void response(const http::ResponseHead& head, Instant at) override {
    at_ = at;
    guard([&] { traced_.response(head, at); });
  }
  void response_piece(std::string_view bytes, Instant at) override {
    at_ = at;
    guard([&] { traced_.response_piece(bytes, at); });
  }
  void end(ExchangeEnd how, std::string_view error_type, Instant at) override {
    at_ = at;
    guard([&] { traced_.end(how, error_type, at); });
    if (lost_) traced_.end_lost(how, error_type, at);
  }

 private:
  template <typename Call>
  void guard(Call&& call) {
    if (lost_) return;
    try {
      std::forward<Call>(call)();
    } catch (const std::bad_alloc&) {
      lost_ = true;
      traced_.lose();
      shared_.sink().lose(at_.boot);
    }
  }

  TracingShared& shared_;
  TracedExchange traced_;
  Instant at_;  // of the exchange's last sign
  bool lost_ = false;
};

}  // namespace mcptrace::proxy
