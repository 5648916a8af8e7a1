#include "golden/case_file.h"

#include <sstream>

namespace mcptrace::golden {

Result<Case> parse_case(const std::string& text) {
  Case golden;
  std::string* section = nullptr;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line == "--- transcript") {
      section = &golden.transcript;
    } else if (line == "--- forwarded") {
      section = &golden.forwarded;
    } else if (line == "--- records") {
      section = &golden.records;
    } else if (section != nullptr) {
      section->append(line).append("\n");
    } else if (line.starts_with("title: ")) {
      golden.title = line.substr(7);
    } else if (line.starts_with("option: ")) {
      golden.options.push_back(line.substr(8));
    } else if (!line.empty()) {
      return std::unexpected(
          Error{Errc::kInvalidArgument, "a golden case's head has 'title: ' and 'option: ' lines, not '" + line + "'"});
    }
  }
  if (golden.title.empty() || golden.transcript.empty()) {
    return std::unexpected(Error{Errc::kInvalidArgument, "a golden case wants a title and a transcript"});
  }
  return golden;
}

std::string format_case(const Case& golden) {
  std::string text = "title: " + golden.title + "\n";
  for (const std::string& option : golden.options) text += "option: " + option + "\n";
  text += "--- transcript\n" + golden.transcript;
  if (!golden.forwarded.empty()) text += "--- forwarded\n" + golden.forwarded;
  return text + "--- records\n" + golden.records;
}

}  // namespace mcptrace::golden
