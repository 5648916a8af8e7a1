#include "ship/presets.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace mcptrace::ship {
namespace {

using config::Destination;
using config::Protocol;

Destination named(std::string preset) {
  Destination destination;
  destination.name = "d";
  destination.preset = std::move(preset);
  return destination;
}

std::string error_of(const Destination& destination) {
  const auto settings = settings_of(destination);
  return settings ? "none" : settings.error().message;
}

// "name: form value": how a header is made.
std::string headers_of(const Settings& settings) {
  static constexpr const char* kForms[] = {"", "<", "Bearer <", "Basic <"};
  std::string text;
  for (const HeaderSetting& header : settings.headers) {
    const std::string form = kForms[static_cast<int>(header.form)];
    const std::string user = header.user.empty() ? "" : header.user + ":";
    text += (text.empty() ? "" : ", ") + header.name + ": " + form + user + header.value + (form.empty() ? "" : ">");
  }
  return text;
}

TEST(Presets, NeedARegionAndACredentialAndNothingElse) {
  struct Case {
    const char *preset, *region, *url, *headers;
  };
  const Case kCases[] = {
      {"collector", "", "http://127.0.0.1:4318/v1/traces", ""},
      {"jaeger", "", "http://127.0.0.1:4318/v1/traces", ""},
      {"tempo", "", "http://127.0.0.1:4318/v1/traces", ""},
      {"datadog-agent", "", "http://127.0.0.1:4318/v1/traces", ""},
      {"grafana-cloud", "prod-eu-west-2", "https://otlp-gateway-prod-eu-west-2.grafana.net/otlp/v1/traces",
       "authorization: Basic <123456:env:KEY>"},
      {"honeycomb", "", "https://api.honeycomb.io/v1/traces", "x-honeycomb-team: <env:KEY>"},
      {"honeycomb", "eu", "https://api.eu1.honeycomb.io/v1/traces", "x-honeycomb-team: <env:KEY>"},
      {"lightstep", "", "https://ingest.lightstep.com/v1/traces", "lightstep-access-token: <env:KEY>"},
      {"axiom", "", "https://api.axiom.co/v1/traces", "authorization: Bearer <env:KEY>, x-axiom-dataset: traces"},
      {"newrelic", "eu", "https://otlp.eu01.nr-data.net/v1/traces", "api-key: <env:KEY>"},
      {"datadog", "us5", "https://otlp.us5.datadoghq.com/v1/traces", "dd-api-key: <env:KEY>"},
  };
  for (const Case& c : kCases) {
    Destination destination = named(c.preset);
    destination.region = c.region;
    if (*c.headers != '\0') destination.key = "env:KEY";
    if (destination.preset == "grafana-cloud") destination.user = "123456";
    if (destination.preset == "axiom") destination.dataset = "traces";
    const auto settings = settings_of(destination);
    ASSERT_TRUE(settings) << settings.error().message;
    EXPECT_EQ(settings->url, c.url);
    EXPECT_EQ(headers_of(*settings), c.headers) << c.preset;
    EXPECT_EQ(settings->protocol, Protocol::kHttpProtobuf);
    EXPECT_EQ(settings->retired.empty(), destination.preset != "lightstep");
  }
  for (const Preset& preset : presets()) {
    EXPECT_TRUE(std::ranges::any_of(kCases, [&](const Case& c) { return c.preset == preset.name; })) << preset.name;
  }
}

TEST(Presets, SayWhatIsMissing) {
  EXPECT_EQ(error_of(named("grafana-cloud")),
            "destination 'd': preset 'grafana-cloud' wants a region, as its console shows it (like prod-eu-west-2)");
  EXPECT_EQ(error_of(named("honeycomb")),
            "destination 'd': preset 'honeycomb' wants a key, as a reference: key: env:NAME or file:PATH");
  Destination axiom = named("axiom");
  axiom.key = "file:/k";
  EXPECT_EQ(error_of(axiom), "destination 'd': preset 'axiom' wants a dataset");
  Destination wrong = named("honeycomb");
  wrong.key = "env:K", wrong.region = "mars";
  EXPECT_EQ(error_of(wrong), "destination 'd': preset 'honeycomb' knows no region 'mars'; it knows us, eu");
  Destination grpc = named("datadog");
  grpc.key = "env:K", grpc.protocol = Protocol::kGrpc;
  EXPECT_EQ(error_of(grpc), "destination 'd': preset 'datadog' does not take grpc; it takes http/protobuf, http/json");
  EXPECT_TRUE(error_of(named("zipkin")).starts_with("destination 'd': no preset 'zipkin'; there are collector, "));
  EXPECT_EQ(error_of(named("")),
            "destination 'd': no endpoint: give one (endpoint: http://127.0.0.1:4318), or a preset");
}

// Paths and slashes: OpenTelemetry Protocol Exporter, "Endpoint URLs for OTLP/HTTP".
TEST(Endpoint, IsABaseOrIsTakenAsItIs) {
  const auto url = [](std::string endpoint, std::string traces, std::optional<Protocol> protocol = {}) {
    Destination destination = named("");
    destination.endpoint = std::move(endpoint);
    destination.traces_endpoint = std::move(traces);
    destination.protocol = protocol;
    const auto settings = settings_of(destination);
    return settings ? settings->url : settings.error().message;
  };
  EXPECT_EQ(url("http://c:4318", ""), "http://c:4318/v1/traces");
  EXPECT_EQ(url("http://c:4318/", ""), "http://c:4318/v1/traces");
  EXPECT_EQ(url("https://c/otlp", ""), "https://c/otlp/v1/traces");
  EXPECT_EQ(url("https://c/otlp/", ""), "https://c/otlp/v1/traces");
  EXPECT_EQ(url("", "https://c/otlp"), "https://c/otlp");
  EXPECT_EQ(url("http://base", "https://c:1"), "https://c:1/");
  const std::string service = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
  EXPECT_EQ(url("http://c:4317", "", Protocol::kGrpc), "http://c:4317" + service);
  EXPECT_EQ(url("https://c:4317/ignored", "", Protocol::kGrpc), "https://c:4317" + service);
  EXPECT_EQ(url("c:4317", "", Protocol::kGrpc), "https://c:4317" + service);
  EXPECT_EQ(url("HTTP://[::1]:4318", ""), "HTTP://[::1]:4318/v1/traces");
  for (const char* wrong : {"c:4318", "ftp://c", "http://", "http:///x", "http://c?x=1", "http://c d"}) {
    EXPECT_TRUE(url(wrong, "").starts_with("destination 'd': an endpoint ")) << wrong;
  }
  EXPECT_TRUE(url("http://user:secret@c", "").ends_with("as a reference"));
}

TEST(Endpoint, OfAPresetOverGrpcIsAtGrpcsPort) {
  Destination jaeger = named("jaeger");
  jaeger.protocol = Protocol::kGrpc;
  EXPECT_TRUE(settings_of(jaeger)->url.starts_with("http://127.0.0.1:4317/"));
}

TEST(Headers, ThatAreGivenWinOverThePresets) {
  Destination destination = named("honeycomb");
  destination.key = "env:KEY";
  destination.headers = {{"X-Honeycomb-Team", "file:/run/key"}, {"X-Note", "a b"}};
  EXPECT_EQ(headers_of(*settings_of(destination)), "x-honeycomb-team: <file:/run/key>, x-note: a b");
}

}  // namespace
}  // namespace mcptrace::ship
