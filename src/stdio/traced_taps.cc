#include "stdio/traced_taps.h"

#include <new>

namespace mcptrace::stdio {

TracedClientTap::TracedClientTap(mcp::MessageScanner scanner, bool inject, observe::Placement& placement,
                                 observe::Observer& observer, const observe::Activity& activity, const Clock& clock)
    : placement_(placement),
      observer_(observer),
      activity_(activity),
      clock_(clock),
      framer_(std::move(scanner), *this, inject) {}

void TracedClientTap::arrived(std::size_t count) {
  if (activity_.server_counts.load(std::memory_order_relaxed)) {
    framer_.stop_injecting(mcp::NotInjected::kFraming);
  }
  framer_.arrived(count, clock_.now());
}

void TracedClientTap::sent() {
  framer_.sent();
  observer_.wake_after(observer_.client());
}

std::optional<Nanos> TracedClientTap::hold_left() {
  const auto deadline = framer_.deadline();
  if (!deadline) return std::nullopt;
  return std::max(*deadline - clock_.boot(), Nanos(0));
}

bool TracedClientTap::on_message(const mcp::Message& message, mcp::NotInjected may, Instant at,
                                 mcp::Injection& injection) {
  try {
    const observe::Placement::Placed& placed = placement_.place(message, may, at);
    observer_.client().push({.kind = mcp::FactKind::kMessage,
                             .at = at,
                             .context = placed.context,
                             .message = message,
                             .trace_state = placed.trace_state,
                             .declared = {}});
    if (placed.inject) injection = placed.injection;
    return placed.inject;
  } catch (const std::bad_alloc&) {
    observer_.client().lose(at.boot);
    return false;
  }
}

TracedServerTap::TracedServerTap(mcp::MessageScanner scanner, observe::Observer& observer, observe::Activity& activity,
                                 observe::Acceptance* acceptance, const Clock& clock)
    : observer_(observer), activity_(activity), acceptance_(acceptance), clock_(clock), framer_(std::move(scanner)) {}

// As a rule bytes are looked at when they have gone on. Where an answer may say how the next request is to go, it is
// looked at before that, or the request could be here first.
void TracedServerTap::arrived(std::string_view bytes) {
  read_at_ = clock_.now();
  observer_.server().set_in_hand(read_at_.boot);
  looked_ = acceptance_ != nullptr && acceptance_->waits();
  if (looked_) framer_.passed(bytes, *this);
}

void TracedServerTap::passed(std::string_view bytes) {
  if (!looked_) framer_.passed(bytes, *this);
  if (framer_.is_counted()) activity_.server_counts.store(true, std::memory_order_relaxed);
  observer_.server().set_in_hand({});
  activity_.last_server_message.store(read_at_.boot.count(), std::memory_order_relaxed);
  observer_.wake_after(observer_.server());
}

void TracedServerTap::end() {
  framer_.end(*this);
  observer_.wake_after(observer_.server());
}

void TracedServerTap::on_message(const mcp::Message& message, const mcp::SpliceMap*) {
  observer_.server().push({.kind = mcp::FactKind::kMessage,
                           .at = read_at_,
                           .context = {},
                           .message = message,
                           .trace_state = {},
                           .declared = {},
                           .findings = acceptance_ != nullptr ? acceptance_->learn(message, message.id, 0) : 0});
}

void TracedServerTap::on_declared(std::span<const mcp::DeclaredTool> tools) {
  mcp::Fact fact;
  fact.kind = mcp::FactKind::kDeclaredTools;
  fact.at = read_at_;
  fact.declared = tools;
  observer_.server().push(fact);
}

}  // namespace mcptrace::stdio
