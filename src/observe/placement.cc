#include "observe/placement.h"

#include <algorithm>

namespace mcptrace::observe {
namespace {

using mcp::Message;
using mcp::MessageKind;
using mcp::Method;
using mcp::NotInjected;
using mcp::Text;

constexpr std::size_t kMostConversations = 1024;

bool opens_nothing(Method method) {
  return method == Method::kInitialize || method == Method::kServerDiscover || method == Method::kPing;
}

}  // namespace

Placement::Placement(PlacementOptions options, const HashKey& key, Random& random, const Activity& activity)
    : options_(std::move(options)),
      random_(random),
      activity_(activity),
      stretches_({options_.gap, options_.stretch_calls, kMostConversations}, key, random) {
  begin_process(random_.u64(), 0);
  first_ = process_.root;
}

void Placement::begin_process(std::uint64_t session_print, std::uint32_t previous) {
  process_ = {};
  mcp::CallContext& root = process_.root;
  root.session = stretches_.new_serial();
  root.previous = previous;
  root.session_print = session_print;
  root.root_trace_id = options_.environment ? options_.environment->trace_id : random_.trace_id();
  root.root_span_id = random_.span_id();
}

// A further initialize starts a new session once work was done in the last one; a long silence with nothing open starts
// a new stretch of the same session, and so do enough calls. A client's answer is of the stretch that was asked in.
Stretch& Placement::process_stretch(const Message& message, Instant at) {
  const Nanos server_spoke(activity_.last_server_message.load(std::memory_order_relaxed));
  process_.last_message = std::max(last_client_message_, server_spoke);
  process_.open = static_cast<std::uint32_t>(activity_.open_requests.load(std::memory_order_relaxed));
  const bool asks = message.kind == MessageKind::kRequest;
  if (asks && message.method == Method::kInitialize && process_used_) {
    begin_process(random_.u64(), 0);
    process_used_ = false;
  } else if ((asks && stretches_.is_full(process_)) ||
             (process_.announced && stretches_.is_silent(process_, at.boot))) {
    begin_process(process_.root.session_print, process_.root.session);
  }
  if (asks && !opens_nothing(message.method)) process_used_ = true;
  if (asks && message.method == Method::kToolsCall) ++process_.calls;
  return process_;
}

Stretch& Placement::stretch_for(const Message& message, Instant at) {
  if (!message.has(mcp::kModern)) return process_stretch(message, at);
  const auto of = [&](std::string_view conversation) -> Stretch& {
    return stretches_.at({SessionKey::Kind::kConversation, 0, options_.name, conversation}, at, true);
  };
  ConversationBuffer buffer;
  const std::string_view in_baggage = conversation_in(message[Text::kBaggage], buffer);
  if (!in_baggage.empty()) return of(in_baggage);
  if (const std::string_view named = message[Text::kConversation]; !named.empty()) return of(named);
  return process_stretch(message, at);
}

void Placement::choose_parent(const Message& message) {
  mcp::CallContext& context = placed_.context;
  context.span_id = random_.span_id();
  if (const auto caller = context_in(message)) {
    placed_.trace_state = take_caller(context, *caller, mcp::ParentSource::kMeta, message[Text::kTracestate]);
  } else if (!context.derived && options_.environment) {
    take_root_as_parent(context);
    context.flags = options_.environment->flags;
    placed_.trace_state = options_.environment_state;
  } else {
    placed_.trace_state = own_.start(context, random_);
  }
}

const Placement::Placed& Placement::place(const Message& message, NotInjected may, Instant at) {
  const bool asks = message.kind == MessageKind::kRequest || message.kind == MessageKind::kNotification;
  if (asks && !is_mcp(message, known_)) {
    // MCP's clients may do so before their handshake, and others have a ping, too.
    if (message.method != Method::kPing || !message.has(mcp::kJsonrpc2)) return place_foreign();
    may = NotInjected::kNotRequest;
  }
  Stretch& stretch = stretch_for(message, at);
  last_client_message_ = at.boot;
  placed_.context = stretch.root;
  stretch.announced = true;
  placed_.inject = false;
  placed_.trace_state = {};
  if (asks) {
    choose_parent(message);
    if (options_.acceptance != nullptr) ask_server(message, may);
    placed_.inject = own_.inject(placed_.context, options_.inject, may, placed_.trace_state, placed_.injection);
  } else {
    placed_.context.not_injected = NotInjected::kNotRequest;
  }
  return placed_;
}

// Whether the server is to get a _meta that its client did not send.
void Placement::ask_server(const Message& message, NotInjected& may) {
  if (!options_.inject || !puts_in_meta(message, may)) return options_.acceptance->forget(message.id);
  may = options_.acceptance->choose(message.method, message.name_hash);
  options_.acceptance->sent(message.id, message.method, message.name_hash, may);
}

// It opens nothing, and changes nothing.
const Placement::Placed& Placement::place_foreign() {
  placed_.context = process_.root;
  placed_.context.not_injected = NotInjected::kForeign;
  placed_.trace_state = {};
  placed_.inject = false;
  return placed_;
}

}  // namespace mcptrace::observe
