#include "observe/http_exchanges.h"

#include "base/check.h"

namespace mcptrace::observe {

using mcp::ExchangeTable;
using mcp::OpenCall;

void HttpExchanges::grow() {
  heads_.assign(heads_.empty() ? 64 : heads_.size() * 4, kNone);
  for (const auto& slot : slots_) {
    if (slot->serial == 0) continue;
    slot->chain = head(slot->serial);
    head(slot->serial) = slot->index;
  }
}

HttpExchange& HttpExchanges::add(std::uint64_t serial) {
  MCPTRACE_CHECK(!full() && serial != 0);
  if (count_ >= heads_.size()) grow();
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.push_back(std::make_unique<HttpExchange>());
    slots_.back()->index = free_.back();
  }
  HttpExchange& exchange = *slots_[free_.back()];
  free_.pop_back();
  exchange.serial = serial;
  exchange.scope = exchange.resumes = 0;
  exchange.answered = {};
  exchange.status = exchange.flags = 0;
  exchange.ended = false;
  exchange.client.clear();
  exchange.declared.clear();
  exchange.calls = mcp::kNoCall;
  exchange.messages = 0;
  exchange.chain = head(serial);
  head(serial) = exchange.index;
  ++count_;
  return exchange;
}

void HttpExchanges::remove(HttpExchange& exchange) {
  std::uint32_t* place = &head(exchange.serial);
  while (*place != exchange.index) {
    MCPTRACE_CHECK(*place != kNone);
    place = &slots_[*place]->chain;
  }
  *place = exchange.chain;
  exchange.serial = 0;
  free_.push_back(exchange.index);
  --count_;
}

HttpExchange* HttpExchanges::find(std::uint64_t serial) {
  if (heads_.empty() || serial == 0) return nullptr;
  std::uint32_t index = head(serial);
  while (index != kNone && slots_[index]->serial != serial) index = slots_[index]->chain;
  return index == kNone ? nullptr : slots_[index].get();
}

HttpExchange* HttpExchanges::oldest() {
  HttpExchange* oldest = nullptr;
  for (const auto& slot : slots_) {
    if (slot->serial != 0 && (oldest == nullptr || slot->serial < oldest->serial)) oldest = slot.get();
  }
  return oldest;
}

void HttpExchanges::enter(HttpExchange& exchange, OpenCall& call, ExchangeTable& calls) {
  call.exchange = exchange.index;
  call.exchange_serial = exchange.serial;
  call.exchange_next = exchange.calls;
  if (OpenCall* next = calls.at(exchange.calls)) next->exchange_previous = call.index;
  exchange.calls = call.index;
  ++exchange.messages;
}

void HttpExchanges::leave(OpenCall& call, ExchangeTable& calls) {
  if (call.exchange == mcp::kNoCall) return;
  if (OpenCall* next = calls.at(call.exchange_next)) next->exchange_previous = call.exchange_previous;
  if (OpenCall* previous = calls.at(call.exchange_previous)) {
    previous->exchange_next = call.exchange_next;
  } else {
    slots_[call.exchange]->calls = call.exchange_next;
  }
  HttpExchange& exchange = *slots_[call.exchange];
  if (exchange.ended && exchange.calls == mcp::kNoCall) remove(exchange);
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
