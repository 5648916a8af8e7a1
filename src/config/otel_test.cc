#include "config/otel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace mcptrace::config {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Variables = std::map<std::string, std::string, std::less<>>;

Lookup lookup_of(const Variables& variables) {
  return [&variables](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

EnvironmentDestination read(const Variables& variables) { return destination_from_environment(lookup_of(variables)); }

Destination good(const Variables& variables) {
  auto result = read(variables);
  EXPECT_THAT(result.warnings, IsEmpty());
  EXPECT_TRUE(result.destination);
  return result.destination.value_or(Destination{});
}

TEST(OtelDestination, WithoutAVariableThereIsNone) {
  for (const Variables& variables : {
           Variables{},
           {{"OTEL_EXPORTER_OTLP_ENDPOINT", ""}},
           {{"OTEL_BSP_SCHEDULE_DELAY", "1"}},
           {{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://h"}},
           {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://h"}, {"OTEL_TRACES_EXPORTER", "none"}},
           {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://h"}, {"OTEL_SDK_DISABLED", "TRUE"}},
       }) {
    EXPECT_FALSE(read(variables).destination);
    EXPECT_THAT(read(variables).warnings, IsEmpty());
  }
}

TEST(OtelDestination, TheBaseEndpointAndThatOfTraces) {
  EXPECT_EQ(good({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://h:4318/otlp/"}}).endpoint, "http://h:4318/otlp/");
  const Destination both =
      good({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://h"}, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t/x"}});
  EXPECT_EQ(both.traces_endpoint, "http://t/x");
  EXPECT_EQ(both.endpoint, "");
  EXPECT_EQ(good({{"OTEL_TRACES_EXPORTER", " OTLP "}}).endpoint, "http://localhost:4318");
  EXPECT_EQ(good({{"OTEL_EXPORTER_OTLP_PROTOCOL", "GRPC"}}).endpoint, "http://localhost:4317");
  EXPECT_EQ(good({{"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}, {"OTEL_EXPORTER_OTLP_ENDPOINT", "h:4317"}}).endpoint,
            "h:4317");
}

TEST(OtelDestination, ABadEndpointSendsNothingAnywhere) {
  for (const std::string bad : {"h:4318", "ftp://h", "http://canary:pw@h", "http://h/ x"}) {
    const auto result = read({{"OTEL_EXPORTER_OTLP_ENDPOINT", bad}});
    EXPECT_FALSE(result.destination);
    EXPECT_THAT(result.warnings, ElementsAre("OTEL_EXPORTER_OTLP_ENDPOINT is ignored: it wants an address, like "
                                             "https://example.com; nothing is sent"));
  }
}

TEST(OtelDestination, HeadersArePercentDecodedAndBadMembersOnlyCounted) {
  const auto headers = [](const std::string& text) {
    return good({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://h"}, {"OTEL_EXPORTER_OTLP_HEADERS", text}}).headers;
  };
  EXPECT_THAT(
      headers("Authorization=Basic%20dTpw, x-two = 2 ,,x-pad=YQ=="),
      ElementsAre(std::pair("Authorization", "Basic dTpw"), std::pair("x-two", "2"), std::pair("x-pad", "YQ==")));
  const auto bad = read({{"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "a=1,canary,b c=2,d=%0d%0aX: canary,e=%zz,f=6"},
                         {"OTEL_EXPORTER_OTLP_HEADERS", "other=1"}});
  EXPECT_THAT(bad.destination->headers, ElementsAre(std::pair("a", "1"), std::pair("f", "6")));
  ASSERT_EQ(bad.warnings.size(), 4u);
  EXPECT_EQ(bad.warnings[0],
            "member 2 of OTEL_EXPORTER_OTLP_TRACES_HEADERS is ignored: it is not NAME=VALUE, percent-encoded");
  for (const std::string& warning : bad.warnings) EXPECT_THAT(warning, testing::Not(HasSubstr("canary")));
}

TEST(OtelDestination, AllElseOfTheExporter) {
  const Destination all = good({{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/JSON"},
                                {"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"},
                                {"OTEL_EXPORTER_OTLP_COMPRESSION", "GZip"},
                                {"OTEL_EXPORTER_OTLP_TIMEOUT", "1500"},
                                {"OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca"},
                                {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/cert"},
                                {"OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "/key"},
                                {"OTEL_EXPORTER_OTLP_INSECURE", "True"},
                                {"OTEL_BSP_SCHEDULE_DELAY", "250"},
                                {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "64"},
                                {"OTEL_BSP_EXPORT_TIMEOUT", "30000"},
                                {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "100"},
                                {"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "50"},
                                {"OTEL_ATTRIBUTE_COUNT_LIMIT", "32"},
                                {"OTEL_SPAN_EVENT_COUNT_LIMIT", "5"},
                                {"OTEL_SPAN_LINK_COUNT_LIMIT", "6"},
                                {"OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "7"},
                                {"OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "8"}});
  EXPECT_EQ(all.protocol, Protocol::kHttpJson);
  EXPECT_EQ(all.compression, Compression::kGzip);
  EXPECT_EQ(all.timeout, 1500ms);
  EXPECT_EQ(all.ca + all.certificate + all.certificate_key, "/ca/cert/key");
  EXPECT_TRUE(all.insecure);
  EXPECT_EQ(all.delay, 250ms);
  EXPECT_EQ(all.batch_spans, 64u);
  EXPECT_EQ(all.attribute_bytes, 50u);
  EXPECT_EQ(all.attribute_count, 32u);
  EXPECT_EQ(all.event_count, 5u);
  EXPECT_EQ(all.link_count, 6u);
  EXPECT_EQ(all.event_attribute_count, 7u);
  EXPECT_EQ(all.link_attribute_count, 8u);
  const Destination none = good({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://h"}});
  EXPECT_EQ(none.compression, Compression::kNone);
  EXPECT_FALSE(none.timeout || none.delay || none.batch_spans || none.attribute_bytes || none.attribute_count);
  EXPECT_EQ(good({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://h"}, {"OTEL_BSP_EXPORT_TIMEOUT", "700"}}).timeout, 700ms);
}

TEST(OtelDestination, WhatCannotBeUsedIsOneSentenceAndIgnored) {
  const std::pair<std::string, std::string> bad[] = {
      {"OTEL_EXPORTER_OTLP_PROTOCOL", "http"},
      {"OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"},
      {"OTEL_EXPORTER_OTLP_TIMEOUT", "-1"},
      {"OTEL_EXPORTER_OTLP_TIMEOUT", "10s"},
      {"OTEL_EXPORTER_OTLP_CERTIFICATE", "ca.pem"},
      {"OTEL_EXPORTER_OTLP_INSECURE", "1"},
      {"OTEL_BSP_SCHEDULE_DELAY", "x"},
      {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0"},
      {"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "many"},
      {"OTEL_TRACES_EXPORTER", "otlpp"},
  };
  for (const auto& [name, value] : bad) {
    const auto result = read({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://h"}, {name, value}});
    EXPECT_TRUE(result.destination) << name;
    ASSERT_EQ(result.warnings.size(), 1u) << name;
    EXPECT_TRUE(result.warnings[0].starts_with(name + " is ignored: ")) << result.warnings[0];
  }
  // The one of all signals holds in the place of a bad one of traces.
  const auto fallen = read({{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "x"}, {"OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"}});
  EXPECT_EQ(fallen.destination->protocol, Protocol::kHttpJson);
  const auto console = read({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://h"}, {"OTEL_TRACES_EXPORTER", "console"}});
  EXPECT_FALSE(console.destination);
  EXPECT_THAT(console.warnings, ElementsAre(HasSubstr("mcptrace has otlp alone")));
  EXPECT_TRUE(read({{"OTEL_TRACES_EXPORTER", "console,otlp"}}).destination);
}

TEST(OtelDestination, AConfigurationFileOfTheSdkIsOneSentence) {
  const auto result = read({{"OTEL_CONFIG_FILE", "/x"}, {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://h"}});
  EXPECT_FALSE(result.destination);
  EXPECT_THAT(result.warnings, ElementsAre(HasSubstr("OTEL_CONFIG_FILE is ignored")));
}

TEST(OtelDestination, WhoCopiesItsVariablesCopiesIt) {
  // Each variable that is asked for is in the list.
  std::vector<std::string> asked;
  const Lookup lookup = [&](std::string_view name) -> std::optional<std::string> {
    asked.emplace_back(name);
    return name == "OTEL_EXPORTER_OTLP_ENDPOINT" ? std::optional<std::string>("http://h") : std::nullopt;
  };
  EXPECT_TRUE(destination_from_environment(lookup).destination);
  for (const std::string& name : asked) EXPECT_THAT(destination_variables(), testing::Contains(name));
}

std::vector<std::string> values(const Variables& variables, std::vector<std::string>* warnings = nullptr) {
  std::vector<std::string> said, texts;
  for (const EnvironmentValue& value : values_from_environment(lookup_of(variables), said)) {
    texts.push_back(value.key + "=" + value.text);
  }
  if (warnings != nullptr) *warnings = said;
  return texts;
}

TEST(OtelValues, Samplers) {
  const auto ratio = [](const std::string& name, const std::string& argument) {
    return values({{"OTEL_TRACES_SAMPLER", name}, {"OTEL_TRACES_SAMPLER_ARG", argument}});
  };
  EXPECT_THAT(ratio("always_on", ""), ElementsAre("sampling.ratio=1"));
  EXPECT_THAT(ratio("always_off", ""), ElementsAre("sampling.ratio=0"));
  EXPECT_THAT(ratio("TraceIdRatio", "0.25"), ElementsAre("sampling.ratio=0.25"));
  EXPECT_THAT(ratio("parentbased_traceidratio", "0.5"), ElementsAre("sampling.ratio=0.5"));
  EXPECT_THAT(ratio("parentbased_always_on", "x"), ElementsAre("sampling.ratio=1"));
  EXPECT_THAT(ratio("traceidratio", ""), ElementsAre("sampling.ratio=1"));
  std::vector<std::string> warnings;
  EXPECT_THAT(values({{"OTEL_TRACES_SAMPLER", "traceidratio"}, {"OTEL_TRACES_SAMPLER_ARG", "2"}}, &warnings),
              ElementsAre("sampling.ratio=1"));
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("OTEL_TRACES_SAMPLER_ARG is ignored")));
  EXPECT_THAT(values({{"OTEL_TRACES_SAMPLER", "jaeger_remote"}}, &warnings), IsEmpty());
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("OTEL_TRACES_SAMPLER is ignored")));
}

TEST(OtelValues, Propagators) {
  for (const char* ours : {"", "tracecontext", "tracecontext,baggage", "b3, TraceContext"}) {
    EXPECT_THAT(values({{"OTEL_PROPAGATORS", ours}}), IsEmpty()) << ours;
  }
  for (const char* others : {"none", "baggage", "b3,b3multi"}) {
    EXPECT_THAT(values({{"OTEL_PROPAGATORS", others}}), ElementsAre("inject=never")) << others;
  }
  std::vector<std::string> warnings;
  EXPECT_THAT(values({{"OTEL_PROPAGATORS", "tracecontex"}}, &warnings), IsEmpty());
  EXPECT_EQ(warnings.size(), 1u);
}

TEST(OtelValues, NamesAndOurOwn) {
  EXPECT_THAT(values({{"OTEL_RESOURCE_ATTRIBUTES", "a=b,service.name=one%20two"}}), ElementsAre("name=one two"));
  EXPECT_THAT(values({{"OTEL_RESOURCE_ATTRIBUTES", "service.name=one"}, {"OTEL_SERVICE_NAME", "two"}}),
              ElementsAre("name=two"));
  EXPECT_THAT(values({{"OTEL_RESOURCE_ATTRIBUTES", "service.name"}, {"OTEL_SERVICE_NAME", ""}}), IsEmpty());
  EXPECT_THAT(values({{"OTEL_PROPAGATORS", "none"}, {"MCPTRACE_INJECT", "always"}, {"MCPTRACE_HOME", "x"}}),
              ElementsAre("inject=never", "home=x", "inject=always"));
}

}  // namespace
}  // namespace mcptrace::config
