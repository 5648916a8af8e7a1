#include "mcp/exchange.h"

#include <cstring>

#include "base/check.h"

namespace mcptrace::mcp {
namespace {

constexpr std::size_t kFirstBuckets = 128;
constexpr std::size_t kKeptCapacity = 256;  // of a string of a closed call

// Most are empty, or fit where the last one was.
void set_text(std::string& to, std::string_view text) {
  if (text.size() > to.capacity()) {
    to.assign(text);
    return;
  }
  to.resize_and_overwrite(text.size(), [text](char* data, std::size_t size) {
    if (size != 0) std::memcpy(data, text.data(), size);
    return size;
  });
}

std::uint32_t text_bytes_of(const OpenCall& call) {
  return static_cast<std::uint32_t>(call.name.size() + call.id_text.size() + call.method_text.size() +
                                    call.version.size() + call.trace_state.size());
}

}  // namespace

ExchangeTable::ExchangeTable(std::size_t max_open, std::size_t max_text_bytes)
    : max_open_(max_open),
      max_text_bytes_(max_text_bytes),
      by_id_(kFirstBuckets, kNoCall),
      by_token_(kFirstBuckets, kNoCall) {}

std::size_t ExchangeTable::bucket(Direction direction, std::uint64_t hash) const {
  hash = (hash ^ static_cast<std::uint64_t>(direction)) * 0x9e3779b97f4a7c15u;
  return static_cast<std::size_t>(hash >> 32) & (by_id_.size() - 1);
}

namespace {

// Entered at a chain's end, so that the oldest of equal ids is found first.
template <auto kNext>
void enter(std::vector<std::unique_ptr<OpenCall>>& slots, std::uint32_t& head, OpenCall& call) {
  call.*kNext = kNoCall;
  std::uint32_t* place = &head;
  while (*place != kNoCall) place = &(slots[*place].get()->*kNext);
  *place = call.index;
}

template <auto kNext>
void leave(std::vector<std::unique_ptr<OpenCall>>& slots, std::uint32_t& head, OpenCall& call) {
  std::uint32_t* place = &head;
  while (*place != call.index) {
    MCPTRACE_CHECK(*place != kNoCall);
    place = &(slots[*place].get()->*kNext);
  }
  *place = call.*kNext;
}

}  // namespace

void ExchangeTable::grow() {
  const std::size_t buckets = by_id_.size() * 4;
  by_id_.assign(buckets, kNoCall);
  by_token_.assign(buckets, kNoCall);
  for (OpenCall* call = oldest(); call != nullptr; call = newer(*call)) {
    enter<&OpenCall::chain>(slots_, by_id_[bucket(call->direction, call->id.exact)], *call);
    if (call->flags & kHasProgressToken) {
      enter<&OpenCall::token_chain>(slots_, by_token_[bucket(call->direction, call->progress_token.exact)], *call);
    }
  }
}

void ExchangeTable::describe(const Fact& fact, OpenCall& call) {
  const Message& message = fact.message;
  call.direction = message.direction;
  call.method = message.method;
  call.flags = message.flags;
  call.id = message.id;
  call.progress_token = message.related;
  call.context = fact.context;
  call.start = fact.at;
  call.last_seen = fact.at.boot;
  call.request_bytes = message.bytes;
  call.name_hash = message.name_hash;
  call.name_print = message.name_print;
  call.method_print = message.method_print;
  call.id_print = message.id_print;
  set_text(call.name, message[Text::kName]);
  set_text(call.id_text, message[Text::kId]);
  set_text(call.method_text, message[Text::kMethod]);
  set_text(call.version, message[Text::kProtocolVersion]);
  set_text(call.trace_state, fact.trace_state);
}

OpenCall& ExchangeTable::open(const Fact& fact) {
  MCPTRACE_CHECK(!full());
  if (count_ >= by_id_.size()) grow();
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.push_back(std::make_unique<OpenCall>());
    slots_.back()->index = free_.back();
  }
  OpenCall& call = *slots_[free_.back()];
  free_.pop_back();
  describe(fact, call);
  call.text_bytes = text_bytes_of(call);
  text_bytes_ += call.text_bytes;
  call.link_trace = {};
  call.link_span = {};
  call.link_is_task = call.undeclared = call.reported_open = false;
  call.progress = call.dropped_notes = call.children = 0;
  call.notes.clear();
  call.parent_call = kNoCall;
  call.kind = CallKind::kRequest;
  call.caller_link_count = 0;
  call.exchange = call.exchange_next = call.exchange_previous = kNoCall;
  call.exchange_serial = 0;
  call.cut_at = {};
  call.start_state = OpenCall::Start::kKnown;
  call.open = true;

  call.older = newest_;
  call.newer = kNoCall;
  (newest_ == kNoCall ? oldest_ : slots_[newest_]->newer) = call.index;
  newest_ = call.index;
  enter<&OpenCall::chain>(slots_, by_id_[bucket(call.direction, call.id.exact)], call);
  if (call.flags & kHasProgressToken) {
    enter<&OpenCall::token_chain>(slots_, by_token_[bucket(call.direction, call.progress_token.exact)], call);
  }
  ++count_;
  return call;
}

void ExchangeTable::set_trace_state(OpenCall& call, std::string_view text) {
  set_text(call.trace_state, text);
  text_bytes_ -= call.text_bytes;
  call.text_bytes = text_bytes_of(call);
  text_bytes_ += call.text_bytes;
}

void ExchangeTable::close(OpenCall& call) {
  MCPTRACE_CHECK(call.open);
  call.open = false;
  text_bytes_ -= call.text_bytes;
  // The only one of them that can be long.
  if (call.trace_state.capacity() > kKeptCapacity) std::string().swap(call.trace_state);
  leave<&OpenCall::chain>(slots_, by_id_[bucket(call.direction, call.id.exact)], call);
  if (call.flags & kHasProgressToken) {
    leave<&OpenCall::token_chain>(slots_, by_token_[bucket(call.direction, call.progress_token.exact)], call);
  }
  (call.older == kNoCall ? oldest_ : slots_[call.older]->newer) = call.newer;
  (call.newer == kNoCall ? newest_ : slots_[call.newer]->older) = call.older;
  free_.push_back(call.index);
  --count_;
}

OpenCall* ExchangeTable::find(Direction direction, const RequestId& id) {
  for (OpenCall* call = at(by_id_[bucket(direction, id.exact)]); call != nullptr; call = at(call->chain)) {
    if (call->direction == direction && call->id == id) return call;
  }
  return nullptr;
}

OpenCall* ExchangeTable::find(Direction direction, const RequestId& id, std::uint64_t exchange) {
  const bool odd = id.type == IdType::kOther;
  OpenCall* found = nullptr;
  for (OpenCall* call = at(by_id_[bucket(direction, id.exact)]); call != nullptr; call = at(call->chain)) {
    if (odd) {
      // It tells nothing; but what an exchange asked alone, its answer is of.
      if (call->direction != direction || call->id.type != id.type || call->exchange_serial != exchange) continue;
      if (found != nullptr) return nullptr;
      found = call;
      continue;
    }
    if (call->direction != direction || call->id != id) continue;
    if (call->exchange_serial == exchange) return call;
    if (found == nullptr) found = call;
  }
  return found;
}

// Rare: only for an answer whose id matched nothing. Looks at the newest 1024, so that a server that gets every id
// wrong costs no more than that an answer.
OpenCall* ExchangeTable::find_loose(Direction direction, const RequestId& id) {
  if (id.type == IdType::kOther) return nullptr;
  OpenCall* found = nullptr;
  std::uint32_t index = newest_;
  for (int looked = 0; index != kNoCall && looked < 1024; ++looked, index = slots_[index]->older) {
    OpenCall& call = *slots_[index];
    if (call.direction != direction || call.id.loose != id.loose) continue;
    if (found != nullptr) return nullptr;
    found = &call;
  }
  return found;
}

OpenCall* ExchangeTable::find_token(Direction direction, const RequestId& token) {
  for (OpenCall* call = at(by_token_[bucket(direction, token.exact)]); call != nullptr; call = at(call->token_chain)) {
    if (call->direction == direction && call->progress_token == token) return call;
  }
  return nullptr;
}

OpenCall* ExchangeTable::oldest() { return at(oldest_); }

}  // namespace mcptrace::mcp
