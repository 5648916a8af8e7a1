// Every name that we put on a span, once: attribute keys, span names, operations. Nothing is written that is not in
// here (docs/architecture.md, What may be written): none takes arguments, results, URIs, messages or headers. Sources:
// the guide's names, the OpenTelemetry MCP conventions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "mcp/finding.h"
#include "mcp/http_fact.h"
#include "mcp/message.h"

namespace mcptrace::trace {

// naming: guide = the guide's span names and attributes; semconv = OpenTelemetry's names, kinds and error rules; both =
// the guide's names with both sets of attributes.
enum class Naming : std::uint8_t { kBoth, kGuide, kSemconv };

enum class Operation : std::uint8_t { kNone, kInitialize, kDiscover, kToolsList, kToolCall };
std::string_view operation_text(Operation operation);  // "tool_call"; "" for kNone
Operation operation_of(mcp::Method method);

// Which naming an attribute belongs to.
enum class Set : std::uint8_t { kCommon, kGuide, kSemconv };

// Of a root: how often there was each finding.
#define MCPTRACE_FINDING_COUNT(X, name, code) X(kFinding##name, "mcptrace.finding." code, kCommon)

// The table. MCPTRACE_ATTRIBUTES(X) with X(enumerator, "key", set). Order is free; nothing on disk depends on it.
#define MCPTRACE_ATTRIBUTES(X)                                                   \
  X(kOperation, "mcp.operation", kGuide)                                         \
  X(kToolName, "mcp.tool_name", kGuide)                                          \
  X(kErrorCode, "mcp.error_code", kGuide)                                        \
  X(kSessionId, "mcp.session_id", kCommon)                                       \
  X(kClientId, "mcp.client_id", kGuide)                                          \
  X(kHttpStatusCode, "http.status_code", kGuide)                                 \
  X(kOutcome, "mcp.outcome", kCommon)                                            \
  X(kEra, "mcp.era", kCommon)                                                    \
  X(kRequestedVersion, "mcp.protocol.version.requested", kCommon)                \
  X(kClientName, "mcp.client.name", kCommon)                                     \
  X(kClientVersion, "mcp.client.version", kCommon)                               \
  X(kServerName, "mcp.server.name", kCommon)                                     \
  X(kServerVersion, "mcp.server.version", kCommon)                               \
  X(kClientProcess, "mcp.client.process", kCommon)                               \
  X(kLate, "mcp.late", kCommon)                                                  \
  X(kToolUndeclared, "mcp.tool.undeclared", kCommon)                             \
  X(kRequestBytes, "mcp.request.size", kCommon)                                  \
  X(kResponseBytes, "mcp.response.size", kCommon)                                \
  X(kProgressCount, "mcp.progress.count", kCommon)                               \
  X(kCommand, "mcptrace.command", kCommon)                                       \
  X(kUnobserved, "mcptrace.unobserved", kCommon)                                 \
  X(kReason, "mcptrace.reason", kCommon)                                         \
  X(kInjected, "mcptrace.injected", kCommon)                                     \
  X(kNotInjectedWhy, "mcptrace.not_injected", kCommon)                           \
  X(kAmbiguous, "mcptrace.ambiguous", kCommon)                                   \
  X(kIdMismatch, "mcptrace.id_mismatch", kCommon)                                \
  X(kGuessed, "mcptrace.session.guessed", kCommon)                               \
  X(kEnd, "mcptrace.end", kCommon)                                               \
  X(kPartial, "mcptrace.partial", kCommon)                                       \
  X(kLinkRelation, "mcptrace.link", kCommon)                                     \
  X(kCalls, "mcptrace.calls", kCommon)                                           \
  X(kCallsOk, "mcptrace.calls.ok", kCommon)                                      \
  X(kCallsToolError, "mcptrace.calls.tool_error", kCommon)                       \
  X(kCallsRpcError, "mcptrace.calls.rpc_error", kCommon)                         \
  X(kCallsTransportError, "mcptrace.calls.transport_error", kCommon)             \
  X(kCallsCancelled, "mcptrace.calls.cancelled", kCommon)                        \
  X(kCallsAbandoned, "mcptrace.calls.abandoned", kCommon)                        \
  X(kCallsUnobserved, "mcptrace.calls.unobserved", kCommon)                      \
  X(kCallsAuthRequired, "mcptrace.calls.auth_required", kCommon)                 \
  X(kCallsInputRequired, "mcptrace.calls.input_required", kCommon)               \
  X(kRequests, "mcptrace.requests", kCommon)                                     \
  X(kUnauthorized, "mcptrace.requests.unauthorized", kCommon)                    \
  X(kErrors, "mcptrace.errors", kCommon)                                         \
  X(kNotifications, "mcptrace.notifications", kCommon)                           \
  X(kBytesToServer, "mcptrace.bytes.to_server", kCommon)                         \
  X(kBytesToClient, "mcptrace.bytes.to_client", kCommon)                         \
  X(kDropped, "mcptrace.dropped", kCommon)                                       \
  X(kUnmatched, "mcptrace.unmatched_answers", kCommon)                           \
  X(kSecondAnswers, "mcptrace.second_answers", kCommon)                          \
  X(kNotJsonLines, "mcptrace.not_json.lines", kCommon)                           \
  X(kNotJsonBytes, "mcptrace.not_json.bytes", kCommon)                           \
  X(kNotInjectedCount, "mcptrace.not_injected.count", kCommon)                   \
  X(kFinding, "mcptrace.finding", kCommon)                                       \
  X(kForeignFromClient, "mcptrace.finding.not_mcp_message.from_client", kCommon) \
  X(kExitStatus, "mcptrace.server.exit_status", kCommon)                         \
  X(kExitSignal, "mcptrace.server.signal", kCommon)                              \
  X(kMethodName, "mcp.method.name", kSemconv)                                    \
  X(kProtocolVersion, "mcp.protocol.version", kCommon)                           \
  X(kSemconvSessionId, "mcp.session.id", kSemconv)                               \
  X(kRequestId, "jsonrpc.request.id", kSemconv)                                  \
  X(kGenAiToolName, "gen_ai.tool.name", kSemconv)                                \
  X(kGenAiPromptName, "gen_ai.prompt.name", kSemconv)                            \
  X(kGenAiOperationName, "gen_ai.operation.name", kSemconv)                      \
  X(kRpcStatusCode, "rpc.response.status_code", kSemconv)                        \
  X(kErrorType, "error.type", kCommon)                                           \
  X(kHttpResponseStatus, "http.response.status_code", kSemconv)                  \
  X(kHttpMethod, "http.request.method", kSemconv)                                \
  X(kHttpFirstByte, "mcptrace.http.ttfb", kCommon)                               \
  X(kHttpStreamed, "mcptrace.http.streamed", kCommon)                            \
  X(kAuthScheme, "mcptrace.auth.scheme", kCommon)                                \
  X(kClientAddress, "client.address", kCommon)                                   \
  X(kClientPort, "client.port", kCommon)                                         \
  X(kServerAddress, "server.address", kCommon)                                   \
  X(kServerPort, "server.port", kCommon)                                         \
  X(kNetworkTransport, "network.transport", kCommon)                             \
  X(kNetworkProtocolName, "network.protocol.name", kCommon)                      \
  X(kNetworkProtocolVersion, "network.protocol.version", kCommon)                \
  MCPTRACE_FINDINGS(MCPTRACE_FINDING_COUNT, X)

enum class Attr : std::uint8_t {
#define MCPTRACE_X(name, key, set) name,
  MCPTRACE_ATTRIBUTES(MCPTRACE_X)
#undef MCPTRACE_X
      kCount
};
std::string_view attr_key(Attr attr);
constexpr bool set_in(Set set, Naming naming) {
  return set == Set::kCommon || naming == Naming::kBoth || (set == Set::kGuide) == (naming == Naming::kGuide);
}
bool attr_in(Attr attr, Naming naming);

// The attribute of a root that counts a finding; its code, which that ends in: "strict_server".
constexpr Attr finding_count(mcp::Finding finding) {
  return static_cast<Attr>(static_cast<int>(Attr::kCount) - static_cast<int>(mcp::Finding::kCount) +
                           static_cast<int>(finding));
}
static_assert(finding_count(mcp::Finding::kLost) == Attr::kFindingLost);
std::string_view finding_code(mcp::Finding finding);
std::string_view auth_scheme_text(mcp::AuthScheme scheme);  // "Bearer"
// Nothing: a newer version's.
std::optional<mcp::Finding> finding_of(std::string_view code);

// The span's name. `target` = tool or prompt name as it may be written, for semconv names; may be empty.
// guide/both: "mcp.tool_call", "mcp.resources_read", "mcp._OTHER"; semconv: "tools/call weather.get". Written into
// `buffer` where it has to be built.
std::string_view span_name(mcp::Method method, Naming naming, std::string_view target, std::string& buffer);
inline constexpr std::string_view kRootName = "agent_session";
// Of a root that was shipped before its end, what came after; what another installation's root lacks.
inline constexpr std::string_view kRootEndName = "agent_session.end";
inline constexpr std::string_view kRootPartName = "agent_session.part";
inline constexpr std::string_view kLateAnswerName = "mcp.late_answer";
inline constexpr std::string_view kHttpName = "http.request";

// Resource attribute keys.
inline constexpr std::string_view kServiceName = "service.name";
inline constexpr std::string_view kServiceInstanceId = "service.instance.id";
inline constexpr std::string_view kScopeName = "mcptrace";
// The conventions' schema, a constant to bump.
inline constexpr std::string_view kSchemaUrl = "https://opentelemetry.io/schemas/gen-ai/1.42.0";

}  // namespace mcptrace::trace
