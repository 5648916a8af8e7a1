// W5, D1, W22: `mcptrace run` whose state directory goes, is none, is full or is shared by hundreds. Traffic never
// notices; what was lost is said once, and counted where the root can still be written.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/fd.h"
#include "program_rig.h"
#include "query/load.h"

namespace mcptrace::faults {
namespace {

bool exited_with(const std::optional<int>& status, int code) {
  return status && WIFEXITED(*status) && WEXITSTATUS(*status) == code;
}

// Lines of this reason; a machine that is busy enough has the observer's slowness to say too, another one.
std::ptrdiff_t times_said_lost(const std::string& text) {
  return std::ranges::count_if(own_lines(text), [](const std::string& line) {
    return line.starts_with("mcptrace: telemetry is being lost, traffic is not affected: ");
  });
}

bool has_span_of(const std::string& spool, std::uint64_t id) {
  bool found = false;
  read_spool(spool, [&](const Stored& stored) {
    found = found || (stored.type == spool::RecordType::kSpan && call_id(stored) == id);
  });
  return found;
}

TEST(ProgramState, W5_TheSpoolDirectoryIsRemovedWhileRunning) {
  Home home;
  Session session = start_run(home.path(), {.server = {"serve", "5"}});
  ASSERT_TRUE(make_calls(session, 0, 10));
  ASSERT_TRUE(eventually([&] { return has_span_of(home.spool(), 9); }));
  std::filesystem::remove_all(home.spool());
  std::uint64_t next = 10;
  // What is on its way to the file without a name may be lost; then there is a new one.
  EXPECT_TRUE(eventually([&] {
    EXPECT_TRUE(make_calls(session, next, 10));
    next += 10;
    return std::filesystem::exists(home.spool()) && has_span_of(home.spool(), next - 11);
  }));
  ASSERT_TRUE(make_calls(session, next, 10));
  ASSERT_TRUE(exited_with(leave_and_wait(session), 5));
  const Account account(home.spool(), next + 10);
  EXPECT_EQ(account.roots, 1u);
  EXPECT_EQ(account.closes, 1u);
  for (std::uint64_t id = next; id < next + 10; ++id) EXPECT_EQ(account.spans[id], 1) << id;
  EXPECT_LE(times_said_lost(session.take_stderr().value_or("")), 1);
}

// Traffic, exit status and the one line, where nothing can be written. So few calls that their facts have room though
// the observer should not get to run: that would be a line of its own.
void nothing_can_be_written(const std::string& home, const std::function<void()>& prepare = {}) {
  Session session = start_run(home, {.server = {"serve", "6"}, .prepare = prepare});
  ASSERT_TRUE(make_calls(session, 0, 300));
  ASSERT_TRUE(exited_with(leave_and_wait(session), 6));
  EXPECT_EQ(session.take_rest(), "");
  const std::string said = session.take_stderr().value_or("nothing");
  EXPECT_EQ(own_lines(said).size(), 1u) << said;
}

TEST(ProgramState, W5_TheStateDirectoryIsAFile) {
  Home home;
  const std::string file = home.path() + "/file";
  ASSERT_TRUE(UniqueFd(open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)).valid());
  nothing_can_be_written(file);
}

TEST(ProgramState, W5_TheSpoolIsAFile) {
  Home home;
  ASSERT_TRUE(UniqueFd(open(home.spool().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)).valid());
  nothing_can_be_written(home.path());
}

// The session is there, and the one line says what is not.
void without_the_secret(const Home& home) {
  Session session = start_run(home.path(), {.server = {"serve", "6"}});
  ASSERT_TRUE(make_calls(session, 0, 10));
  ASSERT_TRUE(exited_with(leave_and_wait(session), 6));
  const std::string said = session.take_stderr().value_or("nothing");
  ASSERT_EQ(own_lines(said).size(), 1u) << said;
  EXPECT_TRUE(own_lines(said)[0].starts_with("mcptrace: fingerprints and session ids will not match")) << said;
  const Account account(home.spool(), 10);
  account.expect_all(10);
  EXPECT_EQ(account.closes, 1u);
}

TEST(ProgramState, W5_TheSecretIsForeignBytes) {
  Home home;
  const UniqueFd fd(open((home.path() + "/secret").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_TRUE(write_all(fd.get(), "not a secret\n"));
  without_the_secret(home);
}

TEST(ProgramState, W5_TheSecretIsAFifo) {
  Home home;
  ASSERT_EQ(mkfifo((home.path() + "/secret").c_str(), 0600), 0);
  without_the_secret(home);
}

TEST(ProgramState, D1_NoFileMayGrow) {
  for (const rlim_t limit : {rlim_t{0}, rlim_t{512}}) {
    SCOPED_TRACE(limit);
    Home home;
    nothing_can_be_written(home.path(), [limit] {
      const rlimit none{limit, limit};
      setrlimit(RLIMIT_FSIZE, &none);
    });
  }
}

// A small file system of its own at `home`, seen by the wrapper alone. False where the system does not let us.
bool mount_small(const std::string& home, unsigned long flags) {
  if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  return mount("none", home.c_str(), "tmpfs", flags, "size=512k,mode=0700") == 0;
}

bool can_mount() {
  Home home;
  const pid_t pid = fork();
  if (pid == 0) _exit(mount_small(home.path(), 0) ? 0 : 1);
  int status = -1;
  waitpid(pid, &status, 0);
  return status == 0;
}

TEST(ProgramState, D1_AReadOnlyFileSystem) {
  Home home;
  nothing_can_be_written(home.path(), [path = home.path()] {
    if (mount_small(path, MS_RDONLY)) return;
    const rlimit none{512, 512};  // where nobody may mount, the nearest that there is
    setrlimit(RLIMIT_FSIZE, &none);
  });
}

TEST(ProgramState, D1_AFullDiskLosesSpansAndCountsThemAndGoesOnWhenThereIsRoom) {
  if (!can_mount()) return nothing_can_be_written("/dev/full");
  Home home;
  Session session =
      start_run(home.path(), {.server = {"serve", "8"}, .prepare = [path = home.path()] {
                                mount_small(path, 0);
                                const UniqueFd ballast(open((path + "/ballast").c_str(), O_WRONLY | O_CREAT, 0600));
                                static_cast<void>(write_all(ballast.get(), std::string(496 << 10, 'b')));
                              }});
  ASSERT_TRUE(make_calls(session, 0, 10));
  const std::string seen = "/proc/" + std::to_string(session.pid()) + "/root" + home.path();
  const UniqueFd disk(open(seen.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));  // it lives on with this
  ASSERT_TRUE(disk.valid());
  const std::string spool = "/proc/self/fd/" + std::to_string(disk.get()) + "/spool";
  std::uint64_t next = 10;
  const auto more = [&] {
    EXPECT_TRUE(make_calls(session, next, 1000));
    next += 1000;
  };
  std::string said;
  ASSERT_TRUE(eventually([&] {
    more();
    if (const std::string line = session.take_stderr_line(milliseconds(0)); !line.empty()) said += line + "\n";
    return times_said_lost(said) == 1;
  }));
  more();
  ASSERT_EQ(unlinkat(disk.get(), "ballast", 0), 0);
  // Few calls, and time for each: the room that there is now would be full again before the observer's turn has come.
  EXPECT_TRUE(eventually([&] {
    EXPECT_TRUE(make_calls(session, next, 10));
    next += 10;
    return eventually([&] { return has_span_of(spool, next - 1); }, milliseconds(1500));
  }));
  ASSERT_TRUE(exited_with(leave_and_wait(session), 8));
  EXPECT_EQ(times_said_lost(said + session.take_stderr().value_or("")), 1);
  const Account account(spool, next);
  account.expect_all(next);
  EXPECT_EQ(account.roots, 1u);
  EXPECT_GT(account.dropped, 0u);
}

// A disk of which a running wrapper alone knows; it lives on with this.
class SmallDisk {
 public:
  SmallDisk(const Session& session, const std::string& home)
      : fd_(open(("/proc/" + std::to_string(session.pid()) + "/root" + home).c_str(),
                 O_PATH | O_DIRECTORY | O_CLOEXEC)) {}
  [[nodiscard]] bool valid() const { return fd_.valid(); }
  // In this process and, while it lives, in others.
  [[nodiscard]] std::string path() const {
    return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(fd_.get());
  }
  void fill() const {
    const UniqueFd file(openat(fd_.get(), "ballast", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    const std::string block(4096, 'b');
    while (write_all(file.get(), block)) {
    }
  }
  [[nodiscard]] std::uint64_t free_bytes() const {
    struct statvfs status{};
    EXPECT_EQ(statvfs(path().c_str(), &status), 0);
    return status.f_bfree * status.f_frsize;
  }

 private:
  UniqueFd fd_;
};

// What `mcptrace ARGUMENTS` says, on stdout and on stderr.
std::string said_by(const std::string& home, const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {MCPTRACE_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  Session command(Way::kDirect, words, {.prepare = [home] { setenv("MCPTRACE_HOME", home.c_str(), 1); }});
  std::string text = command.take_rest().value_or("no end");
  text += command.take_stderr().value_or("no end");
  EXPECT_TRUE(exited_with(command.wait(), 0)) << text;
  return text;
}

TEST(ProgramState, D1_ADiskThatFillsInTheMiddleOfASessionLeavesItClosedAndItsLossesKnown) {
  if (!can_mount()) return nothing_can_be_written("/dev/full");
  Home home;
  Session session =
      start_run(home.path(), {.server = {"serve", "8"}, .prepare = [path = home.path()] { mount_small(path, 0); }});
  ASSERT_TRUE(make_calls(session, 0, 10));
  const SmallDisk disk(session, home.path());
  ASSERT_TRUE(disk.valid());
  const std::string spool = disk.path() + "/spool";
  ASSERT_TRUE(eventually([&] { return has_span_of(spool, 9); }));
  disk.fill();
  std::uint64_t next = 10;
  std::string said;
  ASSERT_TRUE(eventually([&] {
    EXPECT_TRUE(make_calls(session, next, 1000));
    next += 1000;
    if (const std::string line = session.take_stderr_line(milliseconds(0)); !line.empty()) said += line + "\n";
    return times_said_lost(said) == 1;
  }));
  ASSERT_TRUE(exited_with(leave_and_wait(session), 8));
  EXPECT_GT(disk.free_bytes(), 0u) << "what was kept and not needed is given back";
  const Account account(spool, next);
  EXPECT_EQ(account.size.damaged_places, 0u);
  EXPECT_EQ(account.closes, 1u);
  EXPECT_LT(account.calls, next);
  const auto listed = query::load_sessions(spool, {});
  ASSERT_TRUE(listed) << listed.error().message;
  ASSERT_EQ(listed->sessions.size(), 1u);
  const query::Session& closed = listed->sessions[0];
  EXPECT_EQ(closed.state, query::State::kClosed);
  EXPECT_GE(account.calls + static_cast<std::uint64_t>(closed.counts.dropped), next) << "each is there, or is counted";
  EXPECT_GT(listed->skips.numbers().records, 0u);
  const std::string sessions = said_by(disk.path(), {"sessions"}), trace = said_by(disk.path(), {"trace"});
  EXPECT_TRUE(sessions.contains(" closed ")) << sessions;
  EXPECT_TRUE(sessions.contains("mcptrace: telemetry was lost: ")) << sessions;
  EXPECT_TRUE(trace.contains("could not be traced (dropped)")) << trace;
}

TEST(ProgramState, W22_TwoHundredAtOnceOnOneStateDirectory) {
  const std::size_t count = instrumented() ? 40 : 200;  // a sanitizer's own memory is the limit
  constexpr std::uint64_t kCalls = 5;
  Home home;
  std::vector<Session> sessions;
  for (std::size_t i = 0; i < count; ++i) sessions.push_back(start_run(home.path(), {.inject = true}));
  std::string out, back;
  for (std::uint64_t id = 0; id < kCalls; ++id) out += tool_call(id), back += answer(id);
  for (Session& session : sessions) ASSERT_TRUE(session.put(out));
  for (Session& session : sessions) ASSERT_TRUE(session.take(back.size(), 3 * kSoon) == back);
  for (Session& session : sessions) session.end_input();
  for (Session& session : sessions) {
    ASSERT_TRUE(exited_with(session.wait(), 0));
    EXPECT_TRUE(own_lines(session.take_stderr().value_or("")).empty());
  }
  const Account account(home.spool());
  EXPECT_EQ(account.size.files, count);
  EXPECT_EQ(account.size.locked, 0u);
  EXPECT_EQ(account.size.damaged_places, 0u);
  EXPECT_EQ(account.calls, count * kCalls);
  EXPECT_EQ(account.roots, count);
  EXPECT_EQ(account.repeated_spans, 0u);
  EXPECT_EQ(account.dropped, 0u);
  query::SessionQuery everything;
  everything.limit = 1000;
  const auto listed = query::load_sessions(home.spool(), everything);
  ASSERT_TRUE(listed) << listed.error().message;
  EXPECT_EQ(listed->sessions.size(), count);
  for (const query::Session& session : listed->sessions) {
    EXPECT_EQ(session.state, query::State::kClosed);
    EXPECT_EQ(session.counts.calls, static_cast<std::int64_t>(kCalls));
  }
}

}  // namespace
}  // namespace mcptrace::faults
