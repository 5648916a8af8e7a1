// Any bytes as a configuration file, as its flat copy, and as exporter variables: each is read or refused in a sentence
// of one line, what is read has the form that its row of the table wants, and a copy survives being printed.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "config/fill.h"
#include "config/flat.h"
#include "config/options.h"
#include "config/otel.h"
#include "config/reader.h"
#include "config/value.h"
#include "config/yaml.h"

namespace {

using namespace mcptrace::config;

void check(bool good) {
  if (!good) std::abort();
}

bool is_line(const std::string& text) { return !text.empty() && !text.contains('\n'); }

void read_as_file(std::string_view input) {
  const auto tree = parse_yaml(input);
  if (!tree) return check(is_line(tree.error().message));
  Reading reading = read_settings(*tree);
  for (const Setting& setting : reading.settings) {
    check(setting.option != nullptr && setting.place.line > 0);
    const std::string name = setting.key.substr(std::min(setting.key.find(".headers."), setting.key.size() - 9) + 9);
    const bool header = setting.option->type == Type::kHeader;
    check(check_value(*setting.option, header ? name : std::string(), setting.text).has_value());
  }
  Config config;
  fill(config, reading.settings, reading.problems);
  for (const Problem& problem : reading.problems) check(!problem.message.empty());
}

void read_as_copy(std::string_view input) {
  const std::string first = "mcptrace-config 1 " MCPTRACE_VERSION "\n";
  const auto copy = parse_flat(first + std::string(input) + "\nend\n");
  if (!copy) return;
  const auto again = parse_flat(print_flat(*copy));
  check(again && print_flat(*again) == print_flat(*copy));
}

void read_as_variables(std::string_view input) {
  const auto result = destination_from_environment([&](std::string_view name) -> std::optional<std::string> {
    const bool ends = name == "OTEL_SDK_DISABLED" || name.ends_with("CONFIG_FILE") || name == "OTEL_TRACES_EXPORTER";
    return ends ? std::nullopt : std::optional<std::string>(name.ends_with("ENDPOINT") ? "http://h" : input);
  });
  if (!result.destination) std::abort();
  for (const auto& [name, value] : result.destination->headers) check(is_header_name(name) && !value.contains('\n'));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  read_as_file(input);
  read_as_copy(input);
  read_as_variables(input);
  return 0;
}
