#include "config/print.h"

#include <algorithm>
#include <iterator>

#include "base/shown.h"
#include "config/options.h"
#include "config/reference.h"
#include "config/value.h"

namespace mcptrace::config {
namespace {

constexpr std::string_view kHidden = "…";

std::string value_shown(const Option& option, const std::string& text) {
  if (is_reference(text) && (option.type == Type::kReference || option.type == Type::kHeader)) return text;
  switch (option.type) {
    case Type::kReference:
    case Type::kHeader:
      return std::string(kHidden);
    case Type::kUrl:
    case Type::kEndpoint:
    case Type::kProxyAddress:
      return shown(text);
    default:
      return option.key.ends_with("command[]") ? shown(text) : text;
  }
}

std::string source_of(const Setting& setting) {
  switch (setting.origin) {
    case Origin::kFile:
      return "file, line " + std::to_string(setting.place.line);
    case Origin::kVariable:
      return "variable " + setting.variable;
    case Origin::kFlag:
      return "flag";
    case Origin::kDefault:
      break;
  }
  return "default";
}

std::string note_of(const Setting& setting, const Lookup& environment) {
  const bool refers = setting.option->type == Type::kReference || setting.option->type == Type::kHeader;
  if (!refers || !is_reference(setting.text)) return {};
  auto secret = resolve(setting.text, environment);
  if (!secret) return secret.error().message;
  wipe(*secret);
  return "set";
}

Shown shown_of(const Setting& setting, const Lookup& environment) {
  return {setting.key, value_shown(*setting.option, setting.text), source_of(setting), note_of(setting, environment),
          std::string(setting.option->later)};
}

bool in_list(const Option& option) { return option.key.contains("[]") || option.key.ends_with(".*"); }

// The last that was said of a key holds.
const Setting* what_holds(const Config& config, std::string_view key) {
  const auto found = std::find_if(config.settings.rbegin(), config.settings.rend(),
                                  [&](const Setting& setting) { return setting.key == key; });
  return found == config.settings.rend() ? nullptr : &*found;
}

// "destinations" of "destinations[].name".
std::string_view top_of(std::string_view key) { return key.substr(0, key.find_first_of(".[")); }

}  // namespace

std::vector<Shown> show(const Config& config, const Lookup& environment) {
  std::vector<Shown> list;
  std::vector<std::string_view> told;
  for (const Option& option : options()) {
    if (option.key.empty()) continue;
    if (!in_list(option)) {
      const Setting* const said = what_holds(config, option.key);
      if (said != nullptr) {
        list.push_back(shown_of(*said, environment));
      } else {
        list.push_back(
            {std::string(option.key), std::string(option.fallback), "default", {}, std::string(option.later)});
      }
      continue;
    }
    // A list stands where its first row does, element by element.
    const std::string_view start = option.key.substr(0, option.key.find("[]"));
    if (std::ranges::find(told, start) != told.end()) continue;
    told.push_back(start);
    for (const Setting& setting : config.settings) {
      if (setting.key.starts_with(std::string(start) + "[")) list.push_back(shown_of(setting, environment));
    }
  }
  return list;
}

std::vector<Shown> show_environment_destination(const Destination& destination) {
  std::vector<Shown> list;
  const auto add = [&](std::string_view key, std::string value) {
    list.push_back({"(environment)." + std::string(key), std::move(value), "variables OTEL_…", {}, {}});
  };
  constexpr const char* kProtocols[] = {"http/protobuf", "http/json", "grpc"};
  if (!destination.endpoint.empty()) add("endpoint", shown(destination.endpoint));
  if (!destination.traces_endpoint.empty()) add("traces_endpoint", shown(destination.traces_endpoint));
  if (destination.protocol) add("protocol", kProtocols[static_cast<std::size_t>(*destination.protocol)]);
  if (destination.compression == Compression::kGzip) add("compression", "gzip");
  for (const auto& [name, value] : destination.headers) add("headers." + name, std::string(kHidden));
  if (!destination.ca.empty()) add("ca", destination.ca);
  if (!destination.certificate.empty()) add("certificate", destination.certificate);
  if (!destination.certificate_key.empty()) add("certificate_key", destination.certificate_key);
  return list;
}

std::vector<std::string> without_effect(const Config& config) {
  std::vector<std::string> keys;
  for (const Setting& setting : config.settings) {
    if (setting.option->later.empty()) continue;
    const std::string_view top = top_of(setting.key);
    // Of a part that waits as a whole its name alone.
    const bool whole = std::ranges::all_of(
        options(), [&](const Option& option) { return top_of(option.key) != top || !option.later.empty(); });
    std::string text = (whole ? std::string(top) : setting.key) + " (" + std::string(setting.option->later) + ")";
    if (std::ranges::find(keys, text) == keys.end()) keys.push_back(std::move(text));
  }
  return keys;
}

}  // namespace mcptrace::config
