#include "observe/session.h"

#include <algorithm>
#include <bit>

#include "base/keyed_hash.h"
#include "observe/placing.h"
#include "trace/gate.h"

namespace mcptrace::observe {
namespace {

using mcp::Message;
using mcp::MessageKind;
using mcp::Text;
using trace::Attr;
using trace::Outcome;
using trace::SpanRecord;

constexpr std::size_t kMaxDeclared = 16384;  // tools of one session that are remembered
constexpr std::uint32_t kMostChanged = 64;   // ... and that are noted as changed

std::int64_t number(std::uint64_t value) { return static_cast<std::int64_t>(value); }

}  // namespace

Session::Session(const mcp::CallContext& context, Instant first) : first_(first), last_boot_(first.boot) {
  take_ids(context);
}

void Session::take_ids(const mcp::CallContext& context) {
  take_root(root, context);
  text.session_id = root.session_print == 0 ? std::string() : "s-" + hex64(root.session_print);
  text.root_trace_id = root.root_trace_id;
  text.root_span_id = root.root_span_id;
}

void Session::go_on_from(const Session& before) {
  previous_trace = before.root.root_trace_id;
  previous_span = before.root.root_span_id;
  text.client_name = before.text.client_name;
  text.version = before.text.version;
  server_name = before.server_name;
  server_version = before.server_version;
  client_version = before.client_version;
  declared_ = before.declared_;
  list_complete_ = before.list_complete_;
  listing_from_start_ = before.listing_from_start_;
  list_began_ = before.list_began_;
}

void Session::count_message(const Message& message) {
  count_bytes(message);
  if (message.kind == MessageKind::kRequest) {
    ++requests_;
    if (message.direction == mcp::Direction::kClientToServer) {
      (message.method == mcp::Method::kServerDiscover ? probed_ : worked_) = true;
      note_era(message);
    }
  }
  if (message.kind == MessageKind::kNotification) ++notifications_;
}

void Session::count_findings(mcp::Findings findings) {
  for (; findings != 0; findings &= findings - 1) ++findings_[static_cast<std::size_t>(std::countr_zero(findings))];
}

void Session::note_findings(mcp::Findings findings, Instant at, mcp::OpenCall* call) {
  if (findings == 0) return;
  count_findings(findings);
  for (; call != nullptr && findings != 0; findings &= findings - 1) {
    call->add_note({.at = at.wall, .finding = static_cast<mcp::Finding>(std::countr_zero(findings))});
  }
}

void Session::note_changed_tools(std::size_t count, Instant at, mcp::OpenCall& list) {
  const auto& noted = findings_[static_cast<std::size_t>(mcp::Finding::kToolChanged)];
  for (; count != 0 && noted < kMostChanged; --count) {
    note_findings(mcp::finding_bit(mcp::Finding::kToolChanged), at, &list);
  }
}

void Session::count_end(const mcp::OpenCall& call, Outcome outcome, bool is_error) {
  if (call.direction != mcp::Direction::kClientToServer) return;
  if (call.kind == mcp::CallKind::kRequest) {
    // A discover that was refused says nothing of the era: the client tries the other one next.
    if (call.method == mcp::Method::kServerDiscover && outcome == Outcome::kOk) saw_modern_ = true;
    const auto why = call.context.not_injected;
    using enum mcp::NotInjected;
    if (why != kNone && why != kOff && why != kNotRequest && why != kInitialize) ++not_injected_;
  }
  if (is_error) ++errors_;
  if (call.method != mcp::Method::kToolsCall || outcome == Outcome::kRedirected) return;
  ++tool_calls_;
  ++calls_[static_cast<std::size_t>(outcome)];
}

void Session::note_era(const Message& message) {
  if (message.kind != MessageKind::kRequest || message.direction != mcp::Direction::kClientToServer) return;
  if (message.method != mcp::Method::kServerDiscover) (message.has(mcp::kModern) ? saw_modern_ : saw_legacy_) = true;
}

void Session::learn_client(const Message& message) {
  if (message.has(mcp::kModern) && text.version.empty())
    text.version.assign(trace::gate_version(message[Text::kProtocolVersion]));
  const std::string_view name = message[Text::kPeerName];
  if (name.empty() || !text.client_name.empty()) return;
  trace::gate_peer(name, message.peer_name_print, text.client_name);
  if (!message[Text::kPeerVersion].empty()) {
    trace::gate_peer(message[Text::kPeerVersion], message.peer_version_print, client_version);
  }
}

bool Session::learn_server(const Message& message) {
  const std::string_view name = message[Text::kPeerName];
  if (name.empty() || !server_name.empty()) return false;
  trace::gate_peer(name, message.peer_name_print, server_name);
  if (!message[Text::kPeerVersion].empty()) {
    trace::gate_peer(message[Text::kPeerVersion], message.peer_version_print, server_version);
  }
  return true;
}

void Session::learn_page(const Page& page, const std::vector<mcp::DeclaredTool>& tools, std::size_t room) {
  if (page.first) {
    declared_.clear();
    listing_from_start_ = true;
    list_began_ = page.asked;
  }
  // Where not all are remembered, "undeclared" is never said.
  listing_from_start_ &= page.whole;
  const std::size_t most = std::min(kMaxDeclared, declared_.size() + room);
  for (const auto& [name, definition] : tools) {
    if (declared_.size() >= most)
      listing_from_start_ &= declared_.contains(name);
    else
      declared_[name] = definition;
  }
  list_complete_ = listing_from_start_ && page.last;
}

void Session::forget_declared() {
  list_complete_ = listing_from_start_ = false;
  decltype(declared_)().swap(declared_);
}

void Session::add_counts(SpanRecord& span) const {
  span.add(Attr::kCalls, number(tool_calls_));
  for (const auto& [outcome, attr] : trace::kOutcomeCounts) {
    if (const auto count = calls_[static_cast<std::size_t>(outcome)]; count != 0) span.add(attr, number(count));
  }
  span.add(Attr::kRequests, number(requests_));
  if (unauthorized_ != 0) span.add(Attr::kUnauthorized, number(unauthorized_));
  if (auth_scheme_ != mcp::AuthScheme::kNone) span.add(Attr::kAuthScheme, trace::auth_scheme_text(auth_scheme_));
  span.add(Attr::kNotifications, number(notifications_));
  span.add(Attr::kErrors, number(errors_));
  span.add(Attr::kBytesToServer, number(bytes_[0]));
  span.add(Attr::kBytesToClient, number(bytes_[1]));
  const auto add_if = [&](Attr attr, std::uint64_t count) {
    if (count != 0) span.add(attr, number(count));
  };
  add_if(Attr::kDropped, lost.messages);
  add_if(Attr::kUnmatched, unmatched);
  const auto found = [this](mcp::Finding finding) { return findings_[static_cast<std::size_t>(finding)]; };
  add_if(Attr::kSecondAnswers, found(mcp::Finding::kSecondAnswer));
  add_if(Attr::kNotJsonLines, found(mcp::Finding::kStdoutNotJson));
  add_if(Attr::kNotJsonBytes, not_json_bytes);
  add_if(Attr::kNotInjectedCount, not_injected_);
  for (std::size_t i = 0; i < findings_.size(); ++i) {
    const auto finding = static_cast<mcp::Finding>(i);
    const std::uint64_t besides = finding == mcp::Finding::kLost ? lost.messages + lost.files : 0;
    add_if(trace::finding_count(finding), findings_[i] + besides);
  }
  add_if(Attr::kForeignFromClient, foreign_from_client_);
}

// The two clocks are read one after the other, so that a span's end by its own start may be some nanoseconds after
// ours; and a notification is a nanosecond long. More than that is a clock that was set.
Nanos Session::lasted() const {
  constexpr Nanos kMostBeyond = std::chrono::milliseconds(1);
  const Nanos lasted = last_boot_ - first_.boot;
  const Nanos beyond = last_wall_ - first_.wall - lasted;
  return beyond > Nanos(0) && beyond < kMostBeyond ? lasted + beyond : lasted;
}

void Session::build_root(const RootStyle& style, bool ended, SpanRecord& span) {
  span.clear();
  span.trace_id = root.root_trace_id;
  span.span_id = root.root_span_id;
  span.flags = style.flags;
  span.trace_state = style.trace_state;
  if (!root.derived) {
    span.parent_id = style.environment_parent;
    span.parent_remote = !style.environment_parent.is_zero();
  }
  span.name = trace::kRootName;
  span.kind = trace::SpanKind::kInternal;
  span.start = first_.wall;
  span.duration = lasted();
  span.ended = ended;
  span.add(Attr::kSessionId, text.session_id);
  if (!saw_modern_) span.add(Attr::kSemconvSessionId, text.session_id);
  if (text.guessed) span.add(Attr::kGuessed, true);
  span.add(Attr::kNetworkTransport, style.transport);
  const auto add_text = [&](Attr attr, std::string_view value) {
    if (!value.empty()) span.add(attr, value);
  };
  add_text(Attr::kClientName, text.client_name);
  add_text(Attr::kClientVersion, client_version);
  add_text(Attr::kServerName, server_name);
  add_text(Attr::kServerVersion, server_version);
  add_text(Attr::kProtocolVersion, text.version);
  add_text(Attr::kCommand, style.command_print);
  add_text(Attr::kClientProcess, style.client_process);
  if (saw_legacy_ || saw_modern_) span.add(Attr::kEra, saw_legacy_ ? (saw_modern_ ? "mixed" : "legacy") : "modern");
  if (!previous_span.is_zero()) span.links.push_back({previous_trace, previous_span, 0, {}, "previous"});
  if (!ended) return;
  add_counts(span);
  if (child.known)
    span.add(child.signalled ? Attr::kExitSignal : Attr::kExitStatus, static_cast<std::int64_t>(child.code));
  // A server that ends at the first server/discover refused it; the client tries another era with the next process.
  const bool refused = (end == RootEnd::kServerFirst || end == RootEnd::kServerClosed) && probed_ && !worked_;
  if (!initialize_failed && (end == RootEnd::kNormal || refused)) return;
  span.status = trace::StatusCode::kError;
  const std::string_view type = end == RootEnd::kNotStarted     ? "server_not_started"
                                : end == RootEnd::kServerFirst  ? "server_exit"
                                : end == RootEnd::kServerClosed ? "server_closed"
                                                                : "initialize_failed";
  span.add(Attr::kErrorType, type);
  span.status_message = type;
}

}  // namespace mcptrace::observe
