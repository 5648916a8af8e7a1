#include "mcp/methods.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace mcptrace::mcp {
namespace {

TEST(Methods, EverySpellingIsItsOwnMethod) {
  std::set<std::string_view> seen;
  for (int i = static_cast<int>(Method::kUnknown) + 1; i < static_cast<int>(Method::kCount); ++i) {
    const auto method = static_cast<Method>(i);
    const std::string_view text = method_text(method);
    EXPECT_FALSE(text.empty());
    EXPECT_TRUE(seen.insert(text).second) << text;
    EXPECT_EQ(method_from(text), method) << text;
  }
  EXPECT_EQ(seen.size(), 36u);
}

TEST(Methods, TheEnumerationAndItsSpellingsAgree) {
  EXPECT_EQ(method_text(Method::kInitialize), "initialize");
  EXPECT_EQ(method_text(Method::kToolsCall), "tools/call");
  EXPECT_EQ(method_text(Method::kResourcesTemplatesList), "resources/templates/list");
  EXPECT_EQ(method_text(Method::kLoggingSetLevel), "logging/setLevel");
  EXPECT_EQ(method_text(Method::kTasksUpdate), "tasks/update");
  EXPECT_EQ(method_text(Method::kSamplingCreateMessage), "sampling/createMessage");
  EXPECT_EQ(method_text(Method::kRootsList), "roots/list");
  EXPECT_EQ(method_text(Method::kNotificationsInitialized), "notifications/initialized");
  EXPECT_EQ(method_text(Method::kNotificationsResourcesUpdated), "notifications/resources/updated");
  EXPECT_EQ(method_text(Method::kNotificationsTasks), "notifications/tasks");
  EXPECT_EQ(method_text(Method::kNotificationsSubscriptionsAcknowledged), "notifications/subscriptions/acknowledged");
  EXPECT_EQ(method_text(Method::kNone), "");
  EXPECT_EQ(method_text(Method::kUnknown), "");
}

TEST(Methods, NothingElseIsKnown) {
  for (int i = static_cast<int>(Method::kUnknown) + 1; i < static_cast<int>(Method::kCount); ++i) {
    const std::string text(method_text(static_cast<Method>(i)));
    for (std::size_t at = 0; at < text.size(); ++at) {
      std::string other = text;
      other[at] = static_cast<char>(other[at] ^ 0x20);
      EXPECT_EQ(method_from(other), Method::kUnknown) << other;
      if (text.substr(0, at) != "notifications/tasks") EXPECT_EQ(method_from(text.substr(0, at)), Method::kUnknown);
    }
    EXPECT_EQ(method_from(text + "x"), Method::kUnknown);
  }
  EXPECT_EQ(method_from(""), Method::kUnknown);
  EXPECT_EQ(method_from(std::string(1 << 20, 'a')), Method::kUnknown);
  EXPECT_EQ(method_from(std::string_view("ping\0", 5)), Method::kUnknown);
}

}  // namespace
}  // namespace mcptrace::mcp
