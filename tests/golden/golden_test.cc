// Every tests/golden/cases/*.case, played and compared. MCPTRACE_UPDATE_GOLDEN=1 rewrites them: read the difference
// before you commit it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/fd.h"
#include "golden/case_file.h"

namespace mcptrace::golden {
namespace {

std::vector<std::string> case_paths() {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(MCPTRACE_GOLDEN_CASES)) {
    if (entry.path().extension() == ".case") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, Case) {
  const auto text = read_file(GetParam(), 8u << 20);
  ASSERT_TRUE(text) << text.error().message;
  const auto golden = parse_case(*text);
  ASSERT_TRUE(golden) << golden.error().message;
  const auto result = run_case(*golden);
  ASSERT_TRUE(result) << result.error().message;
  if (std::getenv("MCPTRACE_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(GetParam()) << format_case(*result);
    return;
  }
  EXPECT_EQ(result->forwarded, golden->forwarded);
  EXPECT_EQ(result->records, golden->records) << golden->title;
}

std::string case_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = std::filesystem::path(info.param).stem().string();
  std::replace_if(name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Cases, Golden, testing::ValuesIn(case_paths()), case_name);

}  // namespace
}  // namespace mcptrace::golden
