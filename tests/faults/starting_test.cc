// W16, W17: commands that cannot be run, and descriptors that are missing, few or inherited.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "rig.h"

namespace mcptrace::faults {
namespace {

class Starting : public testing::Test {
 protected:
  Starting() {
    char name[] = "/tmp/faults-XXXXXX";
    directory_ = mkdtemp(name);
  }
  ~Starting() override { std::filesystem::remove_all(directory_); }
  std::string file(const std::string& name, const std::string& content, mode_t mode) const {
    const std::string path = directory_ + "/" + name;
    std::ofstream(path) << content;
    chmod(path.c_str(), mode);
    return path;
  }
  std::string directory_;
};

// It ends with `code`, at once, and says why in one line, which names the command as it was given, but no arguments.
void expect_refused(const std::string& command, int code, const std::string& reason,
                    const std::function<void()>& prepare = {}) {
  SCOPED_TRACE(command);
  auto best = std::chrono::steady_clock::duration::max();
  for (int round = 0; round < 3; ++round) {
    const auto start = std::chrono::steady_clock::now();
    Session session(Way::kWrapped, {command, "secret-argument"}, {.prepare = prepare});
    const std::optional<int> status = session.wait();
    best = std::min(best, since(start));
    ASSERT_TRUE(status && WIFEXITED(*status));
    EXPECT_EQ(WEXITSTATUS(*status), code);
    EXPECT_EQ(session.take_rest(), "");
    const std::string said = session.take_stderr().value_or("late");
    EXPECT_EQ(said, "mcptrace: cannot run " + command + ": " + reason + "\n");
  }
  EXPECT_LE(best, milliseconds(instrumented() ? 500 : 100));
}

TEST_F(Starting, W16_CommandsThatCannotRun) {
  const std::string no_interpreter = "its interpreter does not exist";
  expect_refused("no-such-command-anywhere", 127, "not found in PATH");
  expect_refused(directory_ + "/missing", 127, "there is no such file");
  expect_refused(file("not-executable", "#!/bin/sh\n", 0644), 126, "Permission denied");
  expect_refused(directory_, 126, "is a directory");
  expect_refused(file("bad-interpreter", "#!/no/such/interpreter\n", 0755), 126, no_interpreter);
  expect_refused("bad-interpreter", 126, no_interpreter, [this] { setenv("PATH", directory_.c_str(), 1); });
  expect_refused(file("as-directory", "", 0644) + "/x", 126, "Not a directory");
}

TEST_F(Starting, W16_DeletedWorkingDirectory) {
  const auto go_nowhere = [] {
    char name[] = "/tmp/faults-cwd-XXXXXX";
    if (!mkdtemp(name) || chdir(name) != 0) _exit(90);
    rmdir(name);
  };
  expect_refused("./here", 127, "there is no such file", go_nowhere);
  for (const Way way : kBothWays) {
    Session session(way, {"@exit", "33"}, {.prepare = go_nowhere});
    EXPECT_EQ(session.wait(), 33 << 8);
  }
}

TEST_F(Starting, W16_FormatErrorRunsByTheShell) {
  const std::string script = file("no-shebang", "echo from the shell; exit 5\n", 0755);
  for (const Way way : kBothWays) {
    Session session(way, {script});
    EXPECT_EQ(session.take_rest(), "from the shell\n");
    EXPECT_EQ(session.wait(), 5 << 8);
  }
}

TEST_F(Starting, W16_NoMoreProcesses) {
  // A copy of the wrapper that anybody may run: the limit does not bind root, and the build may lie in a private
  // directory.
  std::vector<std::string> words = wrapper_words();
  const std::string copy = directory_ + "/wrapper";
  std::filesystem::copy_file(words.front(), copy);
  chmod(copy.c_str(), 0755);
  chmod(directory_.c_str(), 0755);
  words.front() = copy;
  words.emplace_back("/bin/true");
  Session session(Way::kDirect, words, {.prepare = [] {
                    const rlimit few{1, 1};
                    if (chdir("/") != 0 || (getuid() == 0 && setuid(65534) != 0)) _exit(90);
                    setrlimit(RLIMIT_NPROC, &few);
                  }});
  const std::optional<int> status = session.wait();
  ASSERT_TRUE(status && WIFEXITED(*status));
  EXPECT_EQ(WEXITSTATUS(*status), 126);
  EXPECT_EQ(session.take_rest(), "");
  const std::string said = session.take_stderr().value_or("late");
  EXPECT_TRUE(said.starts_with("mcptrace: ")) << said;
  EXPECT_TRUE(said.contains("making a process: ")) << said;
}

TEST_F(Starting, W17_FewDescriptors) {
  int worked = 0;
  for (rlim_t limit = 8; limit <= 16; ++limit) {
    SCOPED_TRACE(limit);
    Session session(Way::kWrapped, {"@exit", "42"}, {.prepare = [limit] {
                      close_range(3, ~0U, 0);  // whatever our runner left open would count
                      const rlimit few{limit, limit};
                      setrlimit(RLIMIT_NOFILE, &few);
                    }});
    const std::optional<int> status = session.wait();
    ASSERT_TRUE(status && WIFEXITED(*status));
    if (WEXITSTATUS(*status) == 42) {
      ++worked;
      continue;
    }
    EXPECT_EQ(WEXITSTATUS(*status), 126);
    const std::string said = session.take_stderr().value_or("late");
    EXPECT_TRUE(said.starts_with("mcptrace: ")) << said;
    EXPECT_EQ(std::ranges::count(said, '\n'), 1) << said;
  }
  EXPECT_GT(worked, 0);
}

TEST_F(Starting, W17_StandardDescriptorsClosed) {
  for (int closed = 0; closed < 8; ++closed) {
    SCOPED_TRACE(closed);
    const auto close_some = [closed] {
      for (int fd = 0; fd < 3; ++fd) {
        if (closed & (1 << fd)) close(fd);
      }
    };
    for (const Way way : kBothWays) {
      Session session(way, {"@has-stderr"}, {.prepare = close_some});
      EXPECT_EQ(session.wait(), (closed & 4 ? 21 : 20) << 8);
    }
    Session session(Way::kWrapped, {"@eof-now"}, {.prepare = close_some});
    session.end_input();
    EXPECT_EQ(session.wait(), 10 << 8);
    Session writer(Way::kWrapped, {"@noise"}, {.prepare = close_some});
    if (closed & 2) EXPECT_EQ(writer.wait(), 0);
  }
}

void open_three_to_nine() {
  for (int fd = 3; fd < 10; ++fd) dup2(STDERR_FILENO, fd);
}

TEST_F(Starting, W17_InheritedDescriptorsPassThrough) {
  std::string said[2];
  for (const Way way : kBothWays) {
    Session session(way, {"@fds"}, {.prepare = open_three_to_nine});
    said[static_cast<int>(way)] = session.take_line();
  }
  EXPECT_TRUE(said[0].starts_with("0 1 2 3 4 5 6 7 8 9 ")) << said[0];
  EXPECT_EQ(said[0], said[1]);
}

TEST_F(Starting, W17_InheritedDescriptorIsTheChildsAlone) {
  for (const Way way : kBothWays) {
    int channel[2];
    ASSERT_EQ(0, pipe2(channel, O_CLOEXEC));
    Session session(way, {"@close-fd", "5"}, {.prepare = [&] { dup2(channel[1], 5); }});
    close(channel[1]);
    char byte;
    alarm(20);
    EXPECT_EQ(0, read(channel[0], &byte, 1));  // end of file while the session lives
    alarm(0);
    close(channel[0]);
    EXPECT_TRUE(session.put("alive\n"));
    EXPECT_EQ(session.take_line(), "alive");
  }
}

TEST_F(Starting, W17_PlaceAndEnvironment) {
  const auto prepare = [] { setenv("FAULTS_VARIABLE", "kept", 1); };
  Start start{.prepare = prepare};
  Session direct(Way::kDirect, {"@place"}, start), wrapped(Way::kWrapped, {"@place"}, start);
  const std::string said = direct.take_line();
  EXPECT_TRUE(said.ends_with(" kept")) << said;
  EXPECT_EQ(said, wrapped.take_line());
}

}  // namespace
}  // namespace mcptrace::faults
