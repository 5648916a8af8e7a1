#include "observe/acceptance.h"

#include <algorithm>

#include "base/keyed_hash.h"

namespace mcptrace::observe {
namespace {

using mcp::Method;
using mcp::NotInjected;

constexpr std::uint8_t kMostRefusals = 3;
constexpr std::uint8_t kMostAlternations = 3;
constexpr std::uint64_t kToolBits = (1ull << 48) - 1;
constexpr std::uint8_t kDoubts = 63;

std::size_t index(Method method) { return static_cast<std::size_t>(method); }

bool is_refusal_code(std::int64_t code) { return code == -32600 || code == -32602 || code == -32603 || code == -32700; }

}  // namespace

bool Acceptance::is_refusal_status(int http_status) {
  return http_status == 400 || http_status == 415 || http_status == 422;
}

// A tool that says `isError` was reached, or was not: that proves nothing.
Acceptance::Answer Acceptance::read(const mcp::Message& message, int http_status) {
  if (message.kind == mcp::MessageKind::kResult) {
    return message.has(mcp::kIsError) || http_status >= 300 ? Answer::kNothing : Answer::kResult;
  }
  const bool by_code = message.has(mcp::kHasErrorCode) && is_refusal_code(message.error_code);
  if (!by_code && !is_refusal_status(http_status)) return Answer::kNothing;
  return message.has(mcp::kErrorNamesMeta) ? Answer::kRefusalNamesMeta : Answer::kRefusal;
}

std::uint64_t Acceptance::pack(const Sent& sent) {
  return sent.tool << 16 | std::uint64_t{sent.doubt} << 10 | std::uint64_t{sent.with} << 9 |
         std::uint64_t{sent.counted} << 8 | static_cast<std::uint64_t>(sent.method);
}

Acceptance::Sent Acceptance::unpack(std::uint64_t what) {
  return {.method = static_cast<Method>(what & 0xff),
          .with = (what >> 9 & 1) != 0,
          .counted = (what >> 8 & 1) != 0,
          .doubt = static_cast<std::uint8_t>(what >> 10 & kDoubts),
          .tool = what >> 16};
}

void Acceptance::restore(const Table& table, std::uint64_t version) {
  const MutexLock lock(mutex_);
  table_ = table;
  version_ = version;
  publish();
}

NotInjected Acceptance::choose(Method method, std::uint64_t tool) {
  if (accepted_[index(method)].load(std::memory_order_relaxed)) return NotInjected::kNone;
  const MutexLock lock(mutex_);
  const Known& known = table_[index(method)];
  if (std::ranges::find(table_, State::kStrict, &Known::state) != table_.end()) {
    return known.state == State::kAccepted ? NotInjected::kNone : NotInjected::kStrict;
  }
  const bool same = known.tool == (tool & kToolBits);
  return known.state == State::kDoubted && same ? NotInjected::kDoubted : NotInjected::kNone;
}

void Acceptance::sent(const mcp::RequestId& id, Method method, std::uint64_t tool, NotInjected chosen) {
  if (chosen == NotInjected::kStrict || !id.usable()) return;
  Sent sent{.method = method, .with = chosen == NotInjected::kNone, .tool = tool & kToolBits};
  Asked& slot = slot_of(id.exact);
  release(slot);
  if (!accepted_[index(method)].load(std::memory_order_relaxed)) {
    const MutexLock lock(mutex_);
    sent.counted = table_[index(method)].state != State::kAccepted;
    sent.doubt = doubts_[index(method)];
    if (sent.counted) ++pending_, last_pending_ = id.exact;
    publish();
  }
  slot.what.store(pack(sent), std::memory_order_release);
  slot.id.store(id.exact, std::memory_order_release);
}

void Acceptance::forget(const mcp::RequestId& id) {
  Asked& slot = slot_of(id.exact);
  if (slot.id.load(std::memory_order_relaxed) == id.exact) release(slot);
}

// What stands there will not be found again. Answers that say nothing leave it as it is.
void Acceptance::release(Asked& slot) {
  std::uint64_t id = slot.id.load(std::memory_order_relaxed);
  if (id == 0) return;
  const Sent sent = unpack(slot.what.load(std::memory_order_relaxed));
  if (!sent.counted) return slot.id.store(0, std::memory_order_relaxed);
  const MutexLock lock(mutex_);
  if (!slot.id.compare_exchange_strong(id, 0, std::memory_order_relaxed)) return;  // it was answered just now
  if (pending_ != 0) --pending_;
  publish();
}

bool Acceptance::answered(const mcp::RequestId& id, Answer answer) {
  const bool refusal = answer == Answer::kRefusal || answer == Answer::kRefusalNamesMeta;
  if (!refusal && !watching_.load(std::memory_order_relaxed)) return false;
  const MutexLock lock(mutex_);
  if (!id.usable() && pending_ != 1) return false;
  std::uint64_t exact = id.usable() ? id.exact : last_pending_;
  Asked& slot = slot_of(exact);
  if (exact == 0 || !slot.id.compare_exchange_strong(exact, 0, std::memory_order_acq_rel)) return false;
  const Sent sent = unpack(slot.what.load(std::memory_order_relaxed));
  if (sent.counted && pending_ != 0) --pending_;
  Known known = table_[index(sent.method)];
  bool strict = false;
  if (sent.with) {
    with_answered(known, sent, answer);
  } else if (known.state == State::kDoubted && sent.doubt == doubts_[index(sent.method)]) {
    strict = without_answered(known, sent, answer);
  }
  if (known.state == State::kDoubted && table_[index(sent.method)].state != State::kDoubted) {
    doubts_[index(sent.method)] = (doubts_[index(sent.method)] + 1) & kDoubts;
  }
  change(table_[index(sent.method)], known);
  publish();
  return strict;
}

void Acceptance::with_answered(Known& known, const Sent& sent, Answer answer) {
  if (answer == Answer::kNothing) return;
  if (answer == Answer::kResult) {
    known = {.state = State::kAccepted};
  } else if (known.state == State::kAccepted) {
    if (++known.refusals >= kMostRefusals) known = {};
  } else if (known.state == State::kUntried) {
    known.state = State::kDoubted;
    known.tool = sent.tool;
    known.names_meta = answer == Answer::kRefusalNamesMeta;
  } else if (known.tool == sent.tool) {
    known.names_meta |= answer == Answer::kRefusalNamesMeta;
  }
}

bool Acceptance::without_answered(Known& known, const Sent& sent, Answer answer) {
  if (answer == Answer::kNothing) return false;
  const std::uint8_t alternations = known.alternations;
  if (answer != Answer::kResult) {  // the arguments were at fault
    known = {.alternations = alternations};
    return false;
  }
  if (!mcp::has_arguments(sent.method) || known.names_meta || alternations + 1 >= kMostAlternations) {
    known = {.state = State::kStrict};
    return true;
  }
  known = {.alternations = static_cast<std::uint8_t>(alternations + 1)};
  return false;
}

mcp::Findings Acceptance::learn(const mcp::Message& message, const mcp::RequestId& id, int http_status) {
  if (message.kind != mcp::MessageKind::kResult && message.kind != mcp::MessageKind::kError) return 0;
  if (const std::string_view name = message[mcp::Text::kPeerName]; !name.empty()) {
    server_is(mix64(name, mix64(message[mcp::Text::kPeerVersion], 1)));
  }
  return answered(id, read(message, http_status)) ? mcp::finding_bit(mcp::Finding::kStrictServer) : 0;
}

void Acceptance::server_is(std::uint64_t version) {
  if (version == version_.load(std::memory_order_relaxed)) return;
  const MutexLock lock(mutex_);
  const bool other = version_.exchange(version, std::memory_order_relaxed) != 0;
  changed_ = true;
  if (!other) return;
  for (Known& known : table_) {
    if (known.state != State::kStrict) known = {};
  }
  publish();
}

void Acceptance::change(Known& known, const Known& to) {
  if (known == to) return;
  known = to;
  changed_ = true;
}

void Acceptance::publish() {
  bool refused = false;
  for (std::size_t i = 0; i < table_.size(); ++i) {
    const bool accepted = table_[i].state == State::kAccepted;
    accepted_[i].store(accepted, std::memory_order_relaxed);
    refused |= accepted && table_[i].refusals != 0;
  }
  watching_.store(refused || pending_ != 0, std::memory_order_relaxed);
}

bool Acceptance::take_changes(Table& table, std::uint64_t& version) {
  const MutexLock lock(mutex_);
  if (!changed_) return false;
  changed_ = false;
  table = table_;
  version = version_.load(std::memory_order_relaxed);
  return true;
}

}  // namespace mcptrace::observe
