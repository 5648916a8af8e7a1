// Every method that a revision of MCP specifies, once: its spelling, who may send it, in which era.
// Source: the five schemas.
#pragma once

#include <cstdint>
#include <string_view>

namespace mcptrace::mcp {

enum class Method : std::uint8_t {
  kNone,     // a response has no method
  kUnknown,  // nobody specified it
  kInitialize,
  kPing,
  kServerDiscover,
  kToolsList,
  kToolsCall,
  kPromptsList,
  kPromptsGet,
  kResourcesList,
  kResourcesTemplatesList,
  kResourcesRead,
  kResourcesSubscribe,
  kResourcesUnsubscribe,
  kCompletionComplete,
  kLoggingSetLevel,
  kSubscriptionsListen,
  kTasksGet,
  kTasksResult,
  kTasksList,
  kTasksCancel,
  kTasksUpdate,
  kSamplingCreateMessage,
  kElicitationCreate,
  kRootsList,
  kNotificationsInitialized,
  kNotificationsCancelled,
  kNotificationsProgress,
  kNotificationsMessage,
  kNotificationsRootsListChanged,
  kNotificationsToolsListChanged,
  kNotificationsPromptsListChanged,
  kNotificationsResourcesListChanged,
  kNotificationsResourcesUpdated,
  kNotificationsTasksStatus,
  kNotificationsTasks,
  kNotificationsElicitationComplete,
  kNotificationsSubscriptionsAcknowledged,
  kCount
};

// "tools/call" -> kToolsCall; kUnknown for anything else, case included.
Method method_from(std::string_view spelling);
// Does a request of it say that MCP is spoken? `spelling` where the method is kUnknown. Others have an `initialize`,
// too.
bool names_mcp(Method method, std::string_view spelling);
// Does only a server send it, and of MCP only?
bool is_server_only(Method method);
// Does only a client send it, in every era?
bool is_client_only(Method method);
// Did 2026-07-28 drop it?
bool is_dropped(Method method);
// Has a client to give it arguments, which may be wrong?
bool has_arguments(Method method);
// "tools/call"; "" for kNone and kUnknown. Valid for ever.
std::string_view method_text(Method method);

}  // namespace mcptrace::mcp
