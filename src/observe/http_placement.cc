#include "observe/http_placement.h"

#include <algorithm>
#include <bit>

namespace mcptrace::observe {
namespace {

using mcp::CallContext;
using mcp::Message;
using mcp::MessageKind;
using mcp::NotInjected;
using mcp::ParentSource;
using mcp::Text;

constexpr std::uint32_t kNoSlot = 0xffffffff;
constexpr std::uint64_t kScopeBit = 1ull << 63;  // no exchange's serial has it

}  // namespace

HttpPlacement::HttpPlacement(HttpPlacementOptions options, const HashKey& key, Random& random)
    : options_(std::move(options)), key_(key), random_(random), seed_high_(random.u64()), seed_low_(random.u64()) {}

std::string_view HttpPlacement::name_of(std::size_t route) const {
  if (!options_.name.empty() || options_.route_names.empty()) return options_.name;
  return options_.route_names[std::min(route, options_.route_names.size() - 1)];
}

// The key of the session that this belongs to, into text_. A transport's own session is one of this upstream; a
// conversation may go to several servers, and is theirs together.
void HttpPlacement::write_key(const HttpCaller& caller, const Message* message, bool modern, KeyKind& kind) {
  kind = KeyKind::kTransport;
  if (!caller.endpoint.empty()) {
    text_.assign("endpoint=").append(caller.endpoint);
    return;
  }
  if (!modern && !caller.session_id.empty()) {
    text_.assign("mcp-session-id=").append(caller.session_id);
    return;
  }
  kind = KeyKind::kConversation;
  auto in_baggage = message != nullptr ? conversation_in((*message)[Text::kBaggage]) : std::nullopt;
  if (!in_baggage) in_baggage = conversation_in(caller.baggage);
  if (in_baggage) {
    text_ = *in_baggage;
    return;
  }
  if (message != nullptr && !(*message)[Text::kConversation].empty()) {
    text_.assign((*message)[Text::kConversation]);
    return;
  }
  if (!caller.conversation.empty()) {
    text_.assign(caller.conversation);
    return;
  }
  kind = KeyKind::kGuessed;
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
}

// The root's ids are derived, or random if the session is guessed.
void HttpPlacement::begin_stretch(Stretch& stretch, const HttpCaller& caller, std::int64_t day) {
  CallContext root;
  root.session = ++last_serial_;
  root.previous = stretch.announced ? stretch.root.session : 0;
  const std::string_view name = name_of(caller.route);
  if (stretch.root.session_print != 0) {
    root.session_print = stretch.root.session_print;
  } else {
    KeyedHash print(key_, stretch.key.kind == KeyKind::kGuessed ? "guessed-session" : "session");
    if (stretch.key.kind != KeyKind::kConversation) print.update_field(name);
    print.update_field(text_);
    root.session_print = print.finish64();
  }
  if (stretch.key.kind == KeyKind::kGuessed) {
    root.root_trace_id = random_.trace_id();
    root.root_span_id = random_.span_id();
  } else {
    derive_root_ids(key_, name, text_, day, root);
  }
  stretch.root = root;
  stretch.day = day;
  stretch.announced = false;
  stretch.open = stretch.calls = 0;
  stretch.last_message = caller.first_byte.boot;
}

// text_ is the key. Only what opens a session begins a new stretch of one that is there.
HttpPlacement::Stretch& HttpPlacement::stretch_of(const HttpCaller& caller, KeyKind kind, bool opens) {
  const std::uint64_t route = kind == KeyKind::kConversation && !options_.name.empty() ? 0 : caller.route;
  const Key key{kind, mix64(text_, seed_high_ + route), mix64(text_, seed_low_ ^ route)};
  const std::uint32_t slot = slot_for(key);
  Stretch& stretch = stretches_[slot];
  const std::int64_t day = utc_day(caller.first_byte.wall);
  const bool fresh = stretch.root.session == 0;
  const bool silent = stretch.open == 0 && caller.first_byte.boot - stretch.last_message > options_.gap;
  const bool full = stretch.calls >= options_.stretch_calls;
  const bool over = kind == KeyKind::kGuessed ? silent || full : stretch.day != day;
  if (fresh || (over && (opens || !stretch.announced))) begin_stretch(stretch, caller, day);
  return stretch;
}

std::uint32_t HttpPlacement::slot_for(const Key& key) {
  if (const auto found = by_key_.find(key); found != by_key_.end()) {
    use(found->second);
    return found->second;
  }
  // What may fail for want of memory comes first.
  const bool grows = stretches_.size() < options_.most_sessions;
  const std::uint32_t slot = grows ? static_cast<std::uint32_t>(stretches_.size()) : oldest_;
  if (grows) stretches_.reserve(std::max(stretches_.capacity(), std::bit_ceil(stretches_.size() + 1)));
  by_key_.emplace(key, slot);
  if (grows) {
    stretches_.emplace_back();
  } else {
    unlink(slot);
    by_key_.erase(stretches_[slot].key);
    stretches_[slot] = {};
  }
  stretches_[slot].key = key;
  stretches_[slot].older = newest_;
  stretches_[slot].newer = kNoSlot;
  (newest_ == kNoSlot ? oldest_ : stretches_[newest_].newer) = slot;
  newest_ = slot;
  return slot;
}

void HttpPlacement::unlink(std::uint32_t slot) {
  const Stretch& stretch = stretches_[slot];
  (stretch.older == kNoSlot ? oldest_ : stretches_[stretch.older].newer) = stretch.newer;
  (stretch.newer == kNoSlot ? newest_ : stretches_[stretch.newer].older) = stretch.older;
}

void HttpPlacement::use(std::uint32_t slot) {
  if (slot == newest_) return;
  unlink(slot);
  stretches_[slot].older = newest_;
  stretches_[slot].newer = kNoSlot;
  stretches_[newest_].newer = slot;
  newest_ = slot;
}

HttpPlacement::Stretch* HttpPlacement::at(Handle handle) {
  if (handle.slot >= stretches_.size() || stretches_[handle.slot].root.session != handle.serial) return nullptr;
  return &stretches_[handle.slot];
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
  const Handle handle{static_cast<std::uint32_t>(&stretch - stretches_.data()), stretch.root.session};
  const CallContext before = placed_.context;
  placed_.guessed = stretch.key.kind == KeyKind::kGuessed;
  if (opens) stretch.announced = true;
  if (!stretch.announced && placed_.guessed) return take_no_session();
  placed_.stretch = handle;
  placed_.context = stretch.root;
  placed_.context.trace_id = before.trace_id;
  placed_.context.span_id = before.span_id;
  placed_.context.parent_id = before.parent_id;
  placed_.context.parent_source = before.parent_source;
  placed_.context.flags = before.flags;
  placed_.context.not_injected = before.not_injected;
  placed_.context.randomness = before.randomness;
  // Its ids are known without opening it.
  if (!stretch.announced) placed_.context.session = 0;
  if (stretch.key.kind == KeyKind::kTransport) placed_.scope = stretch.root.session_print | kScopeBit;
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
    context.parent_source = by_header ? ParentSource::kHeader : ParentSource::kMeta;
    context.trace_id = chosen->trace_id;
    context.parent_id = chosen->span_id;
    context.flags = chosen->flags;
    const std::string_view state = by_header ? caller.tracestate : (*message)[Text::kTracestate];
    if (trace::is_valid_tracestate(state)) placed_.trace_state = state;
    const auto& other = by_header ? in_meta : in_header;
    const bool same = other && other->trace_id == chosen->trace_id && other->span_id == chosen->span_id;
    if (other && !same) placed_.links[placed_.link_count++] = {other->trace_id, other->span_id};
    return;
  }
  if (in_meta) placed_.links[placed_.link_count++] = {in_meta->trace_id, in_meta->span_id};
  if (in_header) placed_.links[placed_.link_count++] = {in_header->trace_id, in_header->span_id};
  if (may_use_root) take_root_as_parent();
}

void HttpPlacement::take_root_as_parent() {
  CallContext& context = placed_.context;
  context.parent_source = ParentSource::kRoot;
  context.trace_id = context.root_trace_id;
  context.parent_id = context.root_span_id;
  placed_.trace_state = own_.start(context, random_);
}

void HttpPlacement::write_injection(NotInjected may) {
  placed_.inject = own_.inject(placed_.context, options_.inject, may, placed_.trace_state, placed_.injection);
}

const HttpPlacement::Placed& HttpPlacement::place(const HttpCaller& caller, const Message& message, NotInjected may,
                                                  Instant at) {
  start();
  KeyKind kind;
  write_key(caller, &message, caller.modern || message.has(mcp::kModern), kind);
  const bool opens = message.kind == MessageKind::kRequest;
  Stretch& stretch = stretch_of(caller, kind, opens);
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
  KeyKind kind;
  write_key(caller, nullptr, caller.modern, kind);
  take_session(stretch_of(caller, kind, false), false);
  choose_parent(caller, nullptr, true);
  placed_.context.not_injected = NotInjected::kNotRequest;
  return placed_;
}

const HttpPlacement::Placed& HttpPlacement::place_endpoint(const HttpCaller& caller) {
  start();
  KeyKind kind;
  write_key(caller, nullptr, false, kind);
  take_session(stretch_of(caller, kind, false), false);
  return placed_;
}

const HttpPlacement::Placed& HttpPlacement::place_initialize(const HttpCaller& caller, const Message& message,
                                                             NotInjected may) {
  start();
  choose_parent(caller, &message, false);
  const bool by_caller = placed_.context.parent_source != ParentSource::kRoot;
  write_injection(may == NotInjected::kNone && !by_caller ? NotInjected::kNoSession : may);
  take_own_session(caller);
  if (!by_caller) take_root_as_parent();
  return placed_;
}

void HttpPlacement::take_own_session(const HttpCaller& caller) {
  Stretch own;
  own.key.kind = KeyKind::kGuessed;
  text_.assign("failed-initialize=").append(std::to_string(random_.u64()));
  begin_stretch(own, caller, 0);
  placed_.context.session = own.root.session;
  placed_.context.session_print = own.root.session_print;
  placed_.context.root_trace_id = own.root.root_trace_id;
  placed_.context.root_span_id = own.root.root_span_id;
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
    KeyKind kind;
    write_key(answered, &message, false, kind);
    take_session(stretch_of(answered, kind, true), true);
  }
  if (placed_.context.parent_source == ParentSource::kRoot) take_root_as_parent();
  placed = placed_;
}

}  // namespace mcptrace::observe
