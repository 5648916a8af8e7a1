#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include "app/command_list.h"
#include "app/commands.h"
#include "base/fd.h"
#include "base/testing.h"
#include "ledger/testing_sample.h"
#include "spool/writer.h"

namespace mcptrace::app {
namespace {

using namespace std::chrono_literals;
using trace::Outcome;

struct Answer {
  int status;
  std::string out, err;
};

class Backend : public ::testing::Test {
 protected:
  Backend() {
    char path[] = "/tmp/mcptrace-backend-XXXXXX";
    EXPECT_NE(::mkdtemp(path), nullptr);
    home_ = path;
    environment_["MCPTRACE_HOME"] = home_ + "/state";
  }
  ~Backend() override { std::filesystem::remove_all(home_); }

  static std::string content(int fd) {
    std::string text(static_cast<std::size_t>(::lseek(fd, 0, SEEK_END)), '\0');
    EXPECT_EQ(::pread(fd, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    return text;
  }

  World world(std::vector<std::string> arguments, int out, int err) {
    arguments.insert(arguments.begin(), "mcptrace");
    return {.arguments = std::move(arguments),
            .environment = [this](std::string_view name) -> std::optional<std::string> {
              const auto it = environment_.find(std::string(name));
              return it == environment_.end() ? std::nullopt : std::optional(it->second);
            },
            .home = home_,
            .working_directory = "/",
            .stdin_fd = -1,
            .stdout_fd = out,
            .stderr_fd = err,
            .stdout_is_terminal = terminal_,
            .stderr_is_terminal = false,
            .terminal_width = terminal_ ? 120u : 0u,
            .local_offset = [](Nanos) { return 0s; },
            .clock = clock_,
            .random = random_};
  }

  Answer run(std::vector<std::string> arguments) {
    const UniqueFd out(::memfd_create("out", 0)), err(::memfd_create("err", 0));
    World world = this->world(std::move(arguments), out.get(), err.get());
    const int status = run_backend(world);
    return {status, content(out.get()), content(err.get())};
  }

  // A wrapper's session; it lives until the result is destroyed, or is closed.
  struct Process {
    Process(const std::string& home, const Clock& clock, std::uint64_t seed)
        : writer(
              [&] {
                spool::WriterOptions options;
                options.directory = home + "/state/spool";
                options.name_prefix = "run" + std::to_string(seed);  // a process of its own
                return options;
              }(),
              clock),
          sample([this](spool::RecordType type, std::uint32_t tag,
                        std::string_view payload) { EXPECT_TRUE(writer.append(type, tag, payload)); },
                 [&] {
                   ledger::SampleOptions options;
                   options.seed = seed;
                   options.start = clock.wall() - 60s;
                   return options;
                 }()) {
      sample.open();
      sample.initialize(0s, 1ms);
      sample.call("echo", 1s, 2ms);
      sample.call("add", 2s, 3ms, Outcome::kToolError);
      EXPECT_TRUE(writer.flush());
    }
    void close() {
      sample.close(3s);
      EXPECT_TRUE(writer.flush());
    }
    spool::Writer writer;
    ledger::Sample sample;
  };
  std::string ended(std::uint64_t seed) {
    Process process(home_, clock_, seed);
    process.close();
    return process.sample.id();
  }

  std::string home_;
  std::map<std::string, std::string> environment_;
  bool terminal_ = false;
  SystemClock clock_;
  SeededRandom random_{1};
};

TEST_F(Backend, EmptySpoolSaysWhatToDo) {
  const Answer answer = run({"sessions"});
  EXPECT_EQ(answer.status, 0);
  EXPECT_NE(answer.out.find("mcptrace run CMD"), std::string::npos) << answer.out;
  EXPECT_TRUE(
      run({"sessions", "--format", "json"}).out.starts_with(R"({"sessions":[],"more":false,"lost":{"messages":0,)"));
  const Answer trace = run({"trace"});
  EXPECT_EQ(trace.status, 1);
  EXPECT_EQ(trace.err, "mcptrace: no session is stored yet; trace one with: mcptrace run CMD\n");
  EXPECT_EQ(run({"clear"}).out, "Deleted 0 files (0 B).\n");
}

TEST_F(Backend, WrongUseIsOneLineAndStatus2) {
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{}, "which command? (see mcptrace --help)"},
      {{"nope"}, "unknown command 'nope' (see mcptrace --help)"},
      {{"clear", "--older-than", ""}, "option '--older-than' of clear wants a value (see mcptrace clear --help)"},
      {{"sessions", "--since="}, "option '--since' of sessions wants a value (see mcptrace sessions --help)"},
      {{"sessions", "--all=1"}, "option '--all' of sessions takes no value (see mcptrace sessions --help)"},
      {{"sessions", "--foo"}, "unknown option '--foo' of sessions (see mcptrace sessions --help)"},
      {{"sessions", "extra"}, "unexpected argument 'extra' of sessions (see mcptrace sessions --help)"},
      {{"sessions", "--limit"}, "option '--limit' of sessions wants a value (see mcptrace sessions --help)"},
      {{"sessions", "--limit", "0"}, "--limit wants a number from 1 to 1000000, got '0'"},
      {{"sessions", "--since", "1y"}, "--since wants a number and s, m, h, d or w, like 30s or 2h; got '1y'"},
      {{"sessions", "--format", "otlp"}, "--format of sessions is text or json, not 'otlp'"},
      {{"trace", "abcd", "efgh"}, "unexpected argument 'efgh' of trace (see mcptrace trace --help)"},
      {{"trace", "x\x1b[2J"}, "'x\\x1b[2J' is no trace or session id: 4 to 32 hexadecimal digits, or s- and 4 to 16"},
      {{"trace", "--follow", "--format", "otlp"}, "--follow knows --format text and json only"},
      {{"clear", "--older-than", "5"}, "--older-than wants a number and s, m, h, d or w, like 30s or 2h; got '5'"},
      {{"clear", "\x1b]52;c;x\x07"}, "unexpected argument '\\x1b]52;c;x\\x07' of clear (see mcptrace clear --help)"},
  };
  for (const auto& [arguments, message] : cases) {
    const Answer answer = run(arguments);
    EXPECT_EQ(answer.status, 2) << message;
    EXPECT_EQ(answer.err, "mcptrace: " + message + "\n");
    EXPECT_EQ(answer.out, "");
  }
}

TEST_F(Backend, HelpNamesEveryOptionAndHasExamples) {
  const std::pair<std::string, std::vector<std::string>> commands[] = {
      {"sessions", {"--limit", "--since", "--errors", "--server", "--all", "--format", "--help"}},
      {"trace", {"--follow", "--full", "--format", "--help"}},
      {"clear", {"--older-than", "--help"}},
  };
  for (const auto& [command, options] : commands) {
    const Answer answer = run({command, "--help"});
    EXPECT_EQ(answer.status, 0);
    EXPECT_TRUE(answer.out.starts_with("usage: mcptrace " + command + " [")) << answer.out;
    EXPECT_NE(answer.out.find("\nexamples:\n  mcptrace " + command), std::string::npos);
    for (const std::string& option : options) EXPECT_NE(answer.out.find(option), std::string::npos) << option;
    EXPECT_NE(run({"--help"}).out.find("  " + command + " "), std::string::npos);
  }
}

TEST_F(Backend, EveryCommandOfTheListIsHere) {
  for (const CommandInfo& command : kCommandList) {
    if (command.program == Program::kBackend)
      EXPECT_EQ(run({std::string(command.name), "--help"}).status, 0) << command.name;
  }
}

TEST_F(Backend, ListsAndShows) {
  const std::string first = ended(1), second = ended(2);
  const Answer list = run({"sessions"});
  EXPECT_EQ(list.status, 0);
  EXPECT_NE(list.out.find(first.substr(0, 10)), std::string::npos) << list.out;
  EXPECT_NE(list.out.find(second.substr(0, 10)), std::string::npos) << list.out;
  EXPECT_EQ(list.err, "");
  const Answer newest = run({"trace"});
  EXPECT_EQ(newest.status, 0);
  EXPECT_EQ(newest.err, "mcptrace: the newest session; 1 other is stored (mcptrace sessions)\n");
  const Answer trace = run({"trace", first.substr(0, 10)});
  EXPECT_EQ(trace.status, 0);
  EXPECT_TRUE(trace.out.starts_with("session " + first + "  trace ")) << trace.out;
  EXPECT_NE(trace.out.find("✗ tool_error"), std::string::npos);
  EXPECT_EQ(trace.err, "");
  EXPECT_TRUE(run({"trace", first, "--format", "otlp"}).out.starts_with("{\"resourceSpans\":[{"));
  EXPECT_TRUE(run({"trace", first, "--format=json"}).out.starts_with("{\"session\":{"));
}

TEST_F(Backend, ColourOnATerminalUnlessTurnedOff) {
  ended(1);
  EXPECT_EQ(run({"trace"}).out.find('\x1b'), std::string::npos);
  terminal_ = true;
  EXPECT_NE(run({"trace"}).out.find('\x1b'), std::string::npos);
  environment_["NO_COLOR"] = "1";
  EXPECT_EQ(run({"trace"}).out.find('\x1b'), std::string::npos);
  environment_["LANG"] = "C";
  const std::string ascii = run({"trace"}).out;
  EXPECT_TRUE(std::ranges::all_of(ascii, [](char c) { return static_cast<unsigned char>(c) < 0x80; })) << ascii;
}

TEST_F(Backend, ClearDeletesWhatIsOver) {
  ended(1);
  ended(2);
  std::optional<Process> running(std::in_place, home_, clock_, 3);
  EXPECT_TRUE(run({"clear", "--older-than", "1h"}).out.starts_with("Deleted 0 files (0 B). 1 session still runs"));
  const Answer answer = run({"clear"});
  EXPECT_TRUE(answer.out.starts_with("Deleted 2 files (")) << answer.out;
  EXPECT_TRUE(answer.out.ends_with("). 1 session still runs; its files were kept.\n")) << answer.out;
  EXPECT_EQ(run({"trace"}).out.substr(0, 26), "session " + running->sample.id());
  running.reset();
  EXPECT_TRUE(run({"clear"}).out.starts_with("Deleted 1 file ("));
}

TEST_F(Backend, ClearKeepsTheFormerFilesOfASessionThatRuns) {
  ended(1);
  std::optional<Process> former(std::in_place, home_, clock_, 1), running(std::in_place, home_, clock_, 1);
  former.reset();  // of the same process and session: it went on in another file
  EXPECT_TRUE(run({"clear"}).out.starts_with("Deleted 0 files (0 B). 1 session still runs"));
  running->close();
  running.reset();
  EXPECT_TRUE(run({"clear"}).out.starts_with("Deleted 3 files ("));
}

TEST_F(Backend, ClearForgetsWhatServersDeclaredUnlessOnlyWhatIsOldGoes) {
  ended(1);
  const std::string declared = home_ + "/state/declared";
  UniqueFd(::open(declared.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  EXPECT_EQ(run({"clear", "--older-than", "1h"}).status, 0);
  EXPECT_TRUE(std::filesystem::exists(declared));
  EXPECT_EQ(run({"clear"}).status, 0);
  EXPECT_FALSE(std::filesystem::exists(declared));
}

TEST_F(Backend, FollowOfAnEndedSessionShowsItAndEnds) {
  const std::string id = ended(1);
  const Answer answer = run({"trace", id, "--follow"});
  EXPECT_EQ(answer.status, 0);
  EXPECT_NE(answer.out.find("  mcp.tool_call echo "), std::string::npos) << answer.out;
  EXPECT_NE(answer.out.find("\n\nsession " + id), std::string::npos) << answer.out;
  const Answer json = run({"trace", id, "--follow", "--format", "json"});
  EXPECT_TRUE(json.out.starts_with("{\"span\":{")) << json.out;
}

TEST_F(Backend, ASpoolThatCannotBeUsedIsNoWrongUse) {
  const std::string spool = home_ + "/state/spool", elsewhere = home_ + "/elsewhere";
  std::filesystem::create_directories(spool);
  std::filesystem::permissions(spool, std::filesystem::perms::all);
  const auto refused = [this](const std::string& why) {
    for (const char* command : {"sessions", "trace", "clear"}) {
      const Answer answer = run({command});
      EXPECT_EQ(answer.status, 1) << command;
      EXPECT_NE(answer.err.find(why), std::string::npos) << answer.err;
    }
  };
  refused(" may be written by other users");
  std::filesystem::rename(spool, elsewhere);
  std::filesystem::create_directory_symlink(elsewhere, spool);
  refused(" is a symbolic link");
}

// Then it would be no answer that nothing was traced.
TEST_F(Backend, AStateDirectoryThatCannotBeUsedIsSaid) {
  const std::string file = home_ + "/file", link = home_ + "/link", state = home_ + "/state";
  UniqueFd(::open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  std::filesystem::create_symlink("nowhere", link);
  const std::string name(300, 'n');
  const auto refused = [this](const std::string& state, const std::string& why) {
    environment_["MCPTRACE_HOME"] = state;
    for (const char* command : {"sessions", "trace", "clear"}) {
      const Answer answer = run({command});
      EXPECT_EQ(answer.status, 1) << command;
      EXPECT_EQ(answer.out, "");
      EXPECT_EQ(answer.err, "mcptrace: the state directory " + state + " cannot be used: " + why + "\n");
    }
  };
  refused(file, file + ": Not a directory");
  refused(file + "/below/it", file + ": Not a directory");
  refused(link, link + " is a link that leads nowhere: No such file or directory");
  refused(link + "/below", link + " is a link that leads nowhere: No such file or directory");
  refused(home_ + "/" + name, home_ + "/" + name + ": File name too long");
  // Root may write anywhere; somebody else not where only it may.
  std::filesystem::permissions(home_, std::filesystem::perms(0555));
  const uid_t self = ::geteuid();
  if (self == 0) ASSERT_EQ(::seteuid(123'456), 0);
  refused(state, home_ + ": Permission denied");
  if (self == 0) ASSERT_EQ(::seteuid(self), 0);
  std::filesystem::permissions(home_, std::filesystem::perms(0700));
  environment_["MCPTRACE_HOME"] = state;
  EXPECT_EQ(run({"sessions"}).status, 0);
}

TEST_F(Backend, WhatCannotBePrintedIsSaid) {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC)), err(::memfd_create("err", 0));
  World world = this->world({"--help"}, full.get(), err.get());
  EXPECT_EQ(run_backend(world), 1);
  EXPECT_EQ(content(err.get()), "mcptrace: write: No space left on device\n");
}

TEST_F(Backend, StateDirectory) {
  const World with_home = world({}, 1, 2);
  EXPECT_EQ(*state_directory(with_home), home_ + "/state");
  environment_ = {{"XDG_STATE_HOME", "/xdg"}, {"MCPTRACE_HOME", ""}};
  EXPECT_EQ(*state_directory(with_home), "/xdg/mcptrace");
  environment_ = {{"XDG_STATE_HOME", "relative"}};
  EXPECT_EQ(*state_directory(with_home), home_ + "/.local/state/mcptrace");
  World without = world({}, 1, 2);
  without.home.clear();
  EXPECT_EQ(state_directory(without).error().code, Errc::kNotFound);
}

}  // namespace
}  // namespace mcptrace::app
