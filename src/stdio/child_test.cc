#include "stdio/child.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace mcptrace::stdio {
namespace {

TEST(Child, ShowsTheCommandAsItWasGiven) {
  EXPECT_EQ(shown_command("/usr/bin/node"), "/usr/bin/node");
  EXPECT_EQ(shown_command("./dir/"), "./dir/");
  EXPECT_EQ(shown_command(""), "");
  EXPECT_EQ(shown_command("/" + std::string(400, 'd') + "/server"), "…" + std::string(293, 'd') + "/server");
  EXPECT_EQ(shown_command(std::string(100, '/') + "ä" + std::string(299, 'x')), "…" + std::string(299, 'x'));
}

TEST(Child, ExplainsWhyItDidNotRun) {
  EXPECT_EQ(explain_exec("nothing-of-this-name", ENOENT).code, 127);
  EXPECT_EQ(explain_exec("nothing-of-this-name", ENOENT).reason, "not found in PATH");
  EXPECT_EQ(explain_exec("/no/such/file", ENOENT).code, 127);
  EXPECT_EQ(explain_exec("/no/such/file", ENOENT).reason, "there is no such file");
  for (const char* there : {"/bin/sh", "sh"}) {  // so its interpreter is not
    EXPECT_EQ(explain_exec(there, ENOENT).code, 126);
    EXPECT_EQ(explain_exec(there, ENOENT).reason, "its interpreter does not exist");
  }
  EXPECT_EQ(explain_exec("/etc", EACCES).code, 126);
  EXPECT_EQ(explain_exec("/etc", EACCES).reason, "is a directory");
  EXPECT_EQ(explain_exec("/etc/passwd", EACCES).reason, "Permission denied");
  EXPECT_EQ(explain_exec("x", ENOEXEC).reason, "not an executable format");
  EXPECT_EQ(explain_exec("x", E2BIG).reason, "Argument list too long");
}

int status_of(const Child& child) {
  int status = -1;
  EXPECT_EQ(child.pid, waitpid(child.pid, &status, 0));
  return status;
}

TEST(Child, SpeaksThroughItsPipes) {
  const SignalState signals;
  Result<Child> child = spawn({"cat"}, signals);
  signals.restore();
  ASSERT_TRUE(child);
  EXPECT_EQ(0, wait_for_exec(*child));
  ASSERT_TRUE(write_all(child->to_stdin.get(), "hello"));
  child->to_stdin.reset();
  char text[16];
  EXPECT_EQ(5, read(child->from_stdout.get(), text, sizeof(text)));
  EXPECT_EQ(0, read(child->from_stdout.get(), text, sizeof(text)));
  EXPECT_EQ(0, status_of(*child));
}

TEST(Child, SaysThatItCannotRun) {
  const SignalState signals;
  for (const auto& [command, expected] : {std::pair<std::vector<std::string>, int>{{"/no/such/file"}, ENOENT},
                                          {{"/etc"}, EACCES},
                                          {{"true", std::string(200'000, 'x')}, E2BIG}}) {
    Result<Child> child = spawn(command, signals);
    ASSERT_TRUE(child);
    EXPECT_EQ(expected, wait_for_exec(*child));
    EXPECT_EQ(126 << 8, status_of(*child));
  }
  signals.restore();
}

TEST(Child, LetsGoOfWhatItInherited) {
  int ends[2], kept[2];
  ASSERT_EQ(0, pipe(ends));
  ASSERT_EQ(0, pipe(kept));
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  // In a process of its own: the test program's descriptors are not to be lost.
  const pid_t pid = fork();
  if (pid == 0) {
    let_go_of_inherited(std::array{kept[1], ends[0]}, null.get());
    char byte;
    const bool still_open = write(kept[1], "k", 1) == 1;
    close(STDERR_FILENO);
    _exit(still_open && read(ends[0], &byte, 1) == 0 ? 0 : 1);  // end of file: our write end is gone
  }
  close(ends[1]);
  int status = -1;
  EXPECT_EQ(pid, waitpid(pid, &status, 0));
  EXPECT_EQ(0, status);
  for (const int fd : {ends[0], kept[0], kept[1]}) close(fd);
}

}  // namespace
}  // namespace mcptrace::stdio
