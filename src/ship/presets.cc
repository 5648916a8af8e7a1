#include "ship/presets.h"

#include <algorithm>

#include "base/text.h"
#include "ship/request.h"

namespace mcptrace::ship {
namespace {

using config::Destination;
using config::Protocol;
using Form = HeaderSetting::Form;
using std::chrono::hours;
using std::chrono::minutes;

constexpr Protocol kAll[] = {Protocol::kHttpProtobuf, Protocol::kHttpJson, Protocol::kGrpc};
constexpr Protocol kHttp[] = {Protocol::kHttpProtobuf, Protocol::kHttpJson};
constexpr Protocol kProtobuf[] = {Protocol::kHttpProtobuf, Protocol::kGrpc};

constexpr Preset::Region kHoneycomb[] = {{"us", "api.honeycomb.io"}, {"eu", "api.eu1.honeycomb.io"}};
constexpr Preset::Region kLightstep[] = {{"us", "ingest.lightstep.com"}, {"eu", "ingest.eu.lightstep.com"}};
constexpr Preset::Region kNewRelic[] = {
    {"us", "otlp.nr-data.net"}, {"eu", "otlp.eu01.nr-data.net"}, {"fedramp", "gov-otlp.nr-data.net"}};
constexpr Preset::Region kDatadog[] = {{"us1", "datadoghq.com"},     {"us3", "us3.datadoghq.com"},
                                       {"us5", "us5.datadoghq.com"}, {"eu", "datadoghq.eu"},
                                       {"ap1", "ap1.datadoghq.com"}, {"ap2", "ap2.datadoghq.com"}};
constexpr Preset::Region kAxiom[] = {{"us", "api.axiom.co"}, {"eu", "api.eu.axiom.co"}};

// What a backend takes as one body, a tenth less; where compressed bytes are counted, that is all the safer.
constexpr Preset kPresets[] = {
    {.name = "collector", .endpoint = "http://127.0.0.1:4318", .protocols = kAll},
    {.name = "jaeger", .endpoint = "http://127.0.0.1:4318", .protocols = kAll},
    {.name = "tempo",
     .endpoint = "http://127.0.0.1:4318",
     .dataset_header = "x-scope-orgid",
     .protocols = kAll,
     .limits = {.attribute_bytes = 2048},
     .max_age = minutes(2)},
    {.name = "grafana-cloud",
     .endpoint = "https://otlp-gateway-{region}.grafana.net/otlp",
     .needs_region = true,
     .key_header = "authorization",
     .key_form = Form::kBasic,
     .needs_key = true,
     .needs_user = true,
     .protocols = kHttp,
     .limits = {.attribute_bytes = 2048},
     .max_age = minutes(2)},
    {.name = "honeycomb",
     .endpoint = "https://{region}",
     .regions = kHoneycomb,
     .key_header = "x-honeycomb-team",
     .needs_key = true,
     .dataset_header = "x-honeycomb-dataset",
     .protocols = kAll,
     .limits = {.attribute_bytes = 65'535}},
    {.name = "lightstep",
     .endpoint = "https://{region}",
     .regions = kLightstep,
     .key_header = "lightstep-access-token",
     .needs_key = true,
     .protocols = kProtobuf,
     .retired = "Lightstep (ServiceNow Cloud Observability) is believed to have ended on 2026-03-01"},
    {.name = "axiom",
     .endpoint = "https://{region}",
     .regions = kAxiom,
     .key_header = "authorization",
     .key_form = Form::kBearer,
     .needs_key = true,
     .dataset_header = "x-axiom-dataset",
     .needs_dataset = true,
     .protocols = kHttp,
     .limits = {.attribute_bytes = 1'000'000}},
    {.name = "newrelic",
     .endpoint = "https://{region}",
     .regions = kNewRelic,
     .key_header = "api-key",
     .needs_key = true,
     .protocols = kProtobuf,
     .limits = {.batch_bytes = 900'000, .attribute_bytes = 4095, .attribute_count = 64},
     .max_age = hours(1)},
    {.name = "datadog",
     .endpoint = "https://otlp.{region}",
     .regions = kDatadog,
     .key_header = "dd-api-key",
     .needs_key = true,
     .protocols = kHttp,
     .limits = {.batch_bytes = 2'800'000},
     .max_age = hours(4)},
    {.name = "datadog-agent", .endpoint = "http://127.0.0.1:4318", .protocols = kAll, .max_age = hours(4)},
};

// Of a destination without a preset.
constexpr Preset kNone = {.name = "", .protocols = kAll};

class Resolving {
 public:
  Resolving(const Destination& destination, const Preset& preset) : from_(destination), preset_(preset) {}

  Result<Settings> settings() {
    settings_.name = from_.name;
    settings_.retired = preset_.retired;
    settings_.max_age = preset_.max_age;
    settings_.limits = preset_.limits;
    MCPTRACE_TRY_VOID(choose_protocol());
    MCPTRACE_TRY(const std::string endpoint, choose_endpoint());
    MCPTRACE_TRY_VOID(make_url(endpoint));
    MCPTRACE_TRY_VOID(make_headers());
    take_the_rest();
    if (settings_.protocol == Protocol::kGrpc && settings_.compression == config::Compression::kZstd) {
      return bad("over gRPC compression is gzip or none");
    }
    return std::move(settings_);
  }

 private:
  [[nodiscard]] std::unexpected<Error> bad(std::string_view what) const {
    return std::unexpected(Error{Errc::kInvalidArgument, "destination '" + from_.name + "': " + std::string(what)});
  }

  Result<> choose_protocol() {
    settings_.protocol = from_.protocol.value_or(preset_.protocols.front());
    if (std::ranges::find(preset_.protocols, settings_.protocol) != preset_.protocols.end()) return {};
    std::string known;
    for (const Protocol protocol : preset_.protocols) {
      known.append(known.empty() ? "" : ", ").append(protocol_text(protocol));
    }
    return bad("preset '" + from_.preset + "' does not take " + std::string(protocol_text(settings_.protocol)) +
               "; it takes " + known);
  }

  Result<std::string> region_text() {
    if (preset_.regions.empty()) {
      if (from_.region.empty() && preset_.needs_region) {
        return bad("preset '" + from_.preset + "' wants a region, as its console shows it (like prod-eu-west-2)");
      }
      const bool fits = std::ranges::all_of(
          from_.region, [](char c) { return is_digit(c) || c == '-' || (lower(c) >= 'a' && lower(c) <= 'z'); });
      return fits ? Result<std::string>(from_.region) : bad("a region is of letters, digits and -");
    }
    if (from_.region.empty()) return std::string(preset_.regions.front().text);
    std::string known;
    for (const Preset::Region& region : preset_.regions) {
      if (region.name == from_.region) return std::string(region.text);
      known.append(known.empty() ? "" : ", ").append(region.name);
    }
    return bad("preset '" + from_.preset + "' knows no region '" + from_.region + "'; it knows " + known);
  }

  Result<std::string> choose_endpoint() {
    if (!from_.endpoint.empty()) return from_.endpoint;
    if (preset_.endpoint.empty() && from_.traces_endpoint.empty()) {
      return bad("no endpoint: give one (endpoint: http://127.0.0.1:4318), or a preset");
    }
    MCPTRACE_TRY(const std::string region, region_text());
    std::string endpoint(preset_.endpoint);
    if (const auto at = endpoint.find("{region}"); at != std::string::npos) endpoint.replace(at, 8, region);
    // gRPC has a port of its own where it is not the web's.
    if (settings_.protocol == Protocol::kGrpc && endpoint.ends_with(":4318"))
      endpoint.replace(endpoint.size() - 4, 4, "4317");
    return endpoint;
  }

  // OTLP's rules: to a base "v1/traces" is added, a traces endpoint is taken as it is; gRPC knows no path but its own.
  Result<> make_url(const std::string& endpoint) {
    std::string url = from_.traces_endpoint.empty() ? endpoint : from_.traces_endpoint;
    if (!url.contains("://")) {
      if (settings_.protocol != Protocol::kGrpc) {
        return bad("an endpoint begins with http:// or https://");
      }
      url.insert(0, from_.insecure ? "http://" : "https://");
    }
    const std::size_t host = url.find("://") + 3;
    if (!starts_with_text(url, "http://") && !starts_with_text(url, "https://")) {
      return bad("an endpoint begins with http:// or https://");
    }
    if (host == url.size() || url[host] == '/' || url.find_first_of(" \t\r\n#?", host) != std::string::npos) {
      return bad("an endpoint is a URL like http://127.0.0.1:4318, without query");
    }
    if (url.find('@', host) < url.find('/', host)) {
      return bad("an endpoint has no user in it: put the credential into `key` or `headers`, as a reference");
    }
    if (settings_.protocol == Protocol::kGrpc) {
      url.resize(std::min(url.size(), url.find('/', host)));
      url += "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    } else if (from_.traces_endpoint.empty()) {
      while (url.ends_with('/')) url.pop_back();
      url += "/v1/traces";
    } else if (url.find('/', host) == std::string::npos) {
      url += '/';
    }
    settings_.url = std::move(url);
    return {};
  }

  Result<> make_headers() {
    if (from_.key.empty() && preset_.needs_key) {
      return bad("preset '" + from_.preset + "' wants a key, as a reference: key: env:NAME or file:PATH");
    }
    if (!from_.key.empty()) {
      if (preset_.key_header.empty()) return bad("`key` goes with a preset that has one; else use `headers`");
      if (preset_.needs_user && from_.user.empty()) {
        return bad("preset '" + from_.preset + "' wants a user: the number that its console calls instance ID");
      }
      settings_.headers.push_back({std::string(preset_.key_header), from_.key, preset_.key_form, from_.user});
    }
    if (from_.dataset.empty() && preset_.needs_dataset) {
      return bad("preset '" + from_.preset + "' wants a dataset");
    }
    if (!from_.dataset.empty()) {
      if (preset_.dataset_header.empty()) return bad("`dataset` means nothing to this preset");
      settings_.headers.push_back({std::string(preset_.dataset_header), from_.dataset});
    }
    for (const auto& [name, value] : from_.headers) add_header(name, value);
    return {};
  }

  // In lower case, as HTTP/2 wants them; a header that is given wins over the preset's.
  void add_header(const std::string& name, const std::string& value) {
    std::erase_if(settings_.headers, [&](const HeaderSetting& other) { return same_text(other.name, name); });
    HeaderSetting header{name, value};
    std::ranges::transform(header.name, header.name.begin(), lower);
    if (value.starts_with("env:") || value.starts_with("file:")) header.form = Form::kReference;
    settings_.headers.push_back(std::move(header));
  }

  void take_the_rest() {
    settings_.compression = from_.compression.value_or(settings_.compression);
    settings_.tls = {from_.ca, from_.certificate, from_.certificate_key};
    settings_.proxy = from_.proxy;
    Limits& limits = settings_.limits;
    limits.batch_spans = std::max<std::size_t>(from_.batch_spans.value_or(limits.batch_spans), 1);
    limits.batch_bytes = std::max<std::size_t>(from_.batch_bytes.value_or(limits.batch_bytes), 1);
    limits.attribute_bytes = from_.attribute_bytes.value_or(limits.attribute_bytes);
    limits.attribute_count = from_.attribute_count.value_or(limits.attribute_count);
    limits.event_count = from_.event_count.value_or(0);
    limits.link_count = from_.link_count.value_or(0);
    limits.event_attribute_count = from_.event_attribute_count.value_or(0);
    limits.link_attribute_count = from_.link_attribute_count.value_or(0);
    settings_.timeout = from_.timeout.value_or(settings_.timeout);
    settings_.delay = from_.delay.value_or(settings_.delay);
    settings_.retry_first = from_.retry_first.value_or(settings_.retry_first);
    settings_.retry_most = std::max(from_.retry_most.value_or(settings_.retry_most), settings_.retry_first);
    settings_.partial_after = from_.partial_after.value_or(settings_.partial_after);
    settings_.max_age = from_.max_age.value_or(settings_.max_age);
    settings_.fresh_share = from_.fresh_share.value_or(settings_.fresh_share);
  }

  const Destination& from_;
  const Preset& preset_;
  Settings settings_;
};

}  // namespace

std::span<const Preset> presets() { return kPresets; }

Result<Settings> settings_of(const Destination& destination) {
  if (destination.preset.empty()) return Resolving(destination, kNone).settings();
  const auto preset = std::ranges::find(kPresets, destination.preset, &Preset::name);
  if (preset != std::end(kPresets)) return Resolving(destination, *preset).settings();
  std::string known;
  for (const Preset& one : kPresets) known.append(known.empty() ? "" : ", ").append(one.name);
  return std::unexpected(Error{Errc::kInvalidArgument, "destination '" + destination.name + "': no preset '" +
                                                           destination.preset + "'; there are " + known});
}

}  // namespace mcptrace::ship
