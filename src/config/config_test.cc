// The file against the table, and what it comes to together with the environment.
#include "config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "config/options.h"

namespace mcptrace::config {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() {
    char path[] = "/tmp/mcptrace-config-XXXXXX";
    EXPECT_NE(::mkdtemp(path), nullptr);
    directory_ = path;
    file_ = directory_ + "/mcptrace.yaml";
  }
  ~ConfigTest() override { std::filesystem::remove_all(directory_); }

  void write(std::string_view text) { std::ofstream(file_) << text; }
  Lookup lookup() {
    return [this](std::string_view name) -> std::optional<std::string> {
      const auto found = environment_.find(name);
      return found == environment_.end() ? std::nullopt : std::optional(found->second);
    };
  }
  Config good(std::string_view text) {
    write(text);
    auto config = load(lookup(), file_);
    EXPECT_TRUE(config) << config.error().message;
    return config ? *std::move(config) : Config{};
  }
  // Without the path before them.
  std::vector<std::string> problems(std::string_view text) {
    write(text);
    std::vector<std::string> found = check(lookup(), file_).problems;
    for (std::string& problem : found) {
      EXPECT_TRUE(problem.starts_with(file_)) << problem;
      problem.erase(0, file_.size());
    }
    return found;
  }

  std::string directory_, file_;
  std::map<std::string, std::string, std::less<>> environment_;
};

// design.md, The configuration file, by example.
constexpr std::string_view kExample = R"(
home: /var/lib/mcptrace            # where the state lies
name: weather
naming: both
inject: auto
shapes: true
spool: { size: 64MiB, fsync: interval }
sampling:
  ratio: 0.1
  threshold: 1000
  threshold_calls: 20000
  notifications: 0.01
  first_calls: 1000
  slow: 5s
  rules:
    - { server: billing, tool: "refund*", ratio: 1 }
    - { client: "load-test*", ratio: 0.001 }
capture:
  - { server: weather, what: [errors, stderr] }
cost:
  - { server: search, tool: "*", per_call: 0.005 USD, per_second: 0 USD }
destinations:
  - name: jaeger
    preset: jaeger
    endpoint: http://127.0.0.1:4318
  - name: honeycomb
    preset: honeycomb
    region: eu
    key: env:HONEYCOMB_API_KEY
    logs: true
    content: false
synthetic_secrets: [file:/etc/mcptrace/prober.secret]
metrics: { listen: 127.0.0.1:9464 }
log: { file: /var/log/mcptrace.jsonl, size: 100MiB }
serve: { listen: 127.0.0.1:7227, retention: 30d, size: 10GiB }
targets:
  - name: docs
    url: https://docs.example.com/mcp
    every: 60s
    service: docs
    bearer: env:DOCS_TOKEN
    canary: { tool: ping, expect: ok }
  - { name: local, command: [node, server.js] }
alerts:
  sinks:
    - { name: ops, webhook: https://hooks.example.com/x, secret: env:HOOK_SECRET }
  rules:
    - { targets: "*", down_after: 3, up_after: 3, to: [ops] }
sources:
  - { name: prod, jaeger: http://jaeger:16686 }
)";

TEST_F(ConfigTest, TheExampleIsReadWhole) {
  const Config config = good(kExample);
  EXPECT_EQ(config.home, "/var/lib/mcptrace");
  EXPECT_EQ(config.name, "weather");
  EXPECT_EQ(config.spool.size, 64u << 20);
  EXPECT_EQ(config.sampling.ratio, 0.1);
  EXPECT_EQ(config.sampling.slow, 5s);
  ASSERT_EQ(config.sampling.rules.size(), 2u);
  EXPECT_EQ(config.sampling.rules[0].tool, "refund*");
  EXPECT_EQ(config.sampling.rules[1].ratio, 0.001);
  ASSERT_EQ(config.destinations.size(), 2u);
  EXPECT_EQ(config.destinations[0].endpoint, "http://127.0.0.1:4318");
  EXPECT_EQ(config.destinations[1].key, "env:HONEYCOMB_API_KEY");
  EXPECT_TRUE(config.destinations[1].logs);
  EXPECT_EQ(config.metrics_listen, "127.0.0.1:9464");
  EXPECT_THAT(config.synthetic_secrets, ElementsAre("file:/etc/mcptrace/prober.secret"));
  EXPECT_THAT(config.variables, ElementsAre("DOCS_TOKEN", "HONEYCOMB_API_KEY", "HOOK_SECRET"));
  EXPECT_THAT(config.warnings, IsEmpty());
}

TEST_F(ConfigTest, EveryKeyOfADestinationIsItsField) {
  const Config config = good(R"(
destinations:
  - name: all
    preset: axiom
    region: eu
    key: file:/run/key
    user: "12"
    dataset: traces
    endpoint: https://a.example
    traces_endpoint: https://b.example/x
    protocol: http/json
    compression: zstd
    headers: { X-Scope-OrgID: one, x-api-key: env:K }
    ca: /a
    certificate: /b
    certificate_key: /c
    insecure: true
    proxy: none
    timeout: 1m30s
    delay: 250ms
    retry_first: 100ms
    retry_most: 3s
    batch_spans: 7
    batch_bytes: 2KiB
    attribute_bytes: 4095
    attribute_count: 64
    event_count: 5
    link_count: 6
    event_attribute_count: 7
    link_attribute_count: 8
    max_age: 2h
    partial_after: 5m
    fresh_share: 0.25
    logs: true
    content: true
)");
  ASSERT_EQ(config.destinations.size(), 1u);
  const Destination& all = config.destinations[0];
  EXPECT_EQ(all.preset, "axiom");
  EXPECT_EQ(all.region, "eu");
  EXPECT_EQ(all.key, "file:/run/key");
  EXPECT_EQ(all.user, "12");
  EXPECT_EQ(all.dataset, "traces");
  EXPECT_EQ(all.traces_endpoint, "https://b.example/x");
  EXPECT_EQ(all.protocol, Protocol::kHttpJson);
  EXPECT_EQ(all.compression, Compression::kZstd);
  EXPECT_THAT(all.headers, ElementsAre(std::pair("X-Scope-OrgID", "one"), std::pair("x-api-key", "env:K")));
  EXPECT_EQ(all.ca + all.certificate + all.certificate_key, "/a/b/c");
  EXPECT_TRUE(all.insecure && all.logs && all.content);
  EXPECT_EQ(all.proxy, "none");
  EXPECT_EQ(all.timeout, 90s);
  EXPECT_EQ(all.delay, 250ms);
  EXPECT_EQ(all.retry_first, 100ms);
  EXPECT_EQ(all.retry_most, 3s);
  EXPECT_EQ(all.batch_spans, 7u);
  EXPECT_EQ(all.batch_bytes, 2048u);
  EXPECT_EQ(all.attribute_bytes, 4095u);
  EXPECT_EQ(all.attribute_count, 64u);
  EXPECT_EQ(all.event_count, 5u);
  EXPECT_EQ(all.link_count, 6u);
  EXPECT_EQ(all.event_attribute_count, 7u);
  EXPECT_EQ(all.link_attribute_count, 8u);
  EXPECT_EQ(all.max_age, 2h);
  EXPECT_EQ(all.partial_after, 5min);
  EXPECT_EQ(all.fresh_share, 0.25);
  // A row without a field would be read and forgotten.
  for (const Option& option : options()) {
    if (!option.key.starts_with("destinations[].")) continue;
    const auto said = std::ranges::find(config.settings, &option, &Setting::option);
    EXPECT_NE(said, config.settings.end()) << option.key << " is not in this test";
  }
}

TEST_F(ConfigTest, AnUnknownKeySaysWhereAndWhatWasMeant) {
  EXPECT_THAT(
      problems("name: a\nnamign: both\n"),
      ElementsAre(":2:1: unknown key 'namign'; did you mean 'naming'? Known here: home, name, inject, naming, "
                  "shapes, spool, destinations, sampling, capture, cost, synthetic_secrets, metrics, log, serve, "
                  "targets, alerts, sources"));
  EXPECT_THAT(problems("spool:\n  sise: 1GiB\n"),
              ElementsAre(":2:3: spool: unknown key 'sise'; did you mean 'size'? Known here: size, fsync"));
  EXPECT_THAT(
      problems("targets:\n- { name: a, canary: { tol: x } }\n"),
      ElementsAre(":2:24: targets[0].canary: unknown key 'tol'; did you mean 'tool'? Known here: tool, expect"));
  EXPECT_THAT(problems("spool.size: 1GiB\n"), ElementsAre(HasSubstr("unknown key 'spool.size'. Known here: home, ")));
}

TEST_F(ConfigTest, AllThatIsWrongIsSaidInTheOrderOfTheFile) {
  EXPECT_THAT(
      problems(R"(naming: bth
inject: [auto]
spool: 5
sampling: { ratio: 2 }
destinations:
  - name: a b
  - endpoint: ftp://x
)"),
      ElementsAre(":1:9: naming: wants guide, semconv or both, got 'bth'; did you mean 'both'?",
                  ":2:9: inject: wants one value, got a list",
                  ":3:8: spool: wants keys and their values, got one value",
                  ":4:20: sampling.ratio: wants a number from 0 to 1, got '2'",
                  ":6:11: destinations[0].name: wants letters, digits, - and _, got 'a b'",
                  ":7:5: destinations[1]: wants a key 'name': letters, digits, - and _",
                  ":7:15: destinations[1].endpoint: wants an address, like http://127.0.0.1:4318, got 'ftp://x'"));
  write("naming: bth\ninject: x\n");
  const auto config = load(lookup(), file_);
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().message, HasSubstr("(and 1 more: mcptrace config check)"));
}

TEST_F(ConfigTest, ASecretThatStandsInTheFileIsRefusedAndNotShown) {
  constexpr std::string_view kCanary = "hcaik_canary";
  for (const std::string line :
       {"key: hcaik_canary", "headers: { Authorization: Bearer hcaik_canary }", "headers: { x-api-key: hcaik_canary }",
        "headers: { X-Honeycomb-Team: hcaik_canary }", "headers: { x-my-token: 'env:hcaik_canary/' }",
        "endpoint: https://me:hcaik_canary@host/", "proxy: http://me:hcaik_canary@host:1"}) {
    const auto found = problems("destinations:\n- name: a\n  preset: jaeger\n  " + line + "\n");
    ASSERT_EQ(found.size(), 1u) << line;
    EXPECT_THAT(found[0], testing::Not(HasSubstr(kCanary)));
  }
  EXPECT_THAT(
      problems("destinations:\n- { name: a, preset: jaeger, headers: { Authorization: x } }\n"),
      ElementsAre(":2:56: destinations[0].headers.Authorization: is a credential: write env:NAME or file:PATH in "
                  "its place"));
}

TEST_F(ConfigTest, DestinationsAreToldApartAndLeadSomewhere) {
  EXPECT_THAT(
      problems("destinations:\n- { name: a, preset: jaeger }\n- { name: a, endpoint: http://h }\n- { name: b }\n"
               "- { name: otel-1, preset: jaeger, certificate: /x }\n"),
      ElementsAre(HasSubstr("another destination is called 'a'"),
                  HasSubstr("destinations[2]: wants a preset, an endpoint"), HasSubstr("begin with otel-"),
                  HasSubstr("go together")));
}

TEST_F(ConfigTest, WhatIsNoYamlOrTooMuchOfItIsSaid) {
  EXPECT_THAT(problems("name: [a\n"), ElementsAre(HasSubstr(": not YAML: ")));
  EXPECT_THAT(problems("name: \"\\\n\\\x01\"\n"), ElementsAre(HasSubstr(": not YAML: unknown escape character:  ")));
  EXPECT_THAT(problems("name: a\nname: b\n"), ElementsAre(":2:1: the same key stands in line 1"));
  EXPECT_THAT(problems("name: \xff\n"), ElementsAre(":1:1: this line is no UTF-8"));
  EXPECT_THAT(problems("- name\n"), ElementsAre(":1:1: wants keys and their values, got a list"));
  EXPECT_THAT(problems("name: a\n---\nname: b\n"), ElementsAre(HasSubstr("a second document")));
  EXPECT_THAT(problems(std::string(3000, '[')), ElementsAre(HasSubstr("too deep")));
  EXPECT_THAT(problems(std::string(2 << 20, '#')), ElementsAre(HasSubstr("larger than 1048576 bytes")));
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string last = "*a" + std::to_string(i - 1), name = "a" + std::to_string(i);
    bomb += name + ": &" + name + " [" + last;
    for (int j = 0; j < 9; ++j) bomb += ", " + last;
    bomb += "]\n";
  }
  EXPECT_THAT(problems(bomb), ElementsAre(HasSubstr("once aliases are followed")));
  EXPECT_THAT(problems("a: &a [*a]\n"), ElementsAre(HasSubstr("an alias stands inside of what it means")));
}

TEST_F(ConfigTest, AnAliasStandsForItsAnchor) {
  const Config config = good(
      "destinations:\n- { name: a, preset: jaeger, headers: &h { x-one: '1' } }\n"
      "- { name: b, preset: tempo, headers: *h }\n");
  EXPECT_THAT(config.destinations.at(1).headers, ElementsAre(std::pair("x-one", "1")));
}

TEST_F(ConfigTest, NothingIsAConfigurationToo) {
  for (const std::string_view text : {"", "# nothing\n", "destinations:\nspool:\nname: ~\n"}) {
    const Config config = good(text);
    EXPECT_EQ(config.naming, "both");
    EXPECT_TRUE(config.destinations.empty());
  }
  const auto none = load(lookup(), {});
  ASSERT_TRUE(none);
  EXPECT_EQ(none->spool.size, 512u << 20);
  const auto missing = load(lookup(), directory_ + "/no.yaml");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().message, directory_ + "/no.yaml: no such file");
}

TEST_F(ConfigTest, FlagsWinOverTheEnvironmentAndThatOverTheFile) {
  write("naming: guide\ninject: always\nname: of-file\nhome: /file\n");
  environment_ = {{"MCPTRACE_NAMING", "semconv"}, {"OTEL_SERVICE_NAME", "of-env"}, {"MCPTRACE_HOME", ""}};
  EXPECT_EQ(load(lookup(), file_)->naming, "semconv");
  EXPECT_EQ(load(lookup(), file_)->name, "of-env");
  EXPECT_EQ(load(lookup(), file_)->inject, "always");
  EXPECT_EQ(load(lookup(), file_)->home, "/file");
  const Given flags[] = {{"naming", "both"}};
  const auto config = load(lookup(), file_, flags);
  EXPECT_EQ(config->naming, "both");
  std::vector<Origin> origins;
  for (const Setting& setting : config->settings) {
    if (setting.key == "naming") origins.push_back(setting.origin);
  }
  EXPECT_THAT(origins, ElementsAre(Origin::kFile, Origin::kVariable, Origin::kFlag));
}

TEST_F(ConfigTest, ABadVariableIsIgnoredAndSaid) {
  write("naming: guide\n");
  environment_ = {{"MCPTRACE_NAMING", "sem"}, {"MCPTRACE_INJECT", "no"}};
  const auto config = load(lookup(), file_);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->naming, "guide");
  EXPECT_THAT(config->warnings,
              ElementsAre("MCPTRACE_INJECT is ignored: it wants auto, always or never, got 'no'",
                          HasSubstr("MCPTRACE_NAMING is ignored: it wants guide, semconv or both, got 'sem'")));
}

}  // namespace
}  // namespace mcptrace::config
