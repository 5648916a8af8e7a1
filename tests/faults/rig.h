// Starts faults_child as a client starts a server, directly or through the wrapper under test, and talks to it with
// deadlines.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace mcptrace::faults {

using std::chrono::milliseconds;

enum class Way { kDirect, kWrapped };
inline constexpr Way kBothWays[] = {Way::kDirect, Way::kWrapped};

enum class Ends { kPipes, kSocketPairs, kOneSocketPair };

struct Start {
  Ends ends = Ends::kPipes;
  bool own_group = false;
  bool own_session = false;
  // Runs in the new process right before exec: limits, dispositions, closed descriptors.
  std::function<void()> prepare = {};
};

inline constexpr milliseconds kSoon{10'000};  // a deadline that is only ever reached by a bug

std::chrono::steady_clock::duration since(std::chrono::steady_clock::time_point start);
// True under a sanitizer: fewer rounds, no limits of memory or time.
bool instrumented();
bool long_form();
// The wrapper finds no thread to start (FAULTS_WITHOUT_THREADS), in all that is tried.
bool without_threads();
// The wrapper's words before CMD.
std::vector<std::string> wrapper_words();
// A repeatable stream of bytes.
class Bytes {
 public:
  explicit Bytes(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  void fill(std::string& out);

 private:
  std::uint64_t state_;
};

class Session {
 public:
  // `command` = CMD and arguments; a MODE of faults_child is meant if `command` starts with "@".
  Session(Way way, std::vector<std::string> command, const Start& start = {});
  ~Session();  // kills what is left
  Session(Session&&) = default;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] int to() const { return to_.get(); }
  [[nodiscard]] int from() const { return from_.get(); }

  // Everything, before the deadline; false if it cannot be.
  bool put(std::string_view bytes, milliseconds limit = kSoon);
  // As much as is taken before nothing was taken for `quiet`.
  std::size_t put_until_full(std::string_view block, std::size_t most, milliseconds quiet);
  // Exactly `count` bytes of stdout, fewer at end of file or deadline.
  std::string take(std::size_t count, milliseconds limit = kSoon);
  std::string take_line(milliseconds limit = kSoon) { return line_of(from_.get(), out_, limit); }
  std::string take_stderr_line(milliseconds limit = kSoon);
  // To the end of file; nothing if it did not come in time.
  std::optional<std::string> take_rest(milliseconds limit = kSoon) { return rest_of(from_.get(), out_, limit); }
  std::optional<std::string> take_stderr(milliseconds limit = kSoon);
  // "pid N" on stderr: how a mode says that it is ready.
  pid_t child_pid();

  void end_input();
  void close_output() { from_.reset(); }
  void leave();  // as if the client had died
  // The wait status; nothing = still alive at the deadline.
  std::optional<int> wait(milliseconds limit = kSoon);
  [[nodiscard]] bool alive_for(milliseconds window);

 private:
  static std::string line_of(int fd, std::string& buffer, milliseconds limit);
  static std::optional<std::string> rest_of(int fd, std::string& buffer, milliseconds limit);

  pid_t pid_ = -1;
  UniqueFd pidfd_, to_, from_, err_;
  bool one_socket_ = false;
  std::string out_, err_buffer_;
  std::optional<int> status_;
};

// Somebody else's process, held so that its number cannot be taken.
class Watch {
 public:
  explicit Watch(pid_t pid);
  [[nodiscard]] bool gone_within(milliseconds limit) const;
  void kill_it() const;

 private:
  UniqueFd pidfd_;
};

}  // namespace mcptrace::faults
