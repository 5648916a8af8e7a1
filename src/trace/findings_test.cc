#include "trace/findings.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "trace/conventions.h"

namespace mcptrace::trace {
namespace {

TEST(Findings, TheirPageIsMadeOfTheTable) {
  if (std::getenv("MCPTRACE_UPDATE_GOLDEN") != nullptr) std::ofstream(MCPTRACE_FINDINGS_PAGE) << findings_page();
  std::ifstream file(MCPTRACE_FINDINGS_PAGE);
  const std::string page(std::istreambuf_iterator<char>(file), {});
  EXPECT_EQ(page, findings_page()) << "make it anew: MCPTRACE_UPDATE_GOLDEN=1";
}

TEST(Findings, EachRowIsOfItsCode) {
  EXPECT_EQ(finding_code(mcp::Finding::kContentLengthFraming), "content_length_framing");
  EXPECT_NE(finding_text(mcp::Finding::kContentLengthFraming).meaning.find("Content-Length"), std::string_view::npos);
  EXPECT_NE(finding_text(mcp::Finding::kStrictServer).remedy.find("--inject"), std::string_view::npos);
  EXPECT_NE(finding_text(mcp::Finding::kBadResultType).meaning.find("resultType"), std::string_view::npos);
  EXPECT_EQ(finding_code(mcp::Finding::kLost), "lost");
  EXPECT_NE(finding_text(mcp::Finding::kLost).meaning.find("lost"), std::string_view::npos);
  EXPECT_EQ(severity_text(finding_text(mcp::Finding::kIdMismatch).severity), "error");
}

}  // namespace
}  // namespace mcptrace::trace
