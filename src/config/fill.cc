#include "config/fill.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "config/options.h"
#include "config/value.h"

namespace mcptrace::config {
namespace {

// Texts were checked when they were read.
std::size_t size_of(const std::string& text) { return parse_size(text).value_or(0); }
Nanos duration_of(const std::string& text) { return parse_duration(text).value_or(Nanos{}); }
double ratio_of(const std::string& text) { return parse_ratio(text).value_or(0); }
std::uint64_t count_of(const std::string& text) { return parse_number<std::uint64_t>(text).value_or(0); }
bool boolean_of(const std::string& text) { return text == "true"; }

Protocol protocol_of(std::string_view text) {
  if (text == "grpc") return Protocol::kGrpc;
  return text == "http/json" ? Protocol::kHttpJson : Protocol::kHttpProtobuf;
}

Compression compression_of(std::string_view text) {
  if (text == "zstd") return Compression::kZstd;
  return text == "gzip" ? Compression::kGzip : Compression::kNone;
}

template <class Target>
struct Field {
  std::string_view key;  // as the table writes it
  void (*set)(Target& target, const std::string& text);
};

constexpr Field<Config> kFields[] = {
    {"home", [](Config& c, const std::string& t) { c.home = t; }},
    {"name", [](Config& c, const std::string& t) { c.name = t; }},
    {"naming", [](Config& c, const std::string& t) { c.naming = t; }},
    {"inject", [](Config& c, const std::string& t) { c.inject = t; }},
    {"shapes", [](Config& c, const std::string& t) { c.shapes = boolean_of(t); }},
    {"spool.size", [](Config& c, const std::string& t) { c.spool.size = size_of(t); }},
    {"spool.fsync", [](Config& c, const std::string& t) { c.spool.fsync = t; }},
    {"sampling.ratio", [](Config& c, const std::string& t) { c.sampling.ratio = ratio_of(t); }},
    {"sampling.threshold", [](Config& c, const std::string& t) { c.sampling.threshold = count_of(t); }},
    {"sampling.threshold_calls", [](Config& c, const std::string& t) { c.sampling.threshold_calls = count_of(t); }},
    {"sampling.notifications", [](Config& c, const std::string& t) { c.sampling.notifications = ratio_of(t); }},
    {"sampling.first_calls", [](Config& c, const std::string& t) { c.sampling.first_calls = count_of(t); }},
    {"sampling.slow", [](Config& c, const std::string& t) { c.sampling.slow = duration_of(t); }},
    {"synthetic_secrets[]", [](Config& c, const std::string& t) { c.synthetic_secrets.push_back(t); }},
    {"metrics.listen", [](Config& c, const std::string& t) { c.metrics_listen = t; }},
    {"log.file", [](Config& c, const std::string& t) { c.log.file = t; }},
    {"log.size", [](Config& c, const std::string& t) { c.log.size = size_of(t); }},
};

constexpr Field<SamplingRule> kRuleFields[] = {
    {"sampling.rules[].server", [](SamplingRule& r, const std::string& t) { r.server = t; }},
    {"sampling.rules[].tool", [](SamplingRule& r, const std::string& t) { r.tool = t; }},
    {"sampling.rules[].client", [](SamplingRule& r, const std::string& t) { r.client = t; }},
    {"sampling.rules[].ratio", [](SamplingRule& r, const std::string& t) { r.ratio = ratio_of(t); }},
    {"sampling.rules[].threshold", [](SamplingRule& r, const std::string& t) { r.threshold = count_of(t); }},
    {"sampling.rules[].first_calls", [](SamplingRule& r, const std::string& t) { r.first_calls = count_of(t); }},
};

constexpr Field<Destination> kDestinationFields[] = {
    {"destinations[].name", [](Destination& d, const std::string& t) { d.name = t; }},
    {"destinations[].preset", [](Destination& d, const std::string& t) { d.preset = t; }},
    {"destinations[].region", [](Destination& d, const std::string& t) { d.region = t; }},
    {"destinations[].key", [](Destination& d, const std::string& t) { d.key = t; }},
    {"destinations[].user", [](Destination& d, const std::string& t) { d.user = t; }},
    {"destinations[].dataset", [](Destination& d, const std::string& t) { d.dataset = t; }},
    {"destinations[].endpoint", [](Destination& d, const std::string& t) { d.endpoint = t; }},
    {"destinations[].traces_endpoint", [](Destination& d, const std::string& t) { d.traces_endpoint = t; }},
    {"destinations[].protocol", [](Destination& d, const std::string& t) { d.protocol = protocol_of(t); }},
    {"destinations[].compression", [](Destination& d, const std::string& t) { d.compression = compression_of(t); }},
    {"destinations[].ca", [](Destination& d, const std::string& t) { d.ca = t; }},
    {"destinations[].certificate", [](Destination& d, const std::string& t) { d.certificate = t; }},
    {"destinations[].certificate_key", [](Destination& d, const std::string& t) { d.certificate_key = t; }},
    {"destinations[].insecure", [](Destination& d, const std::string& t) { d.insecure = boolean_of(t); }},
    {"destinations[].proxy", [](Destination& d, const std::string& t) { d.proxy = t; }},
    {"destinations[].timeout", [](Destination& d, const std::string& t) { d.timeout = duration_of(t); }},
    {"destinations[].delay", [](Destination& d, const std::string& t) { d.delay = duration_of(t); }},
    {"destinations[].retry_first", [](Destination& d, const std::string& t) { d.retry_first = duration_of(t); }},
    {"destinations[].retry_most", [](Destination& d, const std::string& t) { d.retry_most = duration_of(t); }},
    {"destinations[].batch_spans", [](Destination& d, const std::string& t) { d.batch_spans = count_of(t); }},
    {"destinations[].batch_bytes", [](Destination& d, const std::string& t) { d.batch_bytes = size_of(t); }},
    {"destinations[].attribute_bytes", [](Destination& d, const std::string& t) { d.attribute_bytes = size_of(t); }},
    {"destinations[].attribute_count", [](Destination& d, const std::string& t) { d.attribute_count = count_of(t); }},
    {"destinations[].event_count", [](Destination& d, const std::string& t) { d.event_count = count_of(t); }},
    {"destinations[].link_count", [](Destination& d, const std::string& t) { d.link_count = count_of(t); }},
    {"destinations[].event_attribute_count",
     [](Destination& d, const std::string& t) { d.event_attribute_count = count_of(t); }},
    {"destinations[].link_attribute_count",
     [](Destination& d, const std::string& t) { d.link_attribute_count = count_of(t); }},
    {"destinations[].max_age", [](Destination& d, const std::string& t) { d.max_age = duration_of(t); }},
    {"destinations[].partial_after", [](Destination& d, const std::string& t) { d.partial_after = duration_of(t); }},
    {"destinations[].fresh_share", [](Destination& d, const std::string& t) { d.fresh_share = ratio_of(t); }},
    {"destinations[].logs", [](Destination& d, const std::string& t) { d.logs = boolean_of(t); }},
    {"destinations[].content", [](Destination& d, const std::string& t) { d.content = boolean_of(t); }},
};

template <class Target, std::size_t N>
bool set(const Field<Target> (&fields)[N], Target& target, const Setting& setting) {
  const auto* const field = std::ranges::find(fields, setting.option->key, &Field<Target>::key);
  if (field == std::end(fields)) return false;
  field->set(target, setting.text);
  return true;
}

// The number behind `list` in "destinations[3].name".
std::size_t index_of(std::string_view list, std::string_view key) {
  return parse_number<std::size_t>(key.substr(list.size() + 1, key.find(']') - list.size() - 1)).value_or(0);
}

template <class Element>
Element& element(std::vector<Element>& elements, std::size_t index) {
  if (index >= elements.size()) elements.resize(index + 1);
  return elements[index];
}

void fill_one(Config& config, const Setting& setting) {
  constexpr std::string_view kHeaders = "destinations[].headers.*", kDestinations = "destinations",
                             kRules = "sampling.rules";
  const std::string_view row = setting.option->key;
  if (set(kFields, config, setting)) return;
  if (row.starts_with("destinations[]")) {
    Destination& destination = element(config.destinations, index_of(kDestinations, setting.key));
    if (set(kDestinationFields, destination, setting) || row != kHeaders) return;
    const std::size_t name = setting.key.find(".headers.") + std::string_view(".headers.").size();
    destination.headers.emplace_back(setting.key.substr(name), setting.text);
  } else if (row.starts_with("sampling.rules[]")) {
    set(kRuleFields, element(config.sampling.rules, index_of(kRules, setting.key)), setting);
  }
}

Place place_of(std::span<const Setting> settings, std::string_view start) {
  const auto found = std::ranges::find_if(settings, [&](const Setting& s) { return s.key.starts_with(start); });
  return found == settings.end() ? Place{} : found->place;
}

void check_destinations(const Config& config, std::span<const Setting> settings, std::vector<Problem>& problems) {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < config.destinations.size(); ++i) {
    const Destination& destination = config.destinations[i];
    const std::string key = "destinations[" + std::to_string(i) + "]";
    const auto wrong = [&](std::string message) {
      problems.push_back({place_of(settings, key + "."), key, std::move(message)});
    };
    if (std::ranges::find(names, destination.name) != names.end()) {
      wrong("another destination is called '" + destination.name + "'; each has a name of its own");
    }
    if (destination.name.starts_with("otel-")) wrong("names that begin with otel- are those of the environment");
    names.push_back(destination.name);
    const bool leads =
        !destination.preset.empty() || !destination.endpoint.empty() || !destination.traces_endpoint.empty();
    // One that is wrong in itself may have meant to.
    const bool read =
        std::ranges::none_of(problems, [&](const Problem& problem) { return problem.key.starts_with(key); });
    if (!leads && read) wrong("wants a preset, an endpoint or a traces_endpoint");
    if (destination.certificate.empty() != destination.certificate_key.empty()) {
      wrong("certificate and certificate_key go together: one of them is missing");
    }
  }
}

}  // namespace

void fill(Config& config, std::span<const Setting> settings, std::vector<Problem>& problems) {
  for (const Setting& setting : settings) {
    fill_one(config, setting);
    const bool may_refer = setting.option->type == Type::kReference || setting.option->type == Type::kHeader;
    const std::string_view variable = may_refer ? variable_of(setting.text) : std::string_view();
    if (!variable.empty()) config.variables.emplace_back(variable);
  }
  std::ranges::sort(config.variables);
  const auto [first, last] = std::ranges::unique(config.variables);
  config.variables.erase(first, last);
  check_destinations(config, settings, problems);
}

}  // namespace mcptrace::config
