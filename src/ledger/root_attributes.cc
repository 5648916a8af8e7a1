#include "ledger/root_attributes.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace mcptrace::ledger {

using trace::Attr;

std::string text_attribute(const std::vector<otlp::KeyValue>& attributes, std::string_view key) {
  for (auto it = attributes.rbegin(); it != attributes.rend(); ++it) {
    if (it->first == key) return it->second.string() != nullptr ? *it->second.string() : std::string();
  }
  return {};
}

std::string text_attribute(const otlp::Span& span, Attr key) {
  return text_attribute(span.attributes, trace::attr_key(key));
}

std::optional<std::int64_t> integer_attribute(const otlp::Span& span, Attr key) {
  const otlp::Value* value = span.attribute(trace::attr_key(key));
  if (value == nullptr || value->integer() == nullptr) return std::nullopt;
  return *value->integer();
}

void describe_session(const otlp::Span& span, Session& session) {
  const auto take = [&](Attr key, std::string& into) {
    if (std::string text = text_attribute(span, key); !text.empty()) into = std::move(text);
  };
  take(Attr::kClientId, session.client_name);
  take(Attr::kClientName, session.client_name);
  take(Attr::kClientVersion, session.client_version);
  take(Attr::kServerName, session.server_name);
  take(Attr::kServerVersion, session.server_version);
  take(Attr::kEra, session.era);
  take(Attr::kProtocolVersion, session.protocol_version);
  take(Attr::kClientProcess, session.client_process);
  take(Attr::kCommand, session.command);
  take(Attr::kNetworkTransport, session.transport);
  if (const auto status = integer_attribute(span, Attr::kExitStatus)) session.exit_status = status;
  if (const auto signal = integer_attribute(span, Attr::kExitSignal)) session.exit_signal = signal;
}

Counts root_counts(const otlp::Span& root) {
  const auto number = [&](Attr key) { return std::max<std::int64_t>(integer_attribute(root, key).value_or(0), 0); };
  Counts counts;
  counts.calls = number(Attr::kCalls);
  for (const auto& [outcome, key] : trace::kOutcomeCounts) {
    counts.outcomes[static_cast<std::size_t>(outcome)] = number(key);
  }
  counts.errors = number(Attr::kErrors);
  counts.requests = number(Attr::kRequests);
  counts.notifications = number(Attr::kNotifications);
  counts.dropped = number(Attr::kDropped);
  counts.not_json_lines = number(Attr::kNotJsonLines);
  counts.not_json_bytes = number(Attr::kNotJsonBytes);
  counts.not_injected = number(Attr::kNotInjectedCount);
  const std::string prefix = std::string(trace::attr_key(Attr::kFinding)) + ".";
  for (const auto& [key, value] : root.attributes) {
    if (!key.starts_with(prefix) || value.integer() == nullptr || *value.integer() <= 0) continue;
    if (const auto finding = trace::finding_of(key.substr(prefix.size()))) counts.findings[*finding] = *value.integer();
  }
  return counts;
}

bool is_previous(const otlp::Link& link) {
  return text_attribute(link.attributes, trace::attr_key(Attr::kLinkRelation)) == "previous";
}

}  // namespace mcptrace::ledger
