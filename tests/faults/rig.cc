#include "rig.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include "denied.h"

namespace mcptrace::faults {
namespace {

using std::chrono::steady_clock;

// What is traced lands in a state directory of this run, and goes with it.
class OwnHome : public testing::Environment {
 public:
  void SetUp() override {
    std::string path = testing::TempDir() + "mcptrace-faults-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) return;
    home_ = path;
    setenv("MCPTRACE_HOME", home_.c_str(), 1);
  }
  void TearDown() override {
    std::error_code ignored;
    if (!home_.empty()) std::filesystem::remove_all(home_, ignored);
  }

 private:
  std::string home_;
};
[[maybe_unused]] const auto* const kOwnHome = testing::AddGlobalTestEnvironment(new OwnHome);

// Counts down from its making.
class Deadline {
 public:
  explicit Deadline(milliseconds limit) : at_(steady_clock::now() + limit) {}
  [[nodiscard]] int left() const {
    const auto left = std::chrono::ceil<milliseconds>(at_ - steady_clock::now());
    return left.count() > 0 ? static_cast<int>(left.count()) : 0;
  }

 private:
  steady_clock::time_point at_;
};

bool wait_for(int fd, short events, int limit) {
  pollfd one{fd, events, 0};
  const steady_clock::time_point end = steady_clock::now() + milliseconds(limit);
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(end - steady_clock::now()).count();
    const int ready = poll(&one, 1, left > 0 ? static_cast<int>(left) : 0);
    if (ready >= 0 || errno != EINTR) return ready == 1;
  }
}

struct Pair {
  UniqueFd ours, theirs;
};

Pair make_pair(bool socket, bool towards_them) {
  int fds[2];
  if (socket) {
    EXPECT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
  } else {
    EXPECT_EQ(0, pipe2(fds, O_CLOEXEC));
    if (towards_them) std::swap(fds[0], fds[1]);
  }
  fcntl(fds[0], F_SETFL, fcntl(fds[0], F_GETFL) | O_NONBLOCK);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

[[noreturn]] void become(const std::vector<std::string>& words, int in, int out, int err, const Start& start) {
  signal(SIGPIPE, SIG_DFL);
  if (start.own_session) setsid();
  if (start.own_group) setpgid(0, 0);
  dup2(in, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  rlimit cores;
  getrlimit(RLIMIT_CORE, &cores);
  cores.rlim_cur = 0;
  setrlimit(RLIMIT_CORE, &cores);
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  if (start.prepare) start.prepare();
  if (without_threads()) deny_threads();
  execvp(argv[0], argv.data());
  _exit(errno == ENOENT ? 127 : 126);
}

// What the wrapper has to say of that is no test's business but that of threads.
bool says_no_threads(std::string_view line) {
  return without_threads() && line.starts_with("mcptrace: ") && line.contains(": starting a thread: ");
}

}  // namespace

steady_clock::duration since(steady_clock::time_point start) { return steady_clock::now() - start; }

bool instrumented() {
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  return true;
#else
  return false;
#endif
}

bool without_threads() { return std::getenv("FAULTS_WITHOUT_THREADS") != nullptr; }

bool long_form() { return std::getenv("MCPTRACE_LONG") != nullptr; }

std::vector<std::string> wrapper_words() {
  if (const char* program = std::getenv("MCPTRACE_UNDER_TEST"); program && *program) return {program, "run", "--"};
  return {FAULTS_RELAY, "--"};
}

std::uint64_t Bytes::next() {
  state_ ^= state_ << 13;
  state_ ^= state_ >> 7;
  return state_ ^= state_ << 17;
}

void Bytes::fill(std::string& out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const std::uint64_t word = next();
    const std::size_t count = std::min(sizeof(word), out.size() - done);
    std::memcpy(out.data() + done, &word, count);
    done += count;
  }
}

Session::Session(Way way, std::vector<std::string> command, const Start& start) {
  signal(SIGPIPE, SIG_IGN);  // ours; see become()
  if (command.front().starts_with("@")) {
    command.front().erase(0, 1);
    command.insert(command.begin(), FAULTS_CHILD);
  }
  if (way == Way::kWrapped) {
    const std::vector<std::string> words = wrapper_words();
    command.insert(command.begin(), words.begin(), words.end());
  }
  const bool sockets = start.ends != Ends::kPipes;
  one_socket_ = start.ends == Ends::kOneSocketPair;
  Pair in = make_pair(sockets, true), err = make_pair(false, false);
  Pair out = make_pair(sockets, false);
  if (one_socket_) {
    out.ours.reset(fcntl(in.ours.get(), F_DUPFD_CLOEXEC, 0));
    out.theirs.reset(fcntl(in.theirs.get(), F_DUPFD_CLOEXEC, 0));
  }
  pid_ = fork();
  if (pid_ == 0) become(command, in.theirs.get(), out.theirs.get(), err.theirs.get(), start);
  EXPECT_GT(pid_, 0);
  pidfd_.reset(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  to_ = std::move(in.ours);
  from_ = std::move(out.ours);
  err_ = std::move(err.ours);
}

Session::~Session() {
  if (!pidfd_.valid() || status_) return;
  kill(pid_, SIGKILL);
  kill(pid_, SIGCONT);
  int status;
  waitpid(pid_, &status, 0);
}

bool Session::put(std::string_view bytes, milliseconds limit) {
  const Deadline deadline(limit);
  while (!bytes.empty()) {
    const ssize_t wrote = send(to_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    const ssize_t done = wrote < 0 && errno == ENOTSOCK ? ::write(to_.get(), bytes.data(), bytes.size()) : wrote;
    if (done >= 0)
      bytes.remove_prefix(static_cast<std::size_t>(done));
    else if (errno != EAGAIN && errno != EINTR)
      return false;
    else if (!wait_for(to_.get(), POLLOUT, deadline.left()))
      return false;
  }
  return true;
}

std::size_t Session::put_until_full(std::string_view block, std::size_t most, milliseconds quiet) {
  std::size_t total = 0;
  while (total < most && wait_for(to_.get(), POLLOUT, static_cast<int>(quiet.count()))) {
    const ssize_t wrote = ::write(to_.get(), block.data() + total % block.size(), block.size() - total % block.size());
    if (wrote < 0 && errno != EAGAIN) return total;
    if (wrote > 0) total += static_cast<std::size_t>(wrote);
  }
  return total;
}

std::string Session::take(std::size_t count, milliseconds limit) {
  const Deadline deadline(limit);
  std::vector<char> block(1 << 16);
  while (out_.size() < count) {
    const ssize_t got = ::read(from_.get(), block.data(), std::min(block.size(), count - out_.size()));
    if (got > 0)
      out_.append(block.data(), static_cast<std::size_t>(got));
    else if (got == 0 || errno != EAGAIN || !wait_for(from_.get(), POLLIN, deadline.left()))
      break;
  }
  return std::exchange(out_, {});
}

std::string Session::take_stderr_line(milliseconds limit) {
  std::string line = line_of(err_.get(), err_buffer_, limit);
  return says_no_threads(line) ? line_of(err_.get(), err_buffer_, limit) : line;
}

std::optional<std::string> Session::take_stderr(milliseconds limit) {
  std::optional<std::string> said = rest_of(err_.get(), err_buffer_, limit);
  if (!said) return said;
  std::string kept;
  for (std::size_t from = 0; from < said->size();) {
    const std::size_t end = std::min(said->find('\n', from), said->size() - 1) + 1;
    if (!says_no_threads(said->substr(from, end - from))) kept.append(*said, from, end - from);
    from = end;
  }
  return kept;
}

std::string Session::line_of(int fd, std::string& buffer, milliseconds limit) {
  const Deadline deadline(limit);
  for (;;) {
    if (const std::size_t end = buffer.find('\n'); end != std::string::npos) {
      const std::string line = buffer.substr(0, end);
      buffer.erase(0, end + 1);
      return line;
    }
    char block[4096];
    const ssize_t got = ::read(fd, block, sizeof(block));
    if (got > 0)
      buffer.append(block, static_cast<std::size_t>(got));
    else if (got == 0 || errno != EAGAIN || !wait_for(fd, POLLIN, deadline.left()))
      return std::exchange(buffer, {});
  }
}

std::optional<std::string> Session::rest_of(int fd, std::string& buffer, milliseconds limit) {
  const Deadline deadline(limit);
  std::vector<char> block(1 << 16);
  for (;;) {
    const ssize_t got = ::read(fd, block.data(), block.size());
    if (got > 0)
      buffer.append(block.data(), static_cast<std::size_t>(got));
    else if (got == 0 || errno == ECONNRESET)
      return std::exchange(buffer, {});
    else if (errno != EAGAIN || !wait_for(fd, POLLIN, deadline.left()))
      return std::nullopt;
  }
}

pid_t Session::child_pid() {
  const std::string line = take_stderr_line();
  EXPECT_TRUE(line.starts_with("pid ")) << line;
  return line.starts_with("pid ") ? std::atoi(line.c_str() + 4) : -1;
}

void Session::end_input() {
  if (one_socket_)
    shutdown(to_.get(), SHUT_WR);
  else
    to_.reset();
}

void Session::leave() {
  to_.reset();
  from_.reset();
}

std::optional<int> Session::wait(milliseconds limit) {
  if (!status_ && wait_for(pidfd_.get(), POLLIN, static_cast<int>(limit.count()))) {
    int status;
    if (waitpid(pid_, &status, 0) == pid_) status_ = status;
  }
  return status_;
}

bool Session::alive_for(milliseconds window) {
  return !wait_for(pidfd_.get(), POLLIN, static_cast<int>(window.count()));
}

Watch::Watch(pid_t pid) : pidfd_(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))) {}

bool Watch::gone_within(milliseconds limit) const {
  return !pidfd_.valid() || wait_for(pidfd_.get(), POLLIN, static_cast<int>(limit.count()));
}

void Watch::kill_it() const {
  if (pidfd_.valid()) syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

}  // namespace mcptrace::faults
