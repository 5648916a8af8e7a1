#include "config/config.h"

#include <algorithm>
#include <utility>

#include "base/fd.h"
#include "config/fill.h"
#include "config/options.h"
#include "config/otel.h"
#include "config/reader.h"
#include "config/yaml.h"

namespace mcptrace::config {
namespace {

// What the file says. In `problems` also: that there is none, or that it is no YAML.
std::vector<Setting> read_file_settings(const std::string& path, std::vector<Problem>& problems) {
  const auto text = read_file(path, kMostYaml);
  if (!text) {
    problems.push_back({{}, {}, text.error().message});
    return {};
  }
  const auto tree = parse_yaml(*text);
  if (!tree) {
    problems.push_back({tree.error().place, {}, tree.error().message});
    return {};
  }
  Reading reading = read_settings(*tree);
  problems = std::move(reading.problems);
  return std::move(reading.settings);
}

void add_environment(const Lookup& environment, std::vector<Setting>& settings, std::vector<std::string>& warnings) {
  for (EnvironmentValue& value : values_from_environment(environment, warnings)) {
    const Option* const option = find_option(value.key);
    settings.push_back(
        {std::move(value.key), std::move(value.text), Origin::kVariable, std::move(value.variable), {}, option});
  }
}

std::string first_of(const std::vector<std::string>& problems) {
  std::string text = problems.front();
  if (problems.size() > 1) text += " (and " + std::to_string(problems.size() - 1) + " more: mcptrace config check)";
  return text;
}

}  // namespace

Checked check(const Lookup& environment, const std::string& path, std::span<const Given> flags) {
  Checked checked;
  Config& config = checked.config;
  config.file = path;
  std::vector<Problem> problems;
  if (!path.empty()) config.settings = read_file_settings(path, problems);
  add_environment(environment, config.settings, config.warnings);
  for (const auto& [key, text] : flags) {
    config.settings.push_back({std::string(key), text, Origin::kFlag, {}, {}, find_option(key)});
  }
  fill(config, config.settings, problems);
  std::ranges::sort(problems, {},
                    [](const Problem& problem) { return std::pair(problem.place.line, problem.place.column); });
  for (const Problem& problem : problems) {
    const bool unread = problem.place.line == 0 && problem.key.empty();  // names the file itself
    checked.problems.push_back(unread ? problem.message : text_of(path, problem));
  }
  return checked;
}

Result<Config> load(const Lookup& environment, const std::string& path, std::span<const Given> flags) {
  Checked checked = check(environment, path, flags);
  if (checked.problems.empty()) return std::move(checked.config);
  return std::unexpected(Error{Errc::kInvalidArgument, first_of(checked.problems)});
}

}  // namespace mcptrace::config
