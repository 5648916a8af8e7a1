#include "stdio/traced_taps.h"

#include <new>

namespace mcptrace::stdio {

TracedClientTap::TracedClientTap(const HashKey& key, bool inject, observe::Placement& placement,
                                 observe::Observer& observer, const observe::Activity& activity, const Clock& clock)
    : placement_(placement), observer_(observer), activity_(activity), clock_(clock), framer_(key, inject) {}

void TracedClientTap::arrived(std::size_t count) {
  if (activity_.server_counts.load(std::memory_order_relaxed)) {
    framer_.stop_injecting(mcp::NotInjected::kFraming);
  }
  framer_.arrived(count, clock_.now());
  place_all();
}

void TracedClientTap::sent() {
  framer_.sent();
  place_all();
  observer_.wake_after(observer_.client());
}

std::optional<Nanos> TracedClientTap::hold_left() {
  const auto deadline = framer_.deadline();
  if (!deadline) return std::nullopt;
  return std::max(*deadline - clock_.boot(), Nanos(0));
}

void TracedClientTap::on_hold_over() {
  framer_.on_time(clock_.now());
  place_all();
}

void TracedClientTap::end() {
  framer_.end(clock_.now());
  place_all();
}

// In sessions and traces, and hands the facts over.
void TracedClientTap::place_all() {
  const Instant at = framer_.now();
  while (const mcp::Message* message = framer_.next()) {
    try {
      const observe::Placement::Placed& placed = placement_.place(*message, framer_.may(), at);
      observer_.client().push({.kind = mcp::FactKind::kMessage,
                               .at = at,
                               .context = placed.context,
                               .trace_state = placed.trace_state,
                               .declared = {}},
                              *message);
      if (placed.inject) framer_.inject(placed.injection);
    } catch (const std::bad_alloc&) {
      observer_.client().lose(at.boot);
    }
  }
}

TracedServerTap::TracedServerTap(const HashKey& key, observe::Observer& observer, observe::Activity& activity,
                                 observe::Acceptance* acceptance, const Clock& clock)
    : observer_(observer), activity_(activity), acceptance_(acceptance), clock_(clock), framer_(key) {}

// As a rule bytes are looked at when they have gone on. Where an answer may say how the next request is to go, it is
// looked at before that, or the request could be here first.
void TracedServerTap::arrived(std::string_view bytes) {
  read_at_ = clock_.now();
  observer_.server().set_in_hand(read_at_.boot);
  looked_ = acceptance_ != nullptr && acceptance_->waits();
  if (looked_) look_at(bytes);
}

void TracedServerTap::passed(std::string_view bytes) {
  if (!looked_) look_at(bytes);
  if (framer_.is_counted()) activity_.server_counts.store(true, std::memory_order_relaxed);
  observer_.server().set_in_hand({});
  activity_.last_server_message.store(read_at_.boot.count(), std::memory_order_relaxed);
  observer_.wake_after(observer_.server());
}

void TracedServerTap::end() {
  framer_.end();
  push_all();
  observer_.wake_after(observer_.server());
}

void TracedServerTap::look_at(std::string_view bytes) {
  framer_.passed(bytes);
  push_all();
}

void TracedServerTap::push_all() {
  static const mcp::Message kNone;
  while (const mcp::Found* found = framer_.next()) {
    const mcp::Message& message = found->message != nullptr ? *found->message : kNone;
    const bool declares = found->message == nullptr;
    observer_.server().push(
        {.kind = declares ? mcp::FactKind::kDeclaredTools : mcp::FactKind::kMessage,
         .at = read_at_,
         .context = {},
         .trace_state = {},
         .declared = found->declared,
         .findings = declares || acceptance_ == nullptr ? 0 : acceptance_->learn(message, message.id, 0)},
        message);
  }
}

}  // namespace mcptrace::stdio
