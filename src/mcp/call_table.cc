#include "mcp/call_table.h"

#include <cstring>
#include <ranges>
#include <utility>

#include "base/check.h"

namespace mcptrace::mcp {
namespace {

constexpr std::size_t kFirstBuckets = 128;
constexpr std::size_t kKeptCapacity = 256;  // of a string of a closed call

// Most are empty, or fit where the last one was.
void set_text(std::string& to, std::string_view text) {
  if (text.empty() && to.empty()) return;
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

CallTable::CallTable(std::size_t max_open, std::size_t max_text_bytes)
    : max_open_(max_open), max_text_bytes_(max_text_bytes), by_id_(kFirstBuckets), by_token_(kFirstBuckets) {}

std::size_t CallTable::bucket(Direction direction, std::uint64_t hash) const {
  hash = (hash ^ static_cast<std::uint64_t>(direction)) * 0x9e3779b97f4a7c15u;
  return static_cast<std::size_t>(hash >> 32) & (by_id_.size() - 1);
}

void CallTable::enter(OpenCall& call) {
  by_id_[bucket(call.direction, call.id.exact)].push_back(call);
  if (call.flags & kHasProgressToken) {
    by_token_[bucket(call.direction, call.progress_token.exact)].push_back(call);
  }
}

void CallTable::grow() {
  std::vector<IdBucket> by_id(by_id_.size() * 4);
  std::vector<TokenBucket> by_token(by_id.size());
  by_id_ = std::move(by_id);
  by_token_ = std::move(by_token);
  for (OpenCall& call : calls_) enter(call);
}

void CallTable::describe(const Fact& fact, OpenCall& call) {
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

OpenCall& CallTable::open(const Fact& fact) {
  MCPTRACE_CHECK(!full());
  if (count_ >= by_id_.size()) grow();
  if (free_.empty()) free_.push_back(slots_.emplace_back());
  OpenCall& call = free_.back();
  describe(fact, call);
  call.text_bytes = text_bytes_of(call);
  text_bytes_ += call.text_bytes;
  static_cast<CallState&>(call) = {};
  call.notes.clear();
  call.open = true;
  free_.pop_back();
  calls_.push_back(call);
  enter(call);
  ++count_;
  return call;
}

void CallTable::set_trace_state(OpenCall& call, std::string_view text) {
  set_text(call.trace_state, text);
  text_bytes_ -= call.text_bytes;
  call.text_bytes = text_bytes_of(call);
  text_bytes_ += call.text_bytes;
}

void CallTable::close(OpenCall& call) {
  MCPTRACE_CHECK(call.open);
  call.open = false;
  text_bytes_ -= call.text_bytes;
  // The only one of them that can be long.
  if (call.trace_state.capacity() > kKeptCapacity) std::string().swap(call.trace_state);
  for (CallHook* hook : {&call.in_age, &call.in_id_bucket, &call.in_token_bucket, &call.in_exchange, &call.in_cut,
                         &call.in_parent, &call.in_nest, &call.in_unreported}) {
    hook->unlink();
  }
  free_.push_back(call);
  --count_;
}

OpenCall* CallTable::find(Direction direction, const RequestId& id, std::uint64_t exchange) {
  if (id.type == IdType::kOther) return exchange == 0 ? nullptr : find_odd(direction, id, exchange);
  OpenCall* found = nullptr;
  for (OpenCall& call : by_id_[bucket(direction, id.exact)] | std::views::reverse) {
    if (call.direction != direction || call.id != id) continue;
    if (call.exchange_serial == exchange) return &call;
    if (found == nullptr && id.usable()) found = &call;
  }
  return found;
}

// Such an id tells nothing; but what an exchange asked alone, its answer is of.
OpenCall* CallTable::find_odd(Direction direction, const RequestId& id, std::uint64_t exchange) {
  OpenCall* found = nullptr;
  for (OpenCall& call : by_id_[bucket(direction, id.exact)]) {
    if (call.direction != direction || call.id.type != id.type || call.exchange_serial != exchange) continue;
    if (found != nullptr) return nullptr;
    found = &call;
  }
  return found;
}

// Rare: only for an answer whose id matched nothing. Looks at the newest 1024, so that a server that gets every id
// wrong costs no more than that an answer.
OpenCall* CallTable::find_loose(Direction direction, const RequestId& id) {
  if (id.type == IdType::kOther) return nullptr;
  OpenCall* found = nullptr;
  for (OpenCall& call : calls_ | std::views::reverse | std::views::take(1024)) {
    if (call.direction != direction || call.id.loose != id.loose) continue;
    if (found != nullptr) return nullptr;
    found = &call;
  }
  return found;
}

OpenCall* CallTable::find_token(Direction direction, const RequestId& token) {
  for (OpenCall& call : by_token_[bucket(direction, token.exact)]) {
    if (call.direction == direction && call.progress_token == token) return &call;
  }
  return nullptr;
}

}  // namespace mcptrace::mcp
