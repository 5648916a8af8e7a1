#include "config/otel.h"

#include <algorithm>

#include "base/text.h"
#include "base/utf8.h"
#include "config/value.h"

namespace mcptrace::config {
namespace {

// An endpoint among them, or any of the others of the exporter, makes a destination.
constexpr std::string_view kVariables[] = {
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_COMPRESSION",
    "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CLIENT_KEY",
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
    "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_INSECURE",
    "OTEL_EXPORTER_OTLP_TRACES_INSECURE",
    "OTEL_TRACES_EXPORTER",
    "OTEL_SDK_DISABLED",
    "OTEL_CONFIG_FILE",
    "OTEL_EXPERIMENTAL_CONFIG_FILE",
    "OTEL_BSP_SCHEDULE_DELAY",
    "OTEL_BSP_EXPORT_TIMEOUT",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_SPAN_EVENT_COUNT_LIMIT",
    "OTEL_SPAN_LINK_COUNT_LIMIT",
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
};
constexpr std::string_view kExporter = "OTEL_EXPORTER_OTLP_";

bool is_one_of(std::string_view text, std::span<const std::string_view> words) {
  return std::ranges::any_of(words, [&](std::string_view word) { return same_text(text, word); });
}

// Reads variables; what it cannot use it says, and gives as not set.
class Variables {
 public:
  Variables(const Lookup& environment, std::vector<std::string>& warnings)
      : environment_(environment), warnings_(warnings) {}

  [[nodiscard]] std::string get(std::string_view name) const { return std::string(trim(value_of(environment_, name))); }
  void ignore(std::string_view name, std::string_view why) const {
    warnings_.push_back(std::string(name) + " is ignored: " + std::string(why));
  }

  // Asked with the names in the order in which they win; takes the first that is set and good.
  template <class Value, class Parse>
  [[nodiscard]] std::optional<Value> first(std::initializer_list<std::string> names, std::string_view wanted,
                                           Parse parse) const {
    for (const std::string& name : names) {
      const std::string text = get(name);
      if (text.empty()) continue;
      std::optional<Value> value = parse(text);
      if (value) return value;
      ignore(name, "it wants " + std::string(wanted));
    }
    return std::nullopt;
  }
  // Of the exporter: that of traces before that of all signals.
  template <class Value, class Parse>
  [[nodiscard]] std::optional<Value> exporter(std::string_view name, std::string_view wanted, Parse parse) const {
    const std::string end(name), start(kExporter);
    return first<Value>({start + "TRACES_" + end, start + end}, wanted, parse);
  }
  [[nodiscard]] bool is_set(std::string_view name) const { return !get(name).empty(); }

 private:
  const Lookup& environment_;
  std::vector<std::string>& warnings_;
};

std::optional<Nanos> parse_milliseconds(std::string_view text) {
  const auto count = parse_number<std::uint32_t>(text);
  if (!count || *count == 0) return std::nullopt;
  return std::chrono::milliseconds(*count);
}

std::optional<std::size_t> parse_limit(std::string_view text) {
  const auto count = parse_number<std::uint32_t>(text);
  if (!count || *count == 0) return std::nullopt;
  return *count;
}

std::optional<Protocol> parse_protocol(std::string_view text) {
  if (same_text(text, "grpc")) return Protocol::kGrpc;
  if (same_text(text, "http/protobuf")) return Protocol::kHttpProtobuf;
  if (same_text(text, "http/json")) return Protocol::kHttpJson;
  return std::nullopt;
}

std::optional<Compression> parse_compression(std::string_view text) {
  if (same_text(text, "none")) return Compression::kNone;
  if (same_text(text, "gzip")) return Compression::kGzip;
  return std::nullopt;
}

std::optional<std::string> parse_path(std::string_view text) {
  if (!text.starts_with('/')) return std::nullopt;  // who sends sits elsewhere
  return std::string(text);
}

bool is_header_value(std::string_view text) {
  return std::ranges::none_of(text,
                              [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; });
}

// "k=v,k2=v2": values are percent-encoded. Of a bad member, which may be a secret, only its number is said.
std::vector<std::pair<std::string, std::string>> parse_headers(const Variables& variables, const std::string& name) {
  std::vector<std::pair<std::string, std::string>> headers;
  const std::string text = variables.get(name);
  std::string_view rest = text;
  for (int number = 1; !rest.empty(); ++number) {
    const std::string_view member = take_until(rest, ',');
    if (trim(member).empty()) continue;
    const std::size_t equals = member.find('=');
    const std::string_view key = trim(member.substr(0, equals));
    const auto value = equals == member.npos ? std::nullopt : percent_decode(trim(member.substr(equals + 1)));
    if (!is_header_name(key) || !value || !is_header_value(*value)) {
      variables.ignore("member " + std::to_string(number) + " of " + name, "it is not NAME=VALUE, percent-encoded");
      continue;
    }
    headers.emplace_back(key, *value);
  }
  return headers;
}

// A file replaces all other variables; we do not read it.
bool has_config_file(const Variables& variables, bool say) {
  for (const std::string_view name : {"OTEL_CONFIG_FILE", "OTEL_EXPERIMENTAL_CONFIG_FILE"}) {
    if (!variables.is_set(name)) continue;
    if (say) {
      variables.ignore(name,
                       "it is for SDKs, and in its place other OTEL_ variables do not count; name destinations in "
                       "mcptrace.yaml");
    }
    return true;
  }
  return false;
}

bool wants_otlp(const Variables& variables) {
  constexpr std::string_view kName = "OTEL_TRACES_EXPORTER";
  constexpr std::string_view kOthers[] = {"console", "zipkin", "otlp/stdout", "jaeger", "logging"};
  const std::string text = variables.get(kName);
  bool any = text.empty(), none = false;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view name = trim(take_until(rest, ','));
    if (same_text(name, "otlp")) return true;
    if (same_text(name, "none")) {
      none = true;
    } else if (is_one_of(name, kOthers)) {
      none = true;
      variables.ignore(kName, "of exporters mcptrace has otlp alone; nothing is sent");
    } else if (!name.empty()) {
      any = true;
      variables.ignore(kName, "it wants otlp or none");
    }
  }
  return any && !none;
}

bool is_named(const Variables& variables) {
  for (const std::string_view name : kVariables) {
    if (name.starts_with(kExporter) && variables.is_set(name)) return true;
  }
  // Its default alone is no wish.
  std::string_view rest;
  const std::string exporters = variables.get("OTEL_TRACES_EXPORTER");
  for (rest = exporters; !rest.empty();) {
    if (same_text(trim(take_until(rest, ',')), "otlp")) return true;
  }
  return false;
}

// False: one is wanted that cannot be used. A place that nobody named gets nothing in its stead.
bool read_endpoints(const Variables& variables, Destination& destination) {
  const bool grpc = destination.protocol == Protocol::kGrpc;
  const Option form{.type = grpc ? Type::kEndpoint : Type::kUrl};
  const auto read = [&](std::string_view name, std::string& into) {
    const std::string text = variables.get(name);
    if (text.empty()) return true;
    if (!check_value(form, {}, text)) {
      variables.ignore(name, std::string("it wants ") + wanted(form) + "; nothing is sent");
      return false;
    }
    into = text;
    return true;
  };
  if (!read("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", destination.traces_endpoint)) return false;
  if (!destination.traces_endpoint.empty()) return true;
  if (!read("OTEL_EXPORTER_OTLP_ENDPOINT", destination.endpoint)) return false;
  if (destination.endpoint.empty()) destination.endpoint = grpc ? "http://localhost:4317" : "http://localhost:4318";
  return true;
}

void read_limits(const Variables& variables, Destination& destination) {
  constexpr std::string_view kNumber = "a whole number from 1", kTime = "milliseconds, from 1";
  destination.timeout = variables.exporter<Nanos>("TIMEOUT", kTime, parse_milliseconds);
  const auto whole = variables.first<Nanos>({"OTEL_BSP_EXPORT_TIMEOUT"}, kTime, parse_milliseconds);
  if (whole) destination.timeout = std::min(*whole, destination.timeout.value_or(std::chrono::seconds(10)));
  destination.delay = variables.first<Nanos>({"OTEL_BSP_SCHEDULE_DELAY"}, kTime, parse_milliseconds);
  destination.batch_spans = variables.first<std::size_t>({"OTEL_BSP_MAX_EXPORT_BATCH_SIZE"}, kNumber, parse_limit);
  destination.attribute_bytes = variables.first<std::size_t>(
      {"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"}, kNumber, parse_limit);
  destination.attribute_count = variables.first<std::size_t>(
      {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"}, kNumber, parse_limit);
  const auto count = [&](const char* name) { return variables.first<std::size_t>({name}, kNumber, parse_limit); };
  destination.event_count = count("OTEL_SPAN_EVENT_COUNT_LIMIT");
  destination.link_count = count("OTEL_SPAN_LINK_COUNT_LIMIT");
  destination.event_attribute_count = count("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT");
  destination.link_attribute_count = count("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT");
}

// The ratio that a sampler keeps.
std::optional<std::string> ratio_of_sampler(const Variables& variables) {
  std::string name = variables.get("OTEL_TRACES_SAMPLER");
  std::ranges::transform(name, name.begin(), lower);
  if (name.empty()) return std::nullopt;
  std::string_view rest = name;
  if (rest.starts_with("parentbased_")) rest.remove_prefix(std::string_view("parentbased_").size());
  if (rest == "always_on") return "1";
  if (rest == "always_off") return "0";
  if (rest != "traceidratio") {
    variables.ignore("OTEL_TRACES_SAMPLER",
                     "of samplers mcptrace has always_on, always_off and traceidratio, alone or "
                     "behind parentbased_");
    return std::nullopt;
  }
  std::string argument = variables.get("OTEL_TRACES_SAMPLER_ARG");
  if (argument.empty()) return "1";
  if (parse_ratio(argument)) return argument;
  variables.ignore("OTEL_TRACES_SAMPLER_ARG", "it wants a number from 0 to 1");
  return "1";
}

// Are there propagators, and ours is none of them?
bool has_other_propagators(const Variables& variables) {
  constexpr std::string_view kName = "OTEL_PROPAGATORS";
  constexpr std::string_view kOthers[] = {"baggage", "b3",          "b3multi", "jaeger",
                                          "xray",    "xray-lambda", "ottrace", "none"};
  const std::string text = variables.get(kName);
  bool others = false;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view name = trim(take_until(rest, ','));
    if (same_text(name, "tracecontext")) return false;
    if (is_one_of(name, kOthers)) {
      others = true;
    } else if (!name.empty()) {
      variables.ignore("a name in " + std::string(kName), "it is no propagator that we know");
    }
  }
  return others;
}

void add_value(std::vector<EnvironmentValue>& values, const Variables& variables, EnvironmentValue value) {
  const bool home = value.key == "home";  // $MCPTRACE_HOME may be a relative path
  if (const auto good = check_value(*find_option(value.key), {}, value.text); !good && !home) {
    variables.ignore(value.variable, "it " + good.error().message);
  } else {
    values.push_back(std::move(value));
  }
}

void add_otel_values(std::vector<EnvironmentValue>& values, const Variables& variables) {
  const std::string attributes = variables.get("OTEL_RESOURCE_ATTRIBUTES"), name = variables.get("OTEL_SERVICE_NAME");
  if (!name.empty()) {
    add_value(values, variables, {"name", name, "OTEL_SERVICE_NAME"});
  } else if (const auto parsed = parse_resource_attributes(attributes)) {
    const auto named = std::ranges::find(*parsed, "service.name", &std::pair<std::string, std::string>::first);
    const bool found = named != parsed->end() && !named->second.empty();
    if (found) add_value(values, variables, {"name", named->second, "OTEL_RESOURCE_ATTRIBUTES"});
  }
  if (has_config_file(variables, false)) return;
  if (auto ratio = ratio_of_sampler(variables)) {
    add_value(values, variables, {"sampling.ratio", *std::move(ratio), "OTEL_TRACES_SAMPLER"});
  }
  if (has_other_propagators(variables)) add_value(values, variables, {"inject", "never", "OTEL_PROPAGATORS"});
}

}  // namespace

bool is_true(const std::optional<std::string>& value) { return value && same_text(*value, "true"); }

Result<std::vector<std::pair<std::string, std::string>>> parse_resource_attributes(std::string_view value) {
  std::vector<std::pair<std::string, std::string>> attributes;
  while (!value.empty()) {
    const std::string_view member = take_until(value, ',');
    if (trim(member).empty()) continue;
    const std::size_t equals = member.find('=');
    const std::string_view key = trim(member.substr(0, equals));
    const auto decoded =
        equals == std::string_view::npos ? std::nullopt : percent_decode(trim(member.substr(equals + 1)));
    if (key.empty() || !decoded || !is_utf8(*decoded) || !is_utf8(key)) {
      return std::unexpected(
          Error{Errc::kInvalidArgument, "member " + std::to_string(attributes.size() + 1) + " is not key=value"});
    }
    attributes.emplace_back(key, *decoded);
  }
  return attributes;
}

std::span<const std::string_view> destination_variables() { return kVariables; }

EnvironmentDestination destination_from_environment(const Lookup& environment) {
  EnvironmentDestination result;
  const Variables variables(environment, result.warnings);
  const bool wanted = !is_true(variables.get("OTEL_SDK_DISABLED")) && is_named(variables) &&
                      !has_config_file(variables, true) && wants_otlp(variables);
  if (!wanted) return result;
  Destination destination;
  destination.protocol = variables.exporter<Protocol>("PROTOCOL", "grpc, http/protobuf or http/json", parse_protocol);
  if (!read_endpoints(variables, destination)) return result;
  destination.compression = variables.exporter<Compression>("COMPRESSION", "gzip or none", parse_compression);
  if (!destination.compression) destination.compression = Compression::kNone;
  const bool own_headers = variables.is_set("OTEL_EXPORTER_OTLP_TRACES_HEADERS");
  destination.headers =
      parse_headers(variables, own_headers ? "OTEL_EXPORTER_OTLP_TRACES_HEADERS" : "OTEL_EXPORTER_OTLP_HEADERS");
  constexpr std::string_view kPath = "an absolute path";
  destination.ca = variables.exporter<std::string>("CERTIFICATE", kPath, parse_path).value_or("");
  destination.certificate = variables.exporter<std::string>("CLIENT_CERTIFICATE", kPath, parse_path).value_or("");
  destination.certificate_key = variables.exporter<std::string>("CLIENT_KEY", kPath, parse_path).value_or("");
  destination.insecure = variables
                             .exporter<bool>("INSECURE", "true or false",
                                             [](std::string_view text) {
                                               const bool known = same_text(text, "true") || same_text(text, "false");
                                               return known ? std::optional(same_text(text, "true")) : std::nullopt;
                                             })
                             .value_or(false);
  read_limits(variables, destination);
  result.destination = std::move(destination);
  return result;
}

std::vector<EnvironmentValue> values_from_environment(const Lookup& environment, std::vector<std::string>& warnings) {
  std::vector<EnvironmentValue> values;
  const Variables variables(environment, warnings);
  add_otel_values(values, variables);
  for (const Option& option : options()) {
    const bool ours = !option.key.empty() && option.variable.starts_with("MCPTRACE_");
    std::string text = ours ? value_of(environment, option.variable) : std::string();
    if (text.empty()) continue;
    add_value(values, variables, {std::string(option.key), std::move(text), std::string(option.variable)});
  }
  return values;
}

}  // namespace mcptrace::config
