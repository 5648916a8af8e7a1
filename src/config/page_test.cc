#include "config/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>

#include "config/help.h"
#include "config/options.h"
#include "config/value.h"

namespace mcptrace::config {
namespace {

TEST(Page, IsMadeOfTheTable) {
  if (std::getenv("MCPTRACE_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(MCPTRACE_CONFIGURATION_PAGE) << configuration_page();
  }
  std::ifstream file(MCPTRACE_CONFIGURATION_PAGE);
  const std::string page(std::istreambuf_iterator<char>(file), {});
  EXPECT_EQ(page, configuration_page()) << "make it anew: MCPTRACE_UPDATE_GOLDEN=1";
}

TEST(Options, EachRowIsOneThingAndWhole) {
  std::set<std::string_view> keys;
  for (const Option& option : options()) {
    const std::string_view name = option.key.empty() ? option.flag : option.key;
    EXPECT_FALSE(option.help.empty()) << name;
    EXPECT_TRUE(option.key.empty() || keys.insert(option.key).second) << name << " stands twice";
    EXPECT_EQ(option.type == Type::kChoice, !option.choices.empty()) << name;
    EXPECT_FALSE(option.key.empty() && option.flag.empty() && option.variable.empty());
    EXPECT_TRUE(option.flag.empty() || option.commands != kNobody) << name << " is nobody's flag";
    // A default that is a value is a good one.
    const bool words =
        option.fallback.contains(' ') || option.fallback.contains('$') || option.fallback.contains("preset");
    if (!option.fallback.empty() && !words) EXPECT_TRUE(check_value(option, {}, option.fallback)) << name;
  }
}

TEST(Help, HoldsItsCommandsFlagsInLinesThatFit) {
  const std::string run = options_help(kRun), proxy = options_help(kProxy);
  EXPECT_THAT(run, testing::HasSubstr("\n  --naming SET       names of spans"));
  EXPECT_THAT(run, testing::Not(testing::HasSubstr("--upstream")));
  EXPECT_THAT(proxy, testing::HasSubstr("\n  --trusted-proxy NETWORK\n                     these proxies say so"));
  for (const std::string& text : {run, proxy}) {
    std::size_t start = 0;
    for (std::size_t end; (end = text.find('\n', start)) != std::string::npos; start = end + 1) {
      EXPECT_LE(end - start, 120u) << text.substr(start, end - start);
    }
  }
}

}  // namespace
}  // namespace mcptrace::config
