// The file found, its flat copy made and read, references resolved, changes noticed.
#include "config/flat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "config/flatten.h"
#include "config/print.h"
#include "config/reference.h"
#include "config/source.h"

namespace mcptrace::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class FlatTest : public testing::Test {
 protected:
  FlatTest() {
    char path[] = "/tmp/mcptrace-flat-XXXXXX";
    EXPECT_NE(::mkdtemp(path), nullptr);
    directory_ = path;
    file_ = directory_ + "/mcptrace.yaml";
    state_ = directory_ + "/a/state";
  }
  ~FlatTest() override { std::filesystem::remove_all(directory_); }

  static void write(const std::string& path, std::string_view text) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    // A new inode, so that it never has the stamp of the old one.
    std::ofstream(path + ".new") << text;
    std::filesystem::rename(path + ".new", path);
  }
  Lookup lookup() {
    return [this](std::string_view name) -> std::optional<std::string> {
      const auto found = environment_.find(name);
      return found == environment_.end() ? std::nullopt : std::optional(found->second);
    };
  }
  FlatReading read() {
    return read_flat({file_, false}, state_, [this](const std::string& file, const std::string& state) {
      ++asked_;
      return late_ ? std::nullopt : std::optional(flatten_into(file, state));
    });
  }

  std::string directory_, file_, state_;
  std::map<std::string, std::string, std::less<>> environment_;
  int asked_ = 0;
  bool late_ = false;
};

TEST_F(FlatTest, HoldsWhatTheFileSaysAndNothingElse) {
  write(file_,
        "home: /h\nnaming: guide\nspool: { size: 64MiB }\nshapes: false\nmetrics: { listen: 127.0.0.1:1 }\n"
        "destinations:\n- { name: a, preset: honeycomb, key: env:K2 }\n- { name: b, preset: jaeger, headers: { "
        "x-api-key: env:K1 } }\n");
  const auto copy = parse_flat(flatten(file_));
  ASSERT_TRUE(copy);
  EXPECT_EQ(copy->file, file_);
  EXPECT_EQ(copy->stamp, *stamp_of(file_));
  EXPECT_EQ(copy->error, "");
  EXPECT_EQ(copy->flat.home, "/h");
  EXPECT_EQ(copy->flat.naming, "guide");
  EXPECT_FALSE(copy->flat.name || copy->flat.inject || copy->flat.fsync);
  EXPECT_EQ(copy->flat.spool_size, 64u << 20);
  EXPECT_EQ(copy->flat.shapes, false);
  EXPECT_EQ(copy->flat.metrics_listen, "127.0.0.1:1");
  EXPECT_EQ(copy->flat.destinations, 2u);
  EXPECT_THAT(copy->flat.variables, ElementsAre("K1", "K2"));
  EXPECT_EQ(print_flat(*copy), flatten(file_));
}

TEST_F(FlatTest, ACopyThatIsCutOffIsNone) {
  write(file_, "home: /h\n");
  const std::string text = flatten(file_);
  for (std::size_t size = 0; size + 1 < text.size(); ++size) EXPECT_FALSE(parse_flat(text.substr(0, size))) << size;
  EXPECT_FALSE(parse_flat("mcptrace-config 1 0.0.0" + text.substr(text.find('\n'))));
}

TEST_F(FlatTest, IsMadeOnceAndAnewWhenTheFileWasWritten) {
  write(file_, "naming: guide\n");
  EXPECT_EQ(read().flat.naming, "guide");
  EXPECT_EQ(read().flat.naming, "guide");
  EXPECT_EQ(asked_, 1);
  struct stat info;
  ASSERT_EQ(::stat(flat_path(state_, file_).c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  write(file_, "naming: semconv\n");
  EXPECT_EQ(read().flat.naming, "semconv");
  EXPECT_EQ(asked_, 2);
  EXPECT_EQ(read_flat({}, state_, nullptr).warning, "");
}

TEST_F(FlatTest, OfABrokenFileTheLastGoodCopyHolds) {
  write(file_, "namign: guide\n");
  EXPECT_THAT(read().warning,
              HasSubstr("defaults hold instead of the configuration file: " + file_ + ":1:1: unknown key"));
  write(file_, "naming: guide\n");
  EXPECT_EQ(read().warning, "");
  write(file_, "naming: gide\n");
  for (int i = 0; i < 3; ++i) {
    const FlatReading reading = read();
    EXPECT_EQ(reading.flat.naming, "guide");
    EXPECT_THAT(reading.warning,
                HasSubstr("its last good copy holds instead of the configuration file: " + file_ + ":1:9: "));
  }
  EXPECT_EQ(asked_, 3);  // the error is remembered, too
  write(file_, "naming: both\n");
  EXPECT_EQ(read().warning, "");
  EXPECT_FALSE(std::filesystem::exists(flat_path(state_, file_) + ".error"));
}

TEST_F(FlatTest, WhoIsNotDoneInTimeLeavesTheOldCopy) {
  write(file_, "naming: guide\n");
  read();
  write(file_, "naming: semconv\n");
  late_ = true;
  const FlatReading late = read();
  EXPECT_EQ(late.flat.naming, "guide");
  EXPECT_THAT(late.warning, HasSubstr("its last good copy holds"));
  std::filesystem::remove(file_);
  EXPECT_THAT(read().warning, HasSubstr("No such file"));
  EXPECT_EQ(read().flat.naming, "guide");
}

TEST_F(FlatTest, ASourceOfCopiesNoticesWhatWasWritten) {
  write(file_, "naming: guide\n");
  FlatSource source({.environment = lookup(), .home = {}, .given = file_}, state_,
                    [this](const std::string& file, const std::string& state) {
                      return late_ ? std::nullopt : std::optional(flatten_into(file, state));
                    });
  EXPECT_TRUE(source.changed());
  EXPECT_EQ(source.read().flat.naming, "guide");
  EXPECT_FALSE(source.changed());
  write(file_, "naming: gide\n");
  EXPECT_TRUE(source.changed());
  EXPECT_NE(source.read().warning, "");
  EXPECT_FALSE(source.changed());
  write(file_, "naming: semconv\n");
  late_ = true;
  EXPECT_EQ(source.read().flat.naming, "guide");
  EXPECT_TRUE(source.changed());
  late_ = false;
  EXPECT_EQ(source.read().flat.naming, "semconv");
  EXPECT_FALSE(source.changed());
}

TEST_F(FlatTest, WhereNothingCanBeKeptItIsReadAllTheSame) {
  write(file_, "naming: guide\n");
  write(directory_ + "/file", "");
  for (const std::string& state : {directory_ + "/file/state", std::string()}) {
    const FlatReading reading = read_flat({file_, false}, state, flatten_into);
    EXPECT_EQ(reading.flat.naming, "guide");
    EXPECT_EQ(reading.warning, "");
  }
}

TEST_F(FlatTest, CopiesAreBounded) {
  for (int i = 0; i < 100; ++i) {
    const std::string file = directory_ + "/" + std::to_string(i) + ".yaml";
    write(file, "naming: guide\n");
    flatten_into(file, state_);
  }
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(state_ + "/config")) ++count;
  EXPECT_LE(count, 64u);
}

TEST_F(FlatTest, TheFileIsLookedForInOrder) {
  const std::string home = directory_ + "/home", xdg = directory_ + "/xdg", system = directory_ + "/etc/mcptrace.yaml";
  const std::string in_home = home + "/.config/mcptrace/mcptrace.yaml", in_xdg = xdg + "/mcptrace/mcptrace.yaml";
  const auto find = [&](const std::string& given = {}) {
    return find_file({.environment = lookup(), .home = home, .given = given, .system = system}).path;
  };
  environment_["XDG_CONFIG_HOME"] = xdg;
  EXPECT_EQ(find(), "");
  write(system, "");
  EXPECT_EQ(find(), system);
  write(in_xdg, "");
  EXPECT_EQ(find(), in_xdg);
  write(in_home, "");
  EXPECT_EQ(find(), in_home);
  environment_["MCPTRACE_CONFIG"] = "/missing.yaml";
  EXPECT_EQ(find(), "/missing.yaml");
  EXPECT_EQ(find("/given.yaml"), "/given.yaml");
  EXPECT_EQ(find("none"), "");
  environment_["MCPTRACE_CONFIG"] = "none";
  EXPECT_EQ(find(), "");
  environment_["MCPTRACE_CONFIG"] = "";
  environment_["XDG_CONFIG_HOME"] = "relative";
  std::filesystem::remove(in_home);
  EXPECT_EQ(find(), system);
}

TEST_F(FlatTest, ReferencesLeadToVariablesAndFiles) {
  environment_ = {{"TOKEN", "canary"}, {"EMPTY", ""}};
  const std::string secret = directory_ + "/secret";
  write(secret, "from-file\r\n\n");
  EXPECT_EQ(*resolve("env:TOKEN", lookup()), "canary");
  EXPECT_EQ(*resolve("file:" + secret, lookup()), "from-file");
  EXPECT_EQ(resolve("env:EMPTY", lookup()).error().message, "the variable EMPTY is not set");
  EXPECT_THAT(resolve("file:" + directory_ + "/no", lookup()).error().message, HasSubstr("No such file"));
  EXPECT_THAT(resolve("file:" + directory_, lookup()).error().message, HasSubstr("no regular file"));
  write(secret, "\n");
  EXPECT_THAT(resolve("file:" + secret, lookup()).error().message, HasSubstr("is empty"));
  write(secret, std::string((64 << 10) + 1, 'x'));
  EXPECT_THAT(resolve("file:" + secret, lookup()).error().message, HasSubstr("larger than 64 KiB"));
  write(secret, std::string(64 << 10, 'x'));
  EXPECT_EQ(resolve("file:" + secret, lookup())->size(), 64u << 10);
  EXPECT_FALSE(resolve("canary", lookup()));
}

TEST_F(FlatTest, ASourceNoticesWhatWasWrittenAndSaysAnErrorOnce) {
  const std::string secret = directory_ + "/secret";
  write(secret, "one");
  write(file_, "naming: guide\ndestinations: [{ name: a, preset: honeycomb, key: 'file:" + secret + "' }]\n");
  Source source({.environment = lookup(), .home = {}, .given = file_});
  EXPECT_EQ(source.reload()->naming, "guide");
  EXPECT_FALSE(source.changed());
  write(secret, "two");
  EXPECT_TRUE(source.changed());
  EXPECT_TRUE(source.reload());
  EXPECT_FALSE(source.changed());
  write(file_, "naming: gide\n");
  EXPECT_TRUE(source.changed());
  EXPECT_FALSE(source.reload());
  EXPECT_FALSE(source.changed());
  write(secret, "three");  // the old values hold, and name it
  EXPECT_TRUE(source.changed());
  EXPECT_FALSE(source.reload());
  std::filesystem::remove(file_);
  EXPECT_TRUE(source.changed());
}

TEST_F(FlatTest, WhatIsShownHoldsNoSecret) {
  environment_ = {{"K", "canary"}, {"MCPTRACE_NAMING", "semconv"}};
  write(file_,
        "naming: guide\ndestinations:\n- name: a\n  endpoint: https://h/canary\n  key: env:K\n"
        "  headers: { x-one: canary, x-two: env:K, x-token: env:NONE }\n"
        "targets: [{ name: t, command: [node, --key=canary] }]\n");
  const auto config = load(lookup(), file_);
  ASSERT_TRUE(config);
  std::map<std::string, std::string> shown;
  for (const Shown& one : show(*config, lookup())) {
    EXPECT_THAT(one.value + one.note, Not(HasSubstr("canary"))) << one.key;
    shown[one.key] = one.value + " | " + one.source + " | " + one.note;
  }
  EXPECT_EQ(shown["naming"], "semconv | variable MCPTRACE_NAMING | ");
  EXPECT_EQ(shown["inject"], "auto | default | ");
  EXPECT_EQ(shown["destinations[0].endpoint"], "https://h/… | file, line 4 | ");
  EXPECT_EQ(shown["destinations[0].key"], "env:K | file, line 5 | set");
  EXPECT_EQ(shown["destinations[0].headers.x-one"], "… | file, line 6 | ");
  EXPECT_EQ(shown["destinations[0].headers.x-token"], "env:NONE | file, line 6 | the variable NONE is not set");
  EXPECT_EQ(shown["targets[0].command[1]"], "--key=… | file, line 7 | ");
  EXPECT_THAT(without_effect(*config), ElementsAre("targets (prober)"));
}

}  // namespace
}  // namespace mcptrace::config
