#include "app/ship_destinations.h"

#include <map>

#include "base/text.h"
#include "config/otel.h"
#include "ship/presets.h"
#include "spool/destinations.h"

namespace mcptrace::app {
namespace {

// "NAME=value" lines as an environment.
config::Lookup lookup_in(const std::string& text) {
  std::map<std::string, std::string, std::less<>> variables;
  for (std::string_view rest = text; !rest.empty();) {
    std::string_view value = take_until(rest, '\n');
    const std::string_view name = take_until(value, '=');
    variables.emplace(name, value);
  }
  return [variables = std::move(variables)](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

void add(const config::Destination& destination, const std::string& only, Destinations& to) {
  if (auto settings = ship::settings_of(destination)) {
    to.wanted.push_back({*std::move(settings), only});
  } else {
    to.errors.push_back(settings.error().message);
  }
}

}  // namespace

Destinations find_destinations(const config::Config* config, const std::string& state) {
  Destinations found;
  if (config != nullptr) {
    for (const config::Destination& destination : config->destinations) add(destination, {}, found);
  }
  for (const spool::LeftDestination& left : spool::left_destinations(state)) {
    auto of_environment = config::destination_from_environment(lookup_in(left.text)).destination;
    if (!of_environment) continue;
    of_environment->name = left.name;
    add(*of_environment, left.name, found);
  }
  return found;
}

}  // namespace mcptrace::app
