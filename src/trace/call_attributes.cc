#include "trace/call_attributes.h"

#include <cstring>

#include "trace/gate.h"
#include "trace/span_builder.h"

namespace mcptrace::trace {
namespace {

using mcp::Method;
using mcp::OpenCall;

constexpr std::uint32_t kFlags = mcp::kModern | mcp::kNameCut | mcp::kMethodCut;

std::size_t place_of(const OpenCall& call, const SessionText& session) {
  std::uint64_t hash;
  std::memcpy(&hash, session.root_span_id.bytes.data(), sizeof(hash));
  hash = (hash ^ call.name_hash ^ static_cast<std::uint64_t>(call.method)) * 0x9e3779b97f4a7c15u;
  return static_cast<std::size_t>(hash >> 32) % kMostCommon;
}

// What its message says of the version, else its session.
const std::string& version_of(const OpenCall& call, const SessionText& session) {
  return call.version.empty() ? session.version : call.version;
}

}  // namespace

std::string_view era_text(std::uint32_t flags) { return (flags & mcp::kModern) != 0 ? "modern" : "legacy"; }

void add_session(std::string_view session_id, bool guessed, std::uint32_t flags, std::vector<Attribute>& attributes) {
  if (session_id.empty()) return;
  attributes.emplace_back(Attr::kSessionId, session_id);
  if ((flags & mcp::kModern) == 0) attributes.emplace_back(Attr::kSemconvSessionId, session_id);
  if (guessed) attributes.emplace_back(Attr::kGuessed, true);
}

bool CallAttributes::Entry::is_of(const OpenCall& call, const SessionText& session, bool may_declare) const {
  return common.serial != 0 && method == call.method && flags == (call.flags & kFlags) && declared == may_declare &&
         undeclared == call.undeclared && guessed == session.guessed && own_version == !call.version.empty() &&
         name_print == call.name_print && method_print == call.method_print && name == call.name &&
         method_text == call.method_text && version == version_of(call, session) &&
         root_span_id == session.root_span_id && session_id.size() == session.session_id.size() &&
         client_name == session.client_name;
}

const CallAttributes::Common& CallAttributes::of(const OpenCall& call, const SessionText& session, bool declared) {
  const std::size_t place = place_of(call, session);
  std::unique_ptr<Entry>& entry = entries_[place];
  if (entry != nullptr && entry->is_of(call, session, declared)) return entry->common;
  if (entry == nullptr) entry = std::make_unique<Entry>();
  entry->common.place = static_cast<std::uint32_t>(place);
  make(call, session, declared, *entry);
  return entry->common;
}

// The name of a tool or prompt as it may be written; empty for other methods.
std::string_view CallAttributes::add_target(Entry& entry) const {
  std::vector<Attribute>& attributes = entry.common.attributes;
  const bool is_tool = entry.method == Method::kToolsCall;
  if (!is_tool && entry.method != Method::kPromptsGet) return {};
  const bool has_name = !entry.name.empty() || entry.name_print != 0;  // else there is none, or one that is no string
  std::string_view target;
  if (has_name) {
    target = gate_name(entry.name, (entry.flags & mcp::kNameCut) != 0, entry.declared, entry.name_print, entry.target);
  }
  if (!is_tool) {
    if (has_name) attributes.emplace_back(Attr::kGenAiPromptName, target);
    return target;
  }
  if (has_name) {
    attributes.emplace_back(Attr::kToolName, target);
    attributes.emplace_back(Attr::kGenAiToolName, target);
  }
  attributes.emplace_back(Attr::kGenAiOperationName, std::string_view("execute_tool"));
  if (has_name && entry.undeclared) attributes.emplace_back(Attr::kToolUndeclared, true);
  return target;
}

void CallAttributes::make(const OpenCall& call, const SessionText& session, bool declared, Entry& entry) {
  entry.common.serial = 0;  // where memory runs out in here, it is of no call
  entry.method = call.method;
  entry.flags = call.flags & kFlags;
  entry.declared = declared;
  entry.undeclared = call.undeclared;
  entry.guessed = session.guessed;
  entry.own_version = !call.version.empty();
  entry.name_print = call.name_print;
  entry.method_print = call.method_print;
  entry.name = call.name;
  entry.method_text = call.method_text;
  entry.version = version_of(call, session);
  entry.root_span_id = session.root_span_id;
  entry.session_id = session.session_id;
  entry.client_name = session.client_name;

  std::vector<Attribute>& attributes = entry.common.attributes;
  attributes.clear();
  if (const Operation operation = operation_of(call.method); operation != Operation::kNone) {
    attributes.emplace_back(Attr::kOperation, operation_text(operation));
  }
  std::string_view method = mcp::method_text(call.method);
  if (call.method == Method::kUnknown) {
    method =
        gate_name(entry.method_text, (call.flags & mcp::kMethodCut) != 0, false, call.method_print, entry.gated_method);
  }
  attributes.emplace_back(Attr::kMethodName, method);
  const std::string_view target = add_target(entry);
  entry.common.span_name = span_name(call.method, naming_, target, entry.span_name);
  add_session(entry.session_id, entry.guessed, entry.flags, attributes);
  if (!entry.client_name.empty()) attributes.emplace_back(Attr::kClientId, std::string_view(entry.client_name));
  attributes.emplace_back(Attr::kEra, era_text(call.flags));
  const std::string_view version = entry.own_version ? gate_version(entry.version) : std::string_view(entry.version);
  if (call.method == Method::kInitialize) {
    if (entry.own_version) attributes.emplace_back(Attr::kRequestedVersion, version);
  } else if (!version.empty()) {
    attributes.emplace_back(Attr::kProtocolVersion, version);
  }
  attributes.emplace_back(Attr::kNetworkTransport, transport_);
  entry.common.serial = ++last_serial_;
}

}  // namespace mcptrace::trace
