// The way of an HTTP exchange through the proxy's tracing, from heads and bodies to records, without connections,
// threads, files, wall clocks or chance: taps, placement, facts packed and unpacked, tracer.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/testing.h"
#include "observe/tracer.h"
#include "proxy/tracing.h"

namespace mcptrace::golden {

using HeaderLines = std::vector<std::pair<std::string, std::string>>;

// What went on to the server.
struct Forwarded {
  std::string body, traceparent, tracestate;
  bool changed = false;  // by us: body and context fields
};

class HttpPipeline final : private proxy::FactSink {
 public:
  // `sink` must outlive the pipeline. `seed` tells proxies apart; the secret is the same in all.
  HttpPipeline(proxy::TracingOptions tracing, observe::TracerOptions tracer, observe::RecordSink& sink,
               std::uint64_t seed = 1);

  static Instant start() { return {std::chrono::seconds(1'700'000'000), std::chrono::seconds(1000)}; }

  void go_to(Nanos since_start);
  void jump_wall(Nanos by) { clock_.jump_wall(by); }

  // `connection`: one tap each, reused. `route`: as the options number them.
  struct Request {
    std::string method = "POST", target = "/mcp";
    HeaderLines headers;
    std::string body;
    std::string client = "127.0.0.1";
    std::size_t route = 0;
    bool expects_continue = false;
    bool chunked = false;
    bool cut = false;  // the client leaves in the middle of the body
  };
  Forwarded request(int connection, const Request& request);
  void leads_away(int connection) { tap(connection).leads_away(); }
  void endpoint_leads_away(int connection) { tap(connection).endpoint_leads_away(); }
  void bad_head(int connection, std::string_view why) { tap(connection).bad_head(why); }
  void client_left(int connection) { tap(connection).client_left(clock_.now()); }
  void answer(int connection, int status, const HeaderLines& headers);
  void piece(int connection, std::string_view bytes);
  void end(int connection, proxy::ExchangeEnd how, std::string_view error_type = {});

  // One fact of so many is lost, as if the queue had been full; 0: none.
  void lose_facts(std::size_t one_of) { lose_one_of_ = one_of; }
  observe::Tracer& tracer() { return tracer_; }
  [[nodiscard]] Instant now() const { return clock_.now(); }
  [[nodiscard]] std::size_t facts() const { return facts_; }

 private:
  void push(const mcp::FactHead& fact, const mcp::Message& message) override;
  void lose(Nanos at) override { tracer_.add_dropped(1, at); }
  void passed() override {}
  static Forwarded pass_body(proxy::ExchangeTap& tap, const Request& request, Instant at);
  proxy::ExchangeTap& tap(int connection);

  HashKey key_;
  ManualClock clock_;
  SeededRandom relay_random_, tracer_random_;
  proxy::TracingOptions with_acceptance(proxy::TracingOptions options);

  observe::Activity activity_;
  std::vector<std::unique_ptr<observe::Acceptance>> acceptance_;
  observe::Tracer tracer_;
  proxy::Tracing tracing_;
  std::map<int, std::unique_ptr<proxy::ExchangeTap>> taps_;
  std::size_t facts_ = 0, lose_one_of_ = 0;
};

}  // namespace mcptrace::golden
