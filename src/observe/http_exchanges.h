// What the observer knows of HTTP exchanges: those that go on, those whose calls still wait for their answers
// elsewhere, and which event of which stream belongs to which. Tables without I/O, bounded; slots are reused, so that
// running traffic allocates nothing. Observer thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mcp/exchange.h"
#include "mcp/http_fact.h"

namespace mcptrace::observe {

struct HttpExchange {
  std::uint64_t serial = 0;
  std::uint64_t scope = 0;
  std::uint64_t resumes = 0;  // serial of the exchange whose stream this one goes on with; 0 = none
  Instant began;
  Nanos answered{};
  std::uint16_t status = 0, client_port = 0, route = 0, flags = 0;
  std::uint8_t minor_version = 1;
  mcp::HttpMethod method = mcp::HttpMethod::kOther;
  bool ended = false;
  std::string client;
  std::vector<std::uint64_t> declared;  // names of the tools/list result that is passing
  std::uint32_t calls = mcp::kNoCall;   // its open calls, chained by OpenCall::exchange_next
  std::uint32_t messages = 0;           // requests and notifications that came in it

  // The table's own.
  std::uint32_t index = 0;
  std::uint32_t chain = 0;

  [[nodiscard]] bool has(mcp::HttpFlag flag) const { return (flags & flag) != 0; }
};

class HttpExchanges {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;
  explicit HttpExchanges(std::size_t most) : most_(most) {}

  [[nodiscard]] bool full() const { return count_ >= most_; }
  HttpExchange& add(std::uint64_t serial);
  void remove(HttpExchange& exchange);
  HttpExchange* find(std::uint64_t serial);
  HttpExchange& at(std::uint32_t index) { return *slots_[index]; }
  [[nodiscard]] const HttpExchange& at(std::uint32_t index) const { return *slots_[index]; }
  // Of the lowest serial. Looks at all: for when the table is full.
  HttpExchange* oldest();

  void enter(HttpExchange& exchange, mcp::OpenCall& call, mcp::ExchangeTable& calls);
  void leave(mcp::OpenCall& call, mcp::ExchangeTable& calls);

 private:
  void grow();
  std::uint32_t& head(std::uint64_t serial) { return heads_[serial & (heads_.size() - 1)]; }

  std::size_t most_;
  std::size_t count_ = 0;
  std::vector<std::unique_ptr<HttpExchange>> slots_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> heads_;
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

}  // namespace mcptrace::observe
