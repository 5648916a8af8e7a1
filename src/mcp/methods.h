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
// "tools/call"; "" for kNone and kUnknown. Valid for ever.
std::string_view method_text(Method method);

}  // namespace mcptrace::mcp
