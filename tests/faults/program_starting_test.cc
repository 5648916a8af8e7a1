// What telemetry may find missing when `mcptrace run` and `mcptrace proxy` start: threads, memory, descriptors,
// directories, locks, the secret. The traffic passes byte for byte, the exit status is the server's, and one line on
// stderr says what is not.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "base/fd.h"
#include "denied.h"
#include "program_rig.h"
#include "proxy_rig.h"
#include "spool/counters.h"
#include "spool/reader.h"

namespace mcptrace::faults {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr int kStatus = 6;
constexpr std::uint64_t kCalls = 300;

// Of systems that still have them.
#ifdef SYS_mkdir
constexpr long kFork = SYS_fork, kMkdir = SYS_mkdir, kLink = SYS_link, kRename = SYS_rename;
#else
constexpr long kFork = SYS_clone, kMkdir = SYS_mkdirat, kLink = SYS_linkat, kRename = SYS_renameat;
#endif

void set_limit(__rlimit_resource which, rlim_t most) {
  const rlimit limit{most, most};
  if (setrlimit(which, &limit) != 0) _exit(91);
}

const std::string kBlock = R"({"b":")" + std::string(1 << 20, 'b') + "\"}\n";

// What `serve` says of bytes that came as they were sent.
std::string read_line(std::string_view sent) {
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : sent) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return "read " + std::to_string(sent.size()) + " " + std::to_string(hash) + " 0";
}

// Calls, and more bytes than any buffer on the way holds; what the wrapper said.
std::vector<std::string> pass_traffic(Session session) {
  std::string sent;
  EXPECT_TRUE(make_calls(session, 0, kCalls, &sent));
  EXPECT_TRUE(session.put(kBlock));
  EXPECT_TRUE(session.take(kBlock.size()) == kBlock);
  sent += kBlock;
  const std::optional<int> status = leave_and_wait(session);
  EXPECT_TRUE(status && WIFEXITED(*status) && WEXITSTATUS(*status) == kStatus) << status.value_or(-1);
  EXPECT_EQ(session.take_rest(), "");
  const std::string said = session.take_stderr().value_or("late");
  EXPECT_THAT(said, HasSubstr(read_line(sent)));
  return own_lines(said);
}

// `says`: how the one line begins; empty: there is none.
void expect_said(const std::vector<std::string>& lines, const std::string& says) {
  ASSERT_EQ(lines.size(), says.empty() ? 0u : 1u) << testing::PrintToString(lines);
  if (!says.empty()) {
    EXPECT_THAT(lines.front(), StartsWith("mcptrace: " + says));
  }
}

// The same for a proxy.
std::vector<std::string> pass_requests(ProxyUnderTest proxy) {
  EXPECT_TRUE(proxy.listens());
  if (!proxy.listens()) return {};
  for (std::uint64_t id = 0; id < 20; ++id) EXPECT_EQ(proxy.post(tool_call(id)), tool_call(id));
  EXPECT_TRUE(proxy.post(kBlock) == kBlock);
  EXPECT_EQ(proxy.stop(), 0);
  return proxy.own_lines();
}

std::vector<std::string> proxy_words() { return {MCPTRACE_PROGRAM, "proxy", "--no-inject"}; }

std::function<void()> with_home(const std::string& home, const std::function<void()>& more) {
  return [home, more] {
    setenv("MCPTRACE_HOME", home.c_str(), 1);
    if (more) more();
  };
}

// Both commands, one after the other.
void try_with(const std::string& home, const std::string& says, const std::function<void()>& prepare = {}) {
  const faults::Run run{.server = {"serve", std::to_string(kStatus)}, .prepare = prepare};
  expect_said(pass_traffic(start_run(home, run)), says);
  const EchoServer server;
  SCOPED_TRACE("proxy");
  expect_said(pass_requests(ProxyUnderTest(proxy_words(), server, with_home(home, prepare))), says);
}

const std::string kNothing = "nothing is traced, traffic is not affected: ";
const std::string kLost = "telemetry is being lost, traffic is not affected: ";
const std::string kKey = "fingerprints and session ids will not match those of other runs, until this is mended: ";

TEST(ProgramStarting, NoThread) {
  const Home home;
  try_with(home.path(), kNothing + "starting a thread: ", deny_threads);
}

// A user of their own, who may have few processes: root is bound by no such limit, and others' processes count.
class OtherUser {
 public:
  OtherUser() {
    const std::filesystem::path base = home_.path(), built = std::filesystem::path(MCPTRACE_PROGRAM).parent_path();
    const std::filesystem::path proxy = "libexec/mcptrace/mcptrace-proxy";
    std::filesystem::create_directories(base / proxy.parent_path());
    for (const auto& [from, to] : {std::pair{built / "mcptrace", base / "mcptrace"},
                                   {built / proxy, base / proxy},
                                   {std::filesystem::path(FAULTS_CHILD), base / "child"}}) {
      std::filesystem::copy_file(from, to);
      chmod(to.c_str(), 0755);
    }
    for (const auto& directory : {base, base / "libexec", base / "libexec/mcptrace"}) chmod(directory.c_str(), 0755);
    EXPECT_EQ(mkdir(state().c_str(), 0700), 0);
    EXPECT_EQ(chown(state().c_str(), user_, user_), 0);
  }
  [[nodiscard]] std::string state() const { return home_.path() + "/state"; }
  [[nodiscard]] std::string program() const { return home_.path() + "/mcptrace"; }
  [[nodiscard]] std::string child() const { return home_.path() + "/child"; }
  // What becomes that user, whom no password file knows.
  [[nodiscard]] std::function<void()> become() const {
    return [user = user_] {
      // Looking for leaks takes a process.
      const char* options = std::getenv("ASAN_OPTIONS");
      setenv("ASAN_OPTIONS", (std::string(options != nullptr ? options : "") + ":detect_leaks=0").c_str(), 1);
      if (setresgid(user, user, user) != 0 || setresuid(user, user, user) != 0 || chdir("/") != 0) _exit(92);
    };
  }
  // ... with this many tasks.
  [[nodiscard]] std::function<void()> with_tasks(rlim_t tasks) const {
    return with_home(state(), [become = become(), tasks] {
      become();
      set_limit(RLIMIT_NPROC, tasks);
    });
  }
  // What runs the child under the wrapper.
  [[nodiscard]] std::vector<std::string> run() const {
    return {program(), "run", "--no-inject", "--", child(), "serve", std::to_string(kStatus)};
  }

 private:
  const uid_t user_ = 100'000 + static_cast<uid_t>(getpid());
  Home home_;
};

TEST(ProgramStarting, FewProcesses) {
  // Whose processes are counted with others' has no limit that means something: for them, the case above.
  if (getuid() != 0) return;
  const OtherUser user;
  const std::string untraced = kNothing + "starting a thread: ";
  // Of this many tasks two are the wrapper's first thread and the server.
  for (rlim_t tasks = 2; tasks <= 5; ++tasks) {
    SCOPED_TRACE(tasks);
    Session session(Way::kDirect, user.run(), {.prepare = user.with_tasks(tasks)});
    const std::string slower = "traffic goes on in fewer threads, slower: starting a thread: ";
    expect_said(pass_traffic(std::move(session)), tasks == 2 ? untraced : tasks < 5 ? slower : "");
    EXPECT_EQ(Account(user.state() + "/spool").roots, tasks - 2) << "with one more thread, all is traced";
  }
  // Its own, the observer's, and one that looks up names.
  const EchoServer server;
  for (rlim_t tasks = 1; tasks <= 3; ++tasks) {
    SCOPED_TRACE(tasks);
    ProxyUnderTest proxy({user.program(), "proxy", "--no-inject"}, server, user.with_tasks(tasks));
    const std::string slower = "traffic stands still while servers' names are looked up: starting a thread: ";
    expect_said(pass_requests(std::move(proxy)), tasks == 1 ? untraced : tasks == 2 ? slower : "");
  }
}

// Times that what ships could not be started, by all who wrote to the spool.
std::uint64_t times_not_shipped(const std::string& spool) {
  std::uint64_t times = 0;
  const auto files = spool::list_files(spool);
  for (const spool::FileInfo& file : files ? *files : std::vector<spool::FileInfo>()) {
    std::uint64_t last = 0;
    spool::FileReader reader(file.path);
    while (const auto record = reader.next()) {
      if (record->type != spool::RecordType::kCounters) continue;
      const auto counters = spool::decode_counters(record->payload);
      if (counters) last = spool::count_of(counters->counts, spool::kShipNotStarted);
    }
    times += last;
  }
  return times;
}

// There is a destination, and no process to be had for what ships: all is traced, and kept.
TEST(ProgramStarting, NoProcessForWhatShips) {
  const Home home;
  try_with(home.path(), "what is traced is kept and not sent, traffic is not affected: making a process: ", [] {
    setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9", 1);
    deny({{.number = SYS_clone, .error = EAGAIN, .argument = 0, .mask = CLONE_VFORK, .value = CLONE_VFORK}});
  });
  EXPECT_EQ(Account(home.spool()).closes, 2u);
  EXPECT_GE(times_not_shipped(home.spool()), 2u) << "run and proxy count it";
}

TEST(ProgramStarting, AThreadsDefaultStackIsLargerThanMemory) {
  const Home home;
  const auto prepare = [] {
    const rlimit large{rlim_t{1} << 46, RLIM_INFINITY};
    if (setrlimit(RLIMIT_STACK, &large) != 0) _exit(91);
  };
  expect_said(pass_traffic(start_run(home.path(), {.server = {"serve", std::to_string(kStatus)}, .prepare = prepare})),
              "");
}

// How much memory each program takes is not ours to know: from what is too little for the wrapper to be loaded, or for
// the server, to what is enough for all. The server echoes, since that takes none.
TEST(ProgramStarting, LittleMemory) {
  if (instrumented()) return;  // takes terabytes of addresses
  for (const __rlimit_resource which : {RLIMIT_AS, RLIMIT_DATA}) {
    bool all = false;
    std::size_t untraced = 0;
    for (rlim_t kib = which == RLIMIT_AS ? 5'000 : 100; !all; kib += kib / 48) {
      SCOPED_TRACE(kib);
      ASSERT_LT(kib, 1u << 20);
      const Home home;
      const auto prepare = [which, kib] { set_limit(which, kib << 10); };
      Session bare(Way::kDirect, {MCPTRACE_PROGRAM, "run", "--help"}, {.prepare = prepare});
      Session direct(Way::kDirect, {"@echo"}, {.prepare = prepare});
      if (leave_and_wait(bare) != 0 || leave_and_wait(direct) != 0) continue;
      Session session = start_run(home.path(), {.server = {"echo"}, .prepare = prepare});
      bool passed = true;
      const std::string line = R"({"b":")" + std::string(16 << 10, 'b') + "\"}\n";  // less than a pipe holds
      for (int i = 0; i < 100; ++i) passed = passed && session.put(line) && session.take(line.size()) == line;
      const std::optional<int> status = leave_and_wait(session);
      const std::vector<std::string> said = own_lines(session.take_stderr().value_or("late"));
      // What there is for the observer's thread may be too little for what it does.
      EXPECT_LE(said.size(), 2u) << testing::PrintToString(said);
      if (status == 126 << 8 && said.size() == 1 && said.front().starts_with("mcptrace: cannot run ")) {
        EXPECT_EQ(untraced, 0u) << "the relay itself needs some, but less than what traces";
        continue;
      }
      EXPECT_TRUE(passed);
      EXPECT_EQ(status, 0) << testing::PrintToString(said);
      untraced += !said.empty();
      all = said.empty() && Account(home.spool()).closes == 1;
      if (HasFailure()) return;
    }
    EXPECT_GT(untraced, 0u);
  }
}

TEST(ProgramStarting, FewDescriptors) {
  bool all = false;
  // A sanitizer looks at memory through pipes.
  for (rlim_t limit = instrumented() ? 6 : 4; !all; ++limit) {
    SCOPED_TRACE(limit);
    ASSERT_LT(limit, 64u);
    const Home home;
    const auto prepare = [limit] {
      close_range(3, ~0U, 0);  // whatever our runner left open would count
      set_limit(RLIMIT_NOFILE, limit);
    };
    const faults::Run run{.server = {"serve", std::to_string(kStatus)}, .prepare = prepare};
    Session bare(Way::kDirect, {MCPTRACE_PROGRAM, "run", "--help"}, {.prepare = prepare});
    if (bare.wait() != 0) continue;  // not even loaded
    Session probe = start_run(home.path(), {.server = {"exit", "42"}, .prepare = prepare});
    const std::optional<int> status = probe.wait();
    if (status == 126 << 8) continue;  // the relay itself needs some
    ASSERT_EQ(status, 42 << 8);
    const std::vector<std::string> said = pass_traffic(start_run(home.path(), run));
    EXPECT_LE(said.size(), 1u) << testing::PrintToString(said);
    all = said.empty() && Account(home.spool()).closes >= 1;
  }
}

// A call that makes files or directories fails, as root's do on a file system that is read-only or full, or that knows
// no locks or links.
TEST(ProgramStarting, CallsThatFail) {
  struct Failing {
    std::string name;
    std::string says;
    std::vector<Denied> calls;
  };
  constexpr std::uint32_t kOpenFileLock = 37;  // F_OFD_SETLK
  const Failing all[] = {
      {"no directory can be made",
       kLost,
       {{.number = SYS_mkdirat, .error = EROFS}, {.number = kMkdir, .error = EROFS}}},
      {"no file can be made",
       kLost,
       {{.number = SYS_openat, .error = ENOSPC, .argument = 2, .mask = O_CREAT, .value = O_CREAT}}},
      {"no links", "", {{.number = SYS_linkat, .error = EPERM}, {.number = kLink, .error = EPERM}}},
      {"nothing can be named",
       kLost,
       {{.number = SYS_renameat, .error = EACCES},
        {.number = SYS_renameat2, .error = EACCES},
        {.number = kRename, .error = EACCES}}},
      {"no locks", kLost, {{.number = SYS_fcntl, .error = ENOLCK, .argument = 1, .mask = ~0u, .value = kOpenFileLock}}},
      {"no whole-file locks", "", {{.number = SYS_flock, .error = ENOLCK}}},
  };
  for (const Failing& each : all) {
    SCOPED_TRACE(each.name);
    const Home home;
    try_with(home.path() + "/state", each.says, [&each] { deny(each.calls); });
  }
}

void make_file(const std::string& path, std::string_view content = {}, mode_t mode = 0600) {
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  ASSERT_TRUE(write_all(fd.get(), content)) << path;
  ASSERT_EQ(fchmod(fd.get(), mode), 0);
}

void make_link(const std::string& path, const char* to) { ASSERT_EQ(symlink(to, path.c_str()), 0); }

TEST(ProgramStarting, PlacesThatCannotBeUsed) {
  struct Place {
    std::string name;
    std::string says;
    std::function<void(const std::string& home)> make;
    std::string below = {};  // of home: the state directory
  };
  const std::string digits(64, 'a');
  const Place all[] = {
      {"a file above it", kLost, [](const auto& home) { make_file(home + "/file"); }, "/file/state"},
      {"a link to nowhere", kLost, [](const auto& home) { make_link(home + "/link", "nowhere/at/all"); }, "/link"},
      {"a link to itself", kLost, [](const auto& home) { make_link(home + "/link", "link"); }, "/link"},
      {"a name too long", kLost, [](const auto&) {}, "/" + std::string(300, 'n')},
      {"the spool is a link", kLost, [](const auto& home) { make_link(home + "/spool", "/tmp"); }},
      {"everybody may write to the spool", kLost,
       [](const auto& home) {
         mkdir((home + "/spool").c_str(), 0700);
         chmod((home + "/spool").c_str(), 0777);
       }},
      {"the secret is a directory", kKey, [](const auto& home) { mkdir((home + "/secret").c_str(), 0700); }},
      {"the secret is a link to nowhere", kKey, [](const auto& home) { make_link(home + "/secret", "x"); }},
      {"the secret is short", kKey, [&](const auto& home) { make_file(home + "/secret", digits.substr(1)); }},
      {"the secret is empty", kKey, [](const auto& home) { make_file(home + "/secret"); }},
      {"the secret is everybody's", kKey, [&](const auto& home) { make_file(home + "/secret", digits, 0644); }},
      {"what was declared is a directory", "", [](const auto& home) { mkdir((home + "/declared").c_str(), 0700); }},
  };
  for (const Place& each : all) {
    SCOPED_TRACE(each.name);
    const Home home;
    each.make(home.path());
    try_with(home.path() + each.below, each.says);
  }
}

TEST(ProgramStarting, NoPlaceAtAll) {
  const std::string says = kNothing + "no place for state: ";
  const auto nowhere = [] {
    for (const char* name : {"MCPTRACE_HOME", "XDG_STATE_HOME"}) unsetenv(name);
    setenv("HOME", "", 1);
  };
  if (getuid() != 0) return try_with("", says, nowhere);
  const OtherUser user;
  const auto prepare = [become = user.become(), nowhere] {
    become();
    nowhere();
  };
  expect_said(pass_traffic(Session(Way::kDirect, user.run(), {.prepare = prepare})), says);
  const EchoServer server;
  expect_said(pass_requests(ProxyUnderTest({user.program(), "proxy", "--no-inject"}, server, prepare)), says);
}

// A command that never ran has a session all the same, which says so, whatever else is not to be had.
TEST(ProgramStarting, ACommandThatNeverRan) {
  const std::string missing = "/no/such/place/server";
  struct Way {
    std::string command, says;
    std::function<void()> prepare;
  };
  const Way all[] = {
      {missing, missing + ": there is no such file", [] {}},
      {missing, missing + ": there is no such file", deny_threads},
      {FAULTS_CHILD, FAULTS_CHILD ": making a process: Resource temporarily unavailable",
       [] {
         deny({{.number = SYS_clone3, .error = ENOSYS},
               {.number = SYS_clone, .error = EAGAIN},
               {.number = kFork, .error = EAGAIN}});
       }},
  };
  for (const Way& each : all) {
    SCOPED_TRACE(each.says);
    const Home home;
    Session session(faults::Way::kDirect, {MCPTRACE_PROGRAM, "run", "--", each.command, "argument"},
                    {.prepare = with_home(home.path(), each.prepare)});
    const std::optional<int> status = session.wait();
    EXPECT_TRUE(status && WIFEXITED(*status) && WEXITSTATUS(*status) >= 126) << status.value_or(-1);
    EXPECT_EQ(session.take_stderr(), "mcptrace: cannot run " + each.says + "\n");
    std::size_t roots = 0;
    read_spool(home.spool(), [&](const Stored& stored) {
      if (stored.type != spool::RecordType::kSpan) return;
      ++roots;
      EXPECT_EQ(stored.span.status, static_cast<std::uint32_t>(trace::StatusCode::kError));
      EXPECT_EQ(stored.span.status_message, "server_not_started");
    });
    EXPECT_EQ(roots, 1u);
  }
}

}  // namespace
}  // namespace mcptrace::faults
