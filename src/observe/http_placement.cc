#include "observe/http_placement.h"

#include <algorithm>

namespace mcptrace::observe {
namespace {

using mcp::CallContext;
using mcp::Message;
using mcp::MessageKind;
using mcp::NotInjected;
using mcp::ParentSource;
using mcp::Text;
using Kind = SessionKey::Kind;

constexpr std::uint64_t kScopeBit = 1ull << 63;  // no exchange's serial has it

// Of who the client of an initialize says it is; 0: it does not.
std::uint64_t client_print(const Message& message) {
  const std::string_view name = message[Text::kPeerName];
  return name.empty() ? 0 : mix64(message[Text::kPeerVersion], mix64(name, 0)) | 1;
}

}  // namespace

HttpPlacement::HttpPlacement(HttpPlacementOptions options, const HashKey& key, Random& random)
    : options_(std::move(options)),
      random_(random),
      stretches_({options_.gap, options_.stretch_calls, options_.most_sessions}, key, random) {}

// The session that this belongs to; the text is in text_.
SessionKey HttpPlacement::key_of(const HttpCaller& caller, const Message* message, bool modern) {
  SessionKey key{Kind::kTransport, caller.route, options_.name, {}};
  if (options_.name.empty() && !options_.route_names.empty()) {
    key.name = options_.route_names[std::min(caller.route, options_.route_names.size() - 1)];
  }
  const auto named = [&](std::string_view prefix, std::string_view text) {
    key.text = text_.assign(prefix).append(text);
    return key;
  };
  if (!caller.endpoint.empty()) return named("endpoint=", caller.endpoint);
  if (!modern && !caller.session_id.empty()) return named("mcp-session-id=", caller.session_id);
  key.kind = Kind::kConversation;
  if (!options_.name.empty()) key.route = 0;
  ConversationBuffer buffer;
  auto in_baggage = message != nullptr ? conversation_in((*message)[Text::kBaggage], buffer) : std::string_view();
  if (in_baggage.empty()) in_baggage = conversation_in(caller.baggage, buffer);
  if (!in_baggage.empty()) return named({}, in_baggage);
  if (message != nullptr && !(*message)[Text::kConversation].empty()) return named({}, (*message)[Text::kConversation]);
  if (!caller.conversation.empty()) return named({}, caller.conversation);
  key.kind = Kind::kGuessed;
  key.route = caller.route;
  if (message != nullptr && message->method == mcp::Method::kInitialize) key.client = client_print(*message);
  const auto field = [this](std::string_view value) { text_.append(value).append(1, '\0'); };
  text_.clear();
  field(caller.authorization);
  // Legacy clients name themselves only in initialize, so that cannot tell their other requests.
  if (modern && message != nullptr && !(*message)[Text::kPeerName].empty()) {
    field((*message)[Text::kPeerName]);
    field((*message)[Text::kPeerVersion]);
  } else {
    field(caller.user_agent);
  }
  field(caller.address);
  key.text = text_;
  return key;
}

Stretch* HttpPlacement::at(Handle handle) {
  const bool kept = handle.stretch != nullptr && handle.stretch->root.session == handle.serial;
  return kept ? handle.stretch : nullptr;
}

Acceptance* HttpPlacement::acceptance(std::size_t route) const {
  return route < options_.acceptance.size() ? options_.acceptance[route] : nullptr;
}

void HttpPlacement::touch(Handle handle, Nanos boot) {
  if (Stretch* stretch = at(handle)) stretch->last_message = std::max(stretch->last_message, boot);
}

void HttpPlacement::request_began(Handle handle) {
  if (Stretch* stretch = at(handle)) ++stretch->open;
}

void HttpPlacement::request_ended(Handle handle) {
  if (Stretch* stretch = at(handle); stretch != nullptr && stretch->open != 0) --stretch->open;
}

void HttpPlacement::start() {
  placed_.context = {};
  placed_.trace_state = {};
  placed_.link_count = 0;
  placed_.scope = 0;
  placed_.guessed = placed_.own_root = placed_.inject = false;
  placed_.stretch = {};
}

void HttpPlacement::take_session(Stretch& stretch, bool opens) {
  placed_.guessed = stretch.kind == Kind::kGuessed;
  if (opens) stretch.announced = true;
  if (!stretch.announced && placed_.guessed) return take_no_session();
  placed_.stretch = {&stretch, stretch.root.session};
  take_root(placed_.context, stretch.root);
  // Its ids are known without opening it.
  if (!stretch.announced) placed_.context.session = 0;
  if (stretch.kind == Kind::kTransport) placed_.scope = stretch.root.session_print | kScopeBit;
}

// Neither session nor, perhaps, caller: a root of its own.
void HttpPlacement::take_no_session() {
  placed_.guessed = false;
  placed_.context.session = 0;
  placed_.context.session_print = 0;
  placed_.context.root_trace_id = random_.trace_id();
  placed_.context.root_span_id = {};
}

void HttpPlacement::choose_parent(const HttpCaller& caller, const Message* message, bool may_use_root) {
  CallContext& context = placed_.context;
  context.span_id = random_.span_id();
  const auto in_meta = message != nullptr ? context_in(*message) : std::nullopt;
  const auto in_header = caller.traceparent.empty() ? std::nullopt : trace::parse_traceparent(caller.traceparent);
  const bool header_first = options_.parent == ParentOrder::kHeaderFirst;
  const bool by_header = in_header && (header_first || !in_meta);
  const auto& chosen = by_header ? in_header : in_meta;
  if (chosen && options_.parent != ParentOrder::kRootOnly) {
    placed_.trace_state = by_header ? take_caller(context, *chosen, ParentSource::kHeader, caller.tracestate)
                                    : take_caller(context, *chosen, ParentSource::kMeta, (*message)[Text::kTracestate]);
    const auto& other = by_header ? in_meta : in_header;
    const bool same = other && other->trace_id == chosen->trace_id && other->span_id == chosen->span_id;
    if (other && !same) placed_.links[placed_.link_count++] = {other->trace_id, other->span_id};
    return;
  }
  if (in_meta) placed_.links[placed_.link_count++] = {in_meta->trace_id, in_meta->span_id};
  if (in_header) placed_.links[placed_.link_count++] = {in_header->trace_id, in_header->span_id};
  if (may_use_root) placed_.trace_state = own_.start(context, random_);
}

void HttpPlacement::write_injection(NotInjected may) {
  placed_.inject = own_.inject(placed_.context, options_.inject, may, placed_.trace_state, placed_.injection);
}

const HttpPlacement::Placed& HttpPlacement::place(const HttpCaller& caller, const Message& message, NotInjected may,
                                                  Instant at) {
  start();
  const bool opens = message.kind == MessageKind::kRequest;
  const SessionKey key = key_of(caller, &message, caller.modern || message.has(mcp::kModern));
  Stretch& stretch = stretches_.at(key, caller.first_byte, opens);
  take_session(stretch, opens);
  if (opens && message.method == mcp::Method::kToolsCall) ++stretch.calls;
  if (placed_.context.session != 0) stretch.last_message = std::max(stretch.last_message, at.boot);
  if (opens || message.kind == MessageKind::kNotification) {
    choose_parent(caller, &message, true);
    Acceptance* const server = acceptance(caller.route);
    if (server != nullptr && options_.inject && puts_in_meta(message, may)) {
      may = server->choose(message.method, message.name_hash);
    }
    write_injection(may);
  } else {
    placed_.context.not_injected = NotInjected::kNotRequest;
  }
  return placed_;
}

const HttpPlacement::Placed& HttpPlacement::place_exchange(const HttpCaller& caller) {
  start();
  take_session(stretches_.at(key_of(caller, nullptr, caller.modern), caller.first_byte, false), false);
  choose_parent(caller, nullptr, true);
  placed_.context.not_injected = NotInjected::kNotRequest;
  return placed_;
}

const HttpPlacement::Placed& HttpPlacement::place_endpoint(const HttpCaller& caller) {
  start();
  take_session(stretches_.at(key_of(caller, nullptr, false), caller.first_byte, false), false);
  return placed_;
}

const HttpPlacement::Placed& HttpPlacement::place_initialize(const HttpCaller& caller, const Message& message,
                                                             NotInjected may) {
  start();
  choose_parent(caller, &message, false);
  const bool by_caller = placed_.context.parent_source != ParentSource::kRoot;
  write_injection(may == NotInjected::kNone && !by_caller ? NotInjected::kNoSession : may);
  take_own_session(caller);
  if (!by_caller) placed_.trace_state = own_.start(placed_.context, random_);
  return placed_;
}

void HttpPlacement::take_own_session(const HttpCaller& caller) {
  SessionKey own = key_of(caller, nullptr, true);
  own.kind = Kind::kGuessed;
  own.text = text_.assign("failed-initialize=").append(std::to_string(random_.u64()));
  take_root(placed_.context, stretches_.new_root(own, caller.first_byte.wall));
  placed_.own_root = true;
}

void HttpPlacement::finish_initialize(const HttpCaller& caller, const Message& message, std::string_view session_id,
                                      Initialized how, Placed& placed) {
  if (how == Initialized::kFailed) return;
  placed_ = placed;
  placed_.own_root = false;
  if (how == Initialized::kRedirected) {
    take_no_session();
  } else {
    HttpCaller answered = caller;
    if (!session_id.empty()) answered.session_id = session_id;
    take_session(stretches_.at(key_of(answered, &message, false), answered.first_byte, true), true);
  }
  if (placed_.context.parent_source == ParentSource::kRoot) {
    placed_.trace_state = own_.start(placed_.context, random_);
  }
  placed = placed_;
}

}  // namespace mcptrace::observe
