// The command line and environment of `mcptrace run`, and the installation's secret.
#include "app/run_options.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "app/producer.h"
#include "app/proxy_command.h"
#include "app/proxy_options.h"
#include "app/run_command.h"
#include "app/secret.h"
#include "base/fd.h"
#include "base/testing.h"
#include "config/flat.h"
#include "config/options.h"
#include "config/otel.h"

namespace mcptrace::app {
namespace {

class RunOptionsTest : public testing::Test {
 protected:
  Result<ParsedRun> parse(std::vector<std::string> arguments) {
    const auto environment = [this](std::string_view name) -> std::optional<std::string> {
      const auto found = environment_.find(std::string(name));
      return found == environment_.end() ? std::nullopt : std::optional(found->second);
    };
    const World world{{}, environment, {}, "/somewhere", 0, 1, 2, false, false, 0, {}, clock_, random_, {}, flatten_};
    return parse_run(world, arguments, log_);
  }
  Result<ParsedProxy> parse_proxy_options(std::vector<std::string> arguments) {
    const World world{
        {}, [](std::string_view) { return std::nullopt; }, {}, {}, 0, 1, 2, false, false, 0, {}, clock_, random_};
    return parse_proxy(world, arguments, log_);
  }

  std::map<std::string, std::string> environment_;
  ManualClock clock_;
  SeededRandom random_{1};
  Log log_{-1};
  config::Flatten flatten_;
};

TEST_F(RunOptionsTest, TheCommandIsWhatFollowsTheDashes) {
  const auto parsed = parse({"--name", "files", "--no-inject", "--naming=semconv", "--", "node", "--", "--name", "x"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->options.command, (std::vector<std::string>{"node", "--", "--name", "x"}));
  EXPECT_EQ(parsed->options.service_name, "files");
  EXPECT_EQ(parsed->options.inject, observe::InjectMode::kNever);
  EXPECT_EQ(parsed->options.naming, trace::Naming::kSemconv);
}

// What --help shows is what the parsers take.
TEST_F(RunOptionsTest, TheFlagsOfTheTableAreTaken) {
  for (const config::Option& option : config::options()) {
    for (std::size_t at = option.flag.find("--"); at != std::string_view::npos; at = option.flag.find("--", at + 1)) {
      const std::string flag(option.flag.substr(at, option.flag.find(' ', at) - at));
      const auto unknown = testing::HasSubstr("unknown option");
      if ((option.commands & config::kRun) != 0) {
        const auto parsed = parse({flag, "x", "--", "s"});
        EXPECT_TRUE(parsed || !testing::Value(parsed.error().message, unknown)) << flag;
      }
      if ((option.commands & config::kProxy) == 0) continue;
      const auto parsed = parse_proxy_options({flag, "x"});
      EXPECT_TRUE(parsed || !testing::Value(parsed.error().message, unknown)) << flag;
    }
  }
  EXPECT_THAT(parse({"--frobnicate", "--", "s"}).error().message, testing::HasSubstr("unknown option"));
}

TEST_F(RunOptionsTest, TheEnvironmentWinsOverTheFileAndFlagsOverBoth) {
  char path[] = "/tmp/mcptrace-options-XXXXXX";
  ASSERT_NE(::mkdtemp(path), nullptr);
  const std::string directory = path, file = directory + "/c.yaml";
  std::ofstream(file) << "anything: the copy is what is read";
  flatten_ = [](const std::string& of, const std::string&) {
    config::FlatCopy copy;
    copy.file = of;
    copy.flat.home = "/of/file";
    copy.flat.name = "of-file";
    copy.flat.naming = "guide";
    copy.flat.inject = "never";
    copy.flat.spool_size = 7 << 20;
    return config::print_flat(copy);
  };
  environment_["MCPTRACE_CONFIG"] = file;
  const auto of_file = parse({"--", "s"});
  EXPECT_EQ(of_file->options.service_name, "of-file");
  EXPECT_EQ(of_file->options.naming, trace::Naming::kGuide);
  EXPECT_EQ(of_file->options.inject, observe::InjectMode::kNever);
  EXPECT_EQ(of_file->options.installation.flat.home, "/of/file");
  EXPECT_EQ(observer_options(of_file->options, "/s", "run", random_).spool.total_bytes, 7u << 20);
  environment_["OTEL_SERVICE_NAME"] = "of-environment";
  environment_["MCPTRACE_NAMING"] = "semconv";
  environment_["MCPTRACE_INJECT"] = "always";
  const auto of_environment = parse({"--", "s"});
  EXPECT_EQ(of_environment->options.service_name, "of-environment");
  EXPECT_EQ(of_environment->options.naming, trace::Naming::kSemconv);
  EXPECT_EQ(of_environment->options.inject, observe::InjectMode::kAlways);
  const auto of_flags =
      parse({"--name", "of-flag", "--naming", "both", "--inject", "auto", "--home", "here", "--", "s"});
  EXPECT_EQ(of_flags->options.service_name, "of-flag");
  EXPECT_EQ(of_flags->options.naming, trace::Naming::kBoth);
  EXPECT_EQ(of_flags->options.inject, observe::InjectMode::kAuto);
  EXPECT_EQ(of_flags->options.installation.home, "/somewhere/here");
  environment_["MCPTRACE_CONFIG"] = "c.yaml";
  EXPECT_EQ(parse({"--", "s"})->options.installation.file.path, "/somewhere/c.yaml");
  environment_["MCPTRACE_CONFIG"] = "none";
  EXPECT_THAT(parse({"--", "s"})->options.ship_arguments, testing::ElementsAre("--config", "none"));
  environment_["MCPTRACE_DISABLED"] = "1";
  EXPECT_EQ(parse({"--", "s"})->options.installation.file.path, "");
  std::filesystem::remove_all(directory);
}

TEST_F(RunOptionsTest, InjectionIsByItselfAlwaysOrNever) {
  EXPECT_EQ(parse({"--inject", "auto", "--", "s"})->options.inject, observe::InjectMode::kAuto);
  EXPECT_EQ(parse({"--inject=always", "--", "s"})->options.inject, observe::InjectMode::kAlways);
  EXPECT_EQ(parse({"--inject", "never", "--", "s"})->options.inject, observe::InjectMode::kNever);
  EXPECT_EQ(parse({"--inject", "never", "--no-inject", "--", "s"})->options.inject, observe::InjectMode::kNever);
  EXPECT_FALSE(parse({"--inject", "always", "--no-inject", "--", "s"}));
  const auto wrong = parse({"--inject", "sometimes", "--", "s"});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message, "--inject wants auto, always or never, got 'sometimes'");
}

// The Inspector's command line, for one, takes "--" for its own.
TEST_F(RunOptionsTest, TheCommandBeginsAtTheFirstWordThatIsNoOption) {
  using Words = std::vector<std::string>;
  const std::pair<Words, Words> kCases[] = {
      {{"node", "server.js", "--naming", "x"}, {"node", "server.js", "--naming", "x"}},
      {{"--naming", "guide", "node", "--help"}, {"node", "--help"}},
      {{"--naming=guide", "--no-inject", "--name", "files", "node", "--", "-h"}, {"node", "--", "-h"}},
      {{"--naming", "guide", "--", "node", "--nonsense"}, {"node", "--nonsense"}},
      {{"--name", "node", "cat"}, {"cat"}},
      {{"npx", "-y", "--", "server"}, {"npx", "-y", "--", "server"}},
      {{"--", "--help"}, {"--help"}},
      {{"--", "--", "x"}, {"--", "x"}},
      {{"-", "x"}, {"-", "x"}},
      {{"node", ""}, {"node", ""}},
  };
  for (const auto& [arguments, expected] : kCases) {
    const auto parsed = parse(arguments);
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_FALSE(parsed->help);
    EXPECT_EQ(parsed->options.command, expected);
  }
  EXPECT_EQ(parse({"--naming", "guide", "node"})->options.naming, trace::Naming::kGuide);
  EXPECT_EQ(parse({"node", "--no-inject"})->options.inject, observe::InjectMode::kAuto);
  for (const Words& arguments : {Words{"--help"}, Words{"-h", "node"}, Words{"--name", "x", "--help", "--", "node"}}) {
    EXPECT_TRUE(parse(arguments)->help);
  }
}

TEST_F(RunOptionsTest, WithoutANameItIsThatOfWhatIsLaunched) {
  const auto parsed = parse({"--", "/usr/bin/my-server", "--secret=1"});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->options.service_name, "my-server");
  EXPECT_EQ(parse({"npx", "-y", "@acme/files@1.2", "/data"})->options.service_name, "@acme/files");
  EXPECT_EQ(parse({"node", "/srv/ann.js"})->options.service_name, "ann");
  environment_ = {{"LOGNAME", "ann"}};
  EXPECT_EQ(parse({"node", "/srv/ann.js"})->options.service_name, "node");
  environment_ = {{"USER", "ann"}};
  EXPECT_EQ(parse({"node", "/srv/ann.js"})->options.service_name, "node");
  EXPECT_EQ(parsed->options.inject, observe::InjectMode::kAuto);
  EXPECT_FALSE(parsed->options.disabled);
}

TEST_F(RunOptionsTest, WhatIsWrongIsSaidInOneClause) {
  const std::pair<std::vector<std::string>, const char*> kCases[] = {
      {{}, "run wants a server to run"},
      {{"--"}, "run wants a server to run"},
      {{"--wat", "--", "x"}, "unknown option '--wat' of run"},
      {{"--naming", "loud", "--", "x"}, "--naming wants guide, semconv or both, got 'loud'"},
      {{"--no-inject"}, "run wants a server to run"},
      {{"--name", "files", "--"}, "run wants a server to run"},
      {{"", "x"}, "run wants a server to run"},
      {{"--wat", "x"}, "unknown option '--wat' of run"},
      {{"--wat=1", "--name", "x", "y"}, "unknown option '--wat=…' of run"},
      {{"-x", "y"}, "unknown option '-x' of run"},
      {{"--name"}, "option '--name' of run wants a value"},
      {{"--name", "--", "x"}, "option '--name' of run wants a value"},
      {{"--no-inject=1", "x"}, "option '--no-inject' of run takes no value"},
  };
  for (const auto& [arguments, expected] : kCases) {
    const auto parsed = parse(arguments);
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code, Errc::kInvalidArgument);
    EXPECT_NE(parsed.error().message.find(expected), std::string::npos) << parsed.error().message;
    EXPECT_EQ(parsed.error().message.find('\n'), std::string::npos);
  }
}

TEST_F(RunOptionsTest, StandardVariablesAreHonoured) {
  environment_ = {{"OTEL_RESOURCE_ATTRIBUTES", "service.name=from-attributes,team=a%2Cb, x = y "},
                  {"TRACEPARENT", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
                  {"TRACESTATE", "vendor=1"}};
  auto parsed = parse({"--", "x"});
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->options.service_name, "from-attributes");
  EXPECT_EQ(parsed->options.resource_attributes,
            (std::vector<std::pair<std::string, std::string>>{{"team", "a,b"}, {"x", "y"}}));
  ASSERT_TRUE(parsed->options.environment);
  EXPECT_EQ(parsed->options.environment_state, "vendor=1");
  environment_["OTEL_SERVICE_NAME"] = "from-variable";
  EXPECT_EQ(parse({"--", "x"})->options.service_name, "from-variable");
  EXPECT_EQ(parse({"--name", "flag", "--", "x"})->options.service_name, "flag");
  environment_["OTEL_SERVICE_NAME"] = "";
  EXPECT_EQ(parse({"--", "x"})->options.service_name, "from-attributes");
  environment_["TRACEPARENT"] = "nonsense";
  parsed = parse({"--", "x"});
  EXPECT_FALSE(parsed->options.environment);
  EXPECT_EQ(parsed->options.environment_state, "");
  environment_["OTEL_RESOURCE_ATTRIBUTES"] = "a=b,broken";
  EXPECT_TRUE(parse({"--", "x"})->options.resource_attributes.empty());
}

TEST_F(RunOptionsTest, ADestinationOfTheEnvironmentIsItsVariablesAsTheyAre) {
  const auto destination = [this] { return parse({"--", "x"})->options.destination; };
  EXPECT_EQ(destination(), "");
  environment_ = {
      {"OTEL_EXPORTER_OTLP_HEADERS", "a=b%20c,d=e"}, {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://h:1"}, {"OTHER", "1"}};
  EXPECT_THAT(destination(), testing::AllOf(testing::HasSubstr("OTEL_EXPORTER_OTLP_ENDPOINT=http://h:1\n"),
                                            testing::HasSubstr("OTEL_EXPORTER_OTLP_HEADERS=a=b%20c,d=e\n"),
                                            testing::Not(testing::HasSubstr("OTHER"))));
  environment_["OTEL_TRACES_EXPORTER"] = "none";
  EXPECT_EQ(destination(), "");
  environment_ = {{"OTEL_EXPORTER_OTLP_ENDPOINT", ""}};
  EXPECT_EQ(destination(), "") << "an empty variable counts as not set";
  environment_ = {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://h:1"},
                  {"OTEL_EXPORTER_OTLP_HEADERS", "key=secret\nOTEL_EXPORTER_OTLP_ENDPOINT=http://evil"}};
  EXPECT_EQ(destination(), "");
}

TEST_F(RunOptionsTest, TwoVariablesSwitchTracingOff) {
  for (const char* value : {"true", "TRUE", "True"}) {
    environment_ = {{"OTEL_SDK_DISABLED", value}};
    EXPECT_TRUE(parse({"--", "x"})->options.disabled);
  }
  for (const char* value : {"", "1", "yes", "false"}) {
    environment_ = {{"OTEL_SDK_DISABLED", value}};
    EXPECT_FALSE(parse({"--", "x"})->options.disabled) << value;
  }
  environment_ = {{"MCPTRACE_DISABLED", "1"}};
  EXPECT_TRUE(parse({"--", "x"})->options.disabled);
  environment_ = {{"MCPTRACE_DISABLED", "0"}};
  EXPECT_FALSE(parse({"--", "x"})->options.disabled);
}

TEST(ResourceAttributes, AreDecodedOrRefusedWhole) {
  EXPECT_EQ(config::parse_resource_attributes("a=%41%20b")->front().second, "A b");
  EXPECT_EQ(config::parse_resource_attributes("")->size(), 0u);
  for (const char* bad : {"a=x%2", "a=%zz", "a=%", "=b", "a", "a=%ff"})
    EXPECT_FALSE(config::parse_resource_attributes(bad)) << bad;
}

class SecretTest : public testing::Test {
 protected:
  SecretTest() {
    char path[] = "/tmp/mcptrace-secret-XXXXXX";
    root_ = mkdtemp(path);
    state_ = root_ + "/a/b";
  }
  ~SecretTest() override { std::filesystem::remove_all(root_); }
  std::string root_, state_;
};

TEST_F(SecretTest, IsMadeOnceHoweverManyAskAtOnce) {
  constexpr int kAtStart = 16;
  std::array<Result<Secret>, kAtStart> got;
  std::vector<std::thread> threads;
  for (int i = 0; i < kAtStart; ++i) {
    threads.emplace_back([&, i] {
      SystemRandom random;
      got[static_cast<std::size_t>(i)] = load_or_make_secret(state_, random);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<Secret> different;
  for (const auto& secret : got) {
    ASSERT_TRUE(secret) << secret.error().message;
    different.insert(*secret);
  }
  EXPECT_EQ(different.size(), 1u);
  struct stat info;
  ASSERT_EQ(stat((state_ + "/secret").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  ASSERT_EQ(stat(state_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(state_), {}), 1) << "nothing is left beside it";
}

TEST_F(SecretTest, WhatCannotBeUsedIsRefusedWithWhatToDo) {
  SeededRandom random(1);
  std::filesystem::create_directories(state_);
  std::ofstream(state_ + "/secret") << "short";
  std::filesystem::permissions(state_ + "/secret", std::filesystem::perms(0600));
  EXPECT_EQ(load_or_make_secret(state_, random).error().code, Errc::kCorrupt);
  std::filesystem::permissions(state_ + "/secret", std::filesystem::perms(0644));
  const auto open = load_or_make_secret(state_, random);
  EXPECT_EQ(open.error().code, Errc::kInvalidArgument);
  EXPECT_NE(open.error().message.find("chmod 600"), std::string::npos);
  std::filesystem::remove(state_ + "/secret");
  std::filesystem::create_symlink("/dev/null", state_ + "/secret");
  EXPECT_FALSE(load_or_make_secret(state_, random));
}

TEST_F(SecretTest, AFifoIsRefusedNotWaitedFor) {
  SeededRandom random(1);
  std::filesystem::create_directories(state_);
  ASSERT_EQ(mkfifo((state_ + "/secret").c_str(), 0600), 0);
  const auto secret = load_or_make_secret(state_, random);
  ASSERT_FALSE(secret);
  EXPECT_EQ(secret.error().code, Errc::kInvalidArgument);
  EXPECT_NE(secret.error().message.find(": no regular file"), std::string::npos);
}

TEST_F(SecretTest, APipeThatIsGivenIsRead) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const std::string text = std::string(64, 'a') + "\n";
  ASSERT_EQ(write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  const auto secret = load_secret("/dev/fd/" + std::to_string(ends[0]));
  ASSERT_TRUE(secret) << secret.error().message;
  EXPECT_EQ((*secret)[0], 0xaa);
  close(ends[0]);
  close(ends[1]);
}

// What installation_key() says on stderr; the key it gives is another one each time.
std::string said_of_key(const std::string& state) {
  const UniqueFd err(memfd_create("err", 0));
  Log log(err.get());
  SystemRandom random;
  const HashKey key = installation_key(state, random, log);
  const HashKey other = installation_key(state, random, log);
  EXPECT_NE(print_of(key, "d", {}), print_of(other, "d", {}));
  return *read_file("/proc/self/fd/" + std::to_string(err.get()), 4096);
}

TEST_F(SecretTest, OneThatCannotBeUsedIsSaidToCostTheFingerprints) {
  std::filesystem::create_directories(state_);
  const std::string path = state_ + "/secret";
  const std::string cost =
      "mcptrace: fingerprints and session ids will not match those of other runs, until this is mended: " + path;
  std::ofstream(path) << "";
  std::filesystem::permissions(path, std::filesystem::perms(0644));
  EXPECT_EQ(said_of_key(state_), cost + ": must belong to you, with mode 0600 (chmod 600 " + path + ")\n");
  std::filesystem::permissions(path, std::filesystem::perms(0600));
  EXPECT_EQ(said_of_key(state_), cost + ": not 64 hexadecimal digits (deleted, it is made anew)\n");
  std::filesystem::remove(path);
  std::filesystem::create_symlink("/dev/null", path);
  EXPECT_TRUE(said_of_key(state_).starts_with(cost));
  std::filesystem::remove_all(state_);
  std::ofstream(state_) << "";
  EXPECT_TRUE(said_of_key(state_).starts_with("mcptrace: telemetry is being lost, traffic is not affected: "));
}

TEST(RunCommand, HelpThatCannotBePrintedIsSaid) {
  const UniqueFd full(open("/dev/full", O_WRONLY | O_CLOEXEC)), err(memfd_create("err", 0));
  const ManualClock clock;
  SeededRandom random(1);
  World world{{},        [](std::string_view) { return std::nullopt; },
              {},        {},
              0,         full.get(),
              err.get(), false,
              false,     0,
              {},        clock,
              random};
  const std::vector<std::string> arguments{"--help"};
  EXPECT_EQ(run_command(world, arguments), 1);
  EXPECT_EQ(proxy_command(world, arguments), 1);
  const std::string line = "mcptrace: write: No space left on device\n";
  EXPECT_EQ(*read_file("/proc/self/fd/" + std::to_string(err.get()), 4096), line + line);
}

}  // namespace
}  // namespace mcptrace::app
