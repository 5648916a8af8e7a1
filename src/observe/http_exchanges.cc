#include "observe/http_exchanges.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace mcptrace::observe {

using mcp::OpenCall;

constexpr std::size_t kMostHeldBytes = 4 << 20;

HttpExchange& HttpExchanges::add(std::uint64_t serial) {
  MCPTRACE_CHECK(!full() && serial != 0);
  if (count_ >= buckets_.size()) {
    std::vector<BySerial::bucket_type> more(buckets_.size() * 4);
    by_serial_.rehash({more.data(), more.size()});
    buckets_.swap(more);
  }
  if (free_.empty()) {
    free_.push_back(slots_.emplace_back());
    free_.back().index = static_cast<std::uint32_t>(slots_.size() - 1);
  }
  HttpExchange& exchange = free_.back();
  free_.pop_back();
  exchange.serial = serial;
  exchange.scope = exchange.resumes = exchange.resumed = 0;
  exchange.answered = {};
  exchange.status = exchange.flags = 0;
  exchange.ended = false;
  exchange.client.clear();
  exchange.declared.clear();
  exchange.messages = 0;
  by_serial_.insert(exchange);
  by_age_.push_back(exchange);
  ++count_;
  return exchange;
}

void HttpExchanges::remove(HttpExchange& exchange) {
  take_held(exchange);
  by_serial_.erase(by_serial_.iterator_to(exchange));
  by_age_.erase(by_age_.iterator_to(exchange));
  exchange.serial = 0;
  free_.push_back(exchange);
  --count_;
}

HttpExchange* HttpExchanges::find(std::uint64_t serial) {
  const auto found = by_serial_.find(serial);
  return found == by_serial_.end() ? nullptr : &*found;
}

void HttpExchanges::enter(HttpExchange& exchange, OpenCall& call) {
  call.exchange = exchange.index;
  call.exchange_serial = exchange.serial;
  exchange.calls.push_back(call);
  ++exchange.messages;
}

void HttpExchanges::leave(OpenCall& call) {
  if (call.exchange == mcp::kNoExchange) return;
  HttpExchange& exchange = slots_[call.exchange];
  call.in_exchange.unlink();
  if (exchange.ended && exchange.calls.empty()) remove(exchange);
}

bool HttpExchanges::hold(HttpExchange& exchange, const mcp::Fact& fact) {
  PackedFact record = mcp::packed(fact);
  const std::size_t bytes = record.size() * sizeof(record[0]);
  if (held_bytes_ + bytes > kMostHeldBytes) return false;
  held_bytes_ += bytes;
  exchange.held.push_back(std::move(record));
  return true;
}

std::vector<PackedFact> HttpExchanges::take_held(HttpExchange& exchange) {
  for (const PackedFact& record : exchange.held) held_bytes_ -= record.size() * sizeof(record[0]);
  return std::exchange(exchange.held, {});
}

bool HttpExchanges::is_resumed(const HttpExchange& exchange) {
  const HttpExchange* const other = find(exchange.resumed);
  return other != nullptr && !other->ended;
}

bool HttpExchanges::has_stream(std::uint64_t scope) const {
  return std::ranges::any_of(by_age_, [scope](const HttpExchange& exchange) {
    return exchange.scope == scope && exchange.method == mcp::HttpMethod::kGet && exchange.has(mcp::kStreamed) &&
           !exchange.ended;
  });
}

std::uint64_t EventRing::find(std::uint64_t event) const {
  if (sets_.empty() || event == 0) return 0;
  for (const Known& known : sets_[set_of(event)].known) {
    if (known.event == event) return known.exchange;
  }
  return 0;
}

void EventRing::put(std::uint64_t event, std::uint64_t exchange) {
  if (sets_.empty()) sets_.resize(kSets);
  Set& set = sets_[set_of(event)];
  set.known[set.next++ % kWays] = {event, exchange};
}

}  // namespace mcptrace::observe
