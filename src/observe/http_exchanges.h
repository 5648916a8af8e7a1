// What the observer knows of HTTP exchanges: those that go on, those whose calls still wait for their answers
// elsewhere, which event of which stream belongs to which, and which streams are sessions. Tables without I/O, bounded;
// slots are reused, so that running traffic allocates nothing. Observer thread.
#pragma once

#include <array>
#include <boost/intrusive/list.hpp>
#include <boost/intrusive/unordered_set.hpp>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "mcp/call_table.h"
#include "mcp/http_fact.h"

namespace mcptrace::observe {

using PackedFact = std::vector<std::uint64_t>;

struct HttpExchange {
  std::uint64_t serial = 0;
  std::uint64_t scope = 0;
  std::uint64_t resumes = 0;  // serial of the exchange whose stream this one goes on with; 0 = none
  std::uint64_t resumed = 0;  // serial of the newest that goes on with this one's
  Instant began;
  Nanos answered{};
  std::uint16_t status = 0, client_port = 0, route = 0, flags = 0;
  std::uint8_t minor_version = 1;
  mcp::HttpMethod method = mcp::HttpMethod::kOther;
  bool ended = false;
  std::string client;
  std::vector<mcp::DeclaredTool> declared;           // of the tools/list result that is passing
  mcp::CallList<&mcp::OpenCall::in_exchange> calls;  // its open calls, the oldest first
  std::uint32_t messages = 0;                        // requests and notifications that came in it
  std::vector<PackedFact> held;                      // answers that came after its client had left

  // The table's own.
  std::uint32_t index = mcp::kNoExchange;
  boost::intrusive::list_member_hook<> in_age;
  boost::intrusive::unordered_set_member_hook<> in_serials;

  [[nodiscard]] bool has(mcp::HttpFlag flag) const { return (flags & flag) != 0; }
  [[nodiscard]] bool is_kept() const { return in_age.is_linked(); }
};

// Event ids, as prints, and the exchange on whose stream each came first. Bounded:
// where too many meet in one place, the oldest goes.
class EventRing {
 public:
  // The exchange's serial; 0: not known.
  [[nodiscard]] std::uint64_t find(std::uint64_t event) const;
  void put(std::uint64_t event, std::uint64_t exchange);

 private:
  static constexpr std::size_t kWays = 4, kSets = 4096;
  struct Known {
    std::uint64_t event = 0, exchange = 0;
  };
  struct Set {
    std::array<Known, kWays> known;
    std::uint32_t next = 0;
  };
  static std::size_t set_of(std::uint64_t event) { return event * 0x9e3779b97f4a7c15u >> 52; }
  std::vector<Set> sets_;  // empty until there is one
};

class HttpExchanges {
 public:
  explicit HttpExchanges(std::size_t most) : most_(most) {}

  [[nodiscard]] bool full() const { return count_ >= most_; }
  HttpExchange& add(std::uint64_t serial);
  void remove(HttpExchange& exchange);
  // Null: none.
  HttpExchange* find(std::uint64_t serial);
  HttpExchange* oldest() { return by_age_.empty() ? nullptr : &by_age_.front(); }
  // Null: the call is not over HTTP.
  [[nodiscard]] const HttpExchange* of(const mcp::OpenCall& call) const {
    return call.exchange == mcp::kNoExchange ? nullptr : &slots_[call.exchange];
  }

  void enter(HttpExchange& exchange, mcp::OpenCall& call);
  // Before the call is closed. An exchange that has ended goes with its last call.
  void leave(mcp::OpenCall& call);

  // False: there is no room for it.
  bool hold(HttpExchange& exchange, const mcp::Fact& fact);
  std::vector<PackedFact> take_held(HttpExchange& exchange);

  // Does another exchange, which is not over, go on with the stream of this one?
  [[nodiscard]] bool is_resumed(const HttpExchange& exchange);
  // Is a GET stream of the session open here, on which an answer may come?
  [[nodiscard]] bool has_stream(std::uint64_t scope) const;

  // The exchange (serial) on whose stream this event came first, or that one goes on with. 0: not known.
  [[nodiscard]] std::uint64_t origin_of(std::uint64_t event) const { return events_.find(event); }
  void remember_event(std::uint64_t event, const HttpExchange& exchange) {
    if (event != 0) events_.put(event, exchange.resumes != 0 ? exchange.resumes : exchange.serial);
  }

  // Sessions of HTTP+SSE whose stream is here, by scope: has a request come? Without one they have no root.
  void begin_sse(std::uint64_t scope) { sse_.try_emplace(scope, false); }
  void ask_in_sse(std::uint64_t scope) {
    if (const auto found = sse_.find(scope); found != sse_.end()) found->second = true;
  }
  void end_sse(std::uint64_t scope) { sse_.erase(scope); }
  [[nodiscard]] bool is_sse(std::uint64_t scope) const { return sse_.contains(scope); }
  [[nodiscard]] bool lacks_root(std::uint64_t scope) const {
    const auto found = sse_.find(scope);
    return found != sse_.end() && !found->second;
  }

 private:
  struct SerialOf {
    using type = std::uint64_t;
    const type& operator()(const HttpExchange& exchange) const { return exchange.serial; }
  };
  using Age = boost::intrusive::member_hook<HttpExchange, boost::intrusive::list_member_hook<>, &HttpExchange::in_age>;
  using Serials = boost::intrusive::member_hook<HttpExchange, boost::intrusive::unordered_set_member_hook<>,
                                                &HttpExchange::in_serials>;
  using ByAge = boost::intrusive::list<HttpExchange, Age>;
  using BySerial = boost::intrusive::unordered_set<
      HttpExchange, Serials, boost::intrusive::key_of_value<SerialOf>, boost::intrusive::power_2_buckets<true>,
      boost::intrusive::hash<std::hash<std::uint64_t>>, boost::intrusive::constant_time_size<false>>;

  std::size_t most_;
  std::size_t count_ = 0, held_bytes_ = 0;
  std::deque<HttpExchange> slots_;
  ByAge by_age_, free_;
  std::vector<BySerial::bucket_type> buckets_{64};
  BySerial by_serial_{{buckets_.data(), buckets_.size()}};
  EventRing events_;
  std::unordered_map<std::uint64_t, bool> sse_;
};

}  // namespace mcptrace::observe
