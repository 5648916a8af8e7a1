// What one process saw declared, the next knows; and whatever becomes of the file, nobody waits and nothing is made up.
#include "observe/declared_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <vector>

namespace mcptrace::observe {
namespace {

constexpr std::string_view kServer = "name acme";

class DeclaredFileTest : public testing::Test {
 protected:
  DeclaredFileTest() {
    char path[] = "/tmp/mcptrace-declared-XXXXXX";
    directory_ = mkdtemp(path);
    path_ = directory_ + "/declared";
    EXPECT_EQ(pipe2(pipe_, O_CLOEXEC | O_NONBLOCK), 0);
  }
  ~DeclaredFileTest() override {
    close(pipe_[0]), close(pipe_[1]);
    std::filesystem::remove_all(directory_);
  }

  static std::vector<mcp::DeclaredTool> tools(const std::vector<std::uint64_t>& names, std::uint64_t definition = 0) {
    std::vector<mcp::DeclaredTool> tools;
    for (const std::uint64_t name : names) tools.push_back({name, {definition, 0}});
    return tools;
  }
  void add(const std::vector<std::uint64_t>& names, std::string_view server = kServer) {
    Log log(pipe_[1]);
    DeclaredFile(path_, key_, log).add(server, tools(names));
  }
  // How many of them were defined otherwise.
  std::size_t define(const std::vector<std::uint64_t>& names, std::uint64_t definition) {
    Log log(pipe_[1]);
    return DeclaredFile(path_, key_, log).add(kServer, tools(names, definition));
  }
  bool knows(std::uint64_t name, std::string_view server = kServer) {
    Log log(pipe_[1]);
    return DeclaredFile(path_, key_, log).contains(server, name);
  }
  std::string said() {
    char text[4096];
    const ssize_t got = read(pipe_[0], text, sizeof(text));
    return {text, static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
  }
  std::string content() { return read_file(path_, 4u << 20).value_or("nothing"); }
  void write(std::string_view bytes) { std::ofstream(path_, std::ios::binary) << bytes; }

  std::string directory_, path_;
  int pipe_[2];
  HashKey key_{{1, 2, 3}};
};

TEST_F(DeclaredFileTest, ANameIsKnownToWhoComesLaterAndToWhoRunsAlready) {
  Log log(pipe_[1]);
  DeclaredFile running(path_, key_, log);
  EXPECT_FALSE(running.contains(kServer, 7));
  EXPECT_FALSE(std::filesystem::exists(path_)) << "asking makes no file";
  add({7, 9});
  EXPECT_TRUE(running.contains(kServer, 7));
  EXPECT_TRUE(knows(9));
  EXPECT_FALSE(knows(8));
  add({8});
  EXPECT_TRUE(running.contains(kServer, 8));
  EXPECT_EQ(said(), "");
}

TEST_F(DeclaredFileTest, ANameOfOneServerIsNotDeclaredForAnother) {
  add({7});
  add({8}, "command acme");
  EXPECT_FALSE(knows(7, "command acme"));
  EXPECT_FALSE(knows(8));
  EXPECT_FALSE(knows(7, ""));
  Log log(pipe_[1]);
  DeclaredFile both(path_, key_, log);
  EXPECT_TRUE(both.contains(kServer, 7));
  EXPECT_TRUE(both.contains("command acme", 8));
  EXPECT_FALSE(both.contains("command acme", 7));
  EXPECT_TRUE(both.contains(kServer, 7));
}

TEST_F(DeclaredFileTest, AnotherSecretKnowsNothing) {
  add({7});
  const HashKey other({9});
  Log log(pipe_[1]);
  EXPECT_FALSE(DeclaredFile(path_, other, log).contains(kServer, 7));
}

TEST_F(DeclaredFileTest, OnlyHashesAreWrittenOnceAndForTheOwnerAlone) {
  add({7, 9, 7});
  add({9, 7});
  const std::string text = content();
  ASSERT_EQ(text.size(), 2u * 43);
  EXPECT_EQ(text.find_first_not_of("0123456789abcdef \n"), std::string::npos) << text;
  struct stat info;
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

// Torn at every byte, and with anything before it: what is whole is known, and nothing else.
TEST_F(DeclaredFileTest, ATornLineCostsThatNameAlone) {
  add({7, 8, 9});
  const std::string whole = content();
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    write(whole.substr(0, cut));
    for (std::uint64_t name = 7; name <= 9; ++name) {
      EXPECT_EQ(knows(name), cut >= (name - 6) * 43) << cut;
      EXPECT_FALSE(knows(name, "name other")) << cut;
    }
    add({10});
    EXPECT_TRUE(knows(10)) << cut;
    for (std::uint64_t name = 7; name <= 9; ++name) EXPECT_EQ(knows(name), cut >= (name - 6) * 43) << cut;
    std::filesystem::remove(path_);
  }
  EXPECT_EQ(said(), "");
}

TEST_F(DeclaredFileTest, RubbishIsPassedOver) {
  add({7});
  const std::string line = content();
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    std::string rubbish(random() % 30'000, '\0');
    const bool with_lines = round % 2 == 0;
    for (char& c : rubbish) c = with_lines ? "0123456789abcdef \n"[random() % 18] : static_cast<char>(random() | 0x80);
    write(rubbish + line);
    EXPECT_TRUE(knows(7)) << round;
    EXPECT_FALSE(knows(8)) << round;
  }
  EXPECT_EQ(said(), "");
}

TEST_F(DeclaredFileTest, AnotherDefinitionIsNoticedOnce) {
  EXPECT_EQ(define({7, 8}, 1), 0u);
  EXPECT_EQ(define({7, 8}, 1), 0u);
  EXPECT_EQ(define({7, 8, 9}, 2), 2u);
  EXPECT_EQ(define({7, 8, 9}, 2), 0u);
  EXPECT_EQ(define({7}, 1), 0u) << "it was so before: a server may tell two clients something else";
  EXPECT_EQ(define({7}, 0), 0u) << "not known";
  const std::string before = content();
  define({7, 8, 9}, 2);
  EXPECT_EQ(content(), before);
}

TEST_F(DeclaredFileTest, WhatChangesEachTimeIsNoticedSoManyTimes) {
  std::size_t changed = 0;
  for (std::uint64_t definition = 1; definition <= 100; ++definition) changed += define({7}, definition);
  EXPECT_EQ(changed, 31u);
  EXPECT_EQ(content().size(), 32u * 43);
}

// Which knew names alone: how they are defined is learned, and is no change.
TEST_F(DeclaredFileTest, AFileOfTheFirstVersionIsRead) {
  add({7, 8});
  std::string lines = content();
  std::string first;
  for (std::size_t at = 0; at < lines.size(); at += 43) first += lines.substr(at, 25) + "\n";
  write(first);
  EXPECT_TRUE(knows(7));
  EXPECT_TRUE(knows(8));
  EXPECT_FALSE(knows(9));
  EXPECT_EQ(define({7}, 1), 0u);
  EXPECT_EQ(content().size(), 2u * 26 + 43);
  EXPECT_EQ(define({7}, 2), 1u);
  write("torn line" + first);
  EXPECT_TRUE(knows(7));
}

TEST_F(DeclaredFileTest, AFileThatIsRemovedIsMadeAnew) {
  Log log(pipe_[1]);
  DeclaredFile running(path_, key_, log);
  running.add(kServer, tools({7}));
  std::filesystem::remove(path_);
  running.add(kServer, tools({8}));
  EXPECT_TRUE(knows(8));
  EXPECT_FALSE(knows(7));
  std::filesystem::resize_file(path_, 0);
  add({9});
  EXPECT_TRUE(running.contains(kServer, 9));
  EXPECT_EQ(said(), "");
}

TEST_F(DeclaredFileTest, ItIsBounded) {
  std::vector<std::uint64_t> names(10'000);
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = i + 1;
  add(names);
  EXPECT_EQ(content().size(), 4096u * 43) << "names of one server";
  EXPECT_TRUE(knows(4096));
  EXPECT_FALSE(knows(4097));
  for (int server = 0; server < 12; ++server) add(names, "name " + std::to_string(server));
  EXPECT_LE(content().size(), 1u << 20);
  EXPECT_GT(content().size(), 800u << 10);
  std::ofstream(path_, std::ios::app | std::ios::binary) << std::string(1 << 20, '\n');
  add({5}, "name late");
  EXPECT_FALSE(knows(5, "name late"));
  EXPECT_TRUE(knows(1));
  EXPECT_EQ(said(), "");
}

TEST_F(DeclaredFileTest, WhatCannotBeUsedIsSaidOnceAndCountsAsEmpty) {
  const auto use = [this] {
    Log log(pipe_[1]);
    DeclaredFile file(path_, key_, log);
    for (std::uint64_t name = 1; name < 20; ++name) {
      file.add(kServer, tools({name}));
      EXPECT_FALSE(file.contains(kServer, name + 1));
    }
    const std::string text = said();
    EXPECT_TRUE(text.starts_with("mcptrace: tools' names of an odd form may be hidden in later sessions: ")) << text;
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
  };
  std::filesystem::create_directory(path_);
  use();
  std::filesystem::remove(path_);
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);  // opening one may wait for ever
  use();
  std::filesystem::remove(path_);
  ASSERT_EQ(symlink("/dev/zero", path_.c_str()), 0);
  use();
  std::filesystem::remove(path_);
  write("");
  ASSERT_EQ(chmod(path_.c_str(), 0620), 0);
  use();
  path_ = directory_ + "/missing/declared";
  use();
}

// SIGXFSZ would end the process.
TEST_F(DeclaredFileTest, TheLimitOfFileSizesIsKept) {
  add({7});
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const rlimit limit{50, 50};
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(2);
    add({8});
    _exit(knows(7) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(content().size(), 43u);
}

// Many start at once with the same list, and each saw something of its own.
TEST_F(DeclaredFileTest, TwoHundredProcessesAtOnce) {
  constexpr int kProcesses = 200;
  std::vector<std::uint64_t> names(50);
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = i + 1;
  int gate[2];
  ASSERT_EQ(pipe2(gate, O_CLOEXEC), 0);
  std::vector<pid_t> children;
  for (std::uint64_t i = 0; i < kProcesses; ++i) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      char byte;
      close(gate[1]);
      if (read(gate[0], &byte, 1) != 0) _exit(2);
      names.push_back(1000 + i);
      add(names);
      _exit(0);
    }
    children.push_back(child);
  }
  close(gate[0]), close(gate[1]);
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  Log log(pipe_[1]);
  DeclaredFile file(path_, key_, log);
  for (const std::uint64_t name : names) EXPECT_TRUE(file.contains(kServer, name));
  for (std::uint64_t i = 0; i < kProcesses; ++i) EXPECT_TRUE(file.contains(kServer, 1000 + i)) << i;
  EXPECT_EQ(content().size() % 43, 0u);
  EXPECT_EQ(said(), "");
}

}  // namespace
}  // namespace mcptrace::observe
