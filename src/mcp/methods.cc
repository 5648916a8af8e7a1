#include "mcp/methods.h"

#include <array>
#include <cstddef>

namespace mcptrace::mcp {
namespace {

constexpr std::size_t kMethods = static_cast<std::size_t>(Method::kCount);

// In the order of the enumeration.
constexpr std::array<std::string_view, kMethods> kSpellings = {
    "",
    "",
    "initialize",
    "ping",
    "server/discover",
    "tools/list",
    "tools/call",
    "prompts/list",
    "prompts/get",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "resources/subscribe",
    "resources/unsubscribe",
    "completion/complete",
    "logging/setLevel",
    "subscriptions/listen",
    "tasks/get",
    "tasks/result",
    "tasks/list",
    "tasks/cancel",
    "tasks/update",
    "sampling/createMessage",
    "elicitation/create",
    "roots/list",
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
    "notifications/message",
    "notifications/roots/list_changed",
    "notifications/tools/list_changed",
    "notifications/prompts/list_changed",
    "notifications/resources/list_changed",
    "notifications/resources/updated",
    "notifications/tasks/status",
    "notifications/tasks",
    "notifications/elicitation/complete",
    "notifications/subscriptions/acknowledged",
};
static_assert(!kSpellings.back().empty());

constexpr std::size_t kSlots = 256;

// Length and three bytes tell all spellings apart; the factor was searched so that no two share a slot.
constexpr std::size_t slot_of(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::size_t size = text.size();
  const std::uint32_t mixed =
      static_cast<std::uint32_t>(size) | byte(size / 3) << 8 | byte(size - 2) << 16 | byte(size / 2 + 1) << 24;
  return (mixed * 0x9567cea9u) >> 24;
}

struct Table {
  std::array<Method, kSlots> slots{};
  bool perfect = true;
};
constexpr Table make_table() {
  Table table;
  for (std::size_t i = 2; i < kMethods; ++i) {
    Method& slot = table.slots[slot_of(kSpellings[i])];
    table.perfect = table.perfect && slot == Method::kNone;
    slot = static_cast<Method>(i);
  }
  return table;
}
constexpr Table kTable = make_table();
static_assert(kTable.perfect, "two methods share a slot: search another factor for slot_of()");

}  // namespace

Method method_from(std::string_view spelling) {
  if (spelling.size() < 4 || spelling.size() > 255) return Method::kUnknown;
  const Method candidate = kTable.slots[slot_of(spelling)];
  if (candidate == Method::kNone || kSpellings[static_cast<std::size_t>(candidate)] != spelling)
    return Method::kUnknown;
  return candidate;
}

bool names_mcp(Method method, std::string_view spelling) {
  if (method == Method::kServerDiscover || (method >= Method::kToolsList && method <= Method::kResourcesUnsubscribe)) {
    return true;
  }
  return method == Method::kUnknown &&
         (spelling.starts_with("tools/") || spelling.starts_with("prompts/") || spelling.starts_with("resources/"));
}

bool is_server_only(Method method) {
  switch (method) {
    case Method::kSamplingCreateMessage:
    case Method::kElicitationCreate:
    case Method::kRootsList:
    case Method::kNotificationsMessage:
    case Method::kNotificationsToolsListChanged:
    case Method::kNotificationsPromptsListChanged:
    case Method::kNotificationsResourcesListChanged:
    case Method::kNotificationsResourcesUpdated:
    case Method::kNotificationsElicitationComplete:
      return true;
    default:
      return false;
  }
}

bool is_client_only(Method method) {
  return method == Method::kInitialize || method == Method::kNotificationsInitialized ||
         method == Method::kNotificationsRootsListChanged ||
         (method >= Method::kServerDiscover && method <= Method::kSubscriptionsListen);
}

bool is_dropped(Method method) {
  switch (method) {
    case Method::kPing:
    case Method::kResourcesSubscribe:
    case Method::kResourcesUnsubscribe:
    case Method::kLoggingSetLevel:
    case Method::kTasksResult:
    case Method::kTasksList:
    case Method::kSamplingCreateMessage:
    case Method::kElicitationCreate:
    case Method::kRootsList:
    case Method::kNotificationsInitialized:
    case Method::kNotificationsRootsListChanged:
    case Method::kNotificationsTasksStatus:
    case Method::kNotificationsElicitationComplete:
      return true;
    default:
      return false;
  }
}

bool has_arguments(Method method) {
  switch (method) {
    case Method::kPing:
    case Method::kServerDiscover:
    case Method::kToolsList:
    case Method::kPromptsList:
    case Method::kResourcesList:
    case Method::kResourcesTemplatesList:
    case Method::kTasksList:
      return false;
    default:
      return true;
  }
}

std::string_view method_text(Method method) {
  return method < Method::kCount ? kSpellings[static_cast<std::size_t>(method)] : std::string_view();
}

}  // namespace mcptrace::mcp
