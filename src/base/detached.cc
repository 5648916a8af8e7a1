#include "base/detached.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <memory>

namespace mcptrace {
namespace {

constexpr std::size_t kStackBytes = 64 << 10;  // of each of the two; only what is used costs memory
constexpr std::size_t kSignalSetBytes = 8;     // the kernel's own

#if __has_feature(thread_sanitizer)
// It takes every clone(2) for a fork, and would forget our other threads. What is copied then is its affair.
constexpr int kShared = CLONE_VFORK;
#else
constexpr int kShared = CLONE_VM | CLONE_VFORK;
#endif

// Their stacks, which grow down, and below them what they have to say.
struct Room {
  int error = 0;
  alignas(16) std::array<char, kStackBytes> inner, outer;
};

struct RoomDelete {
  void operator()(Room* room) const { munmap(room, sizeof(Room)); }
};

// All that the new processes need, made before them: they share our memory, in which another thread may hold any lock.
struct Plan {
  std::vector<char*> places, arguments, environment;
  Room& room;
};

std::vector<char*> pointers_to(const std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (const std::string& word : words) pointers.push_back(const_cast<char*>(word.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

void close_from(unsigned first) {
#ifdef SYS_close_range
  if (syscall(SYS_close_range, first, ~0u, 0u) == 0) return;
#endif
  constexpr unsigned kMost = 65536;  // Linux before 5.9
  for (unsigned fd = first; fd < kMost; ++fd) ::close(static_cast<int>(fd));
}

// By the system calls themselves: sanitizers keep books on the others, in the memory that we share.
void restore_signals() {
  // SIG_DFL, no flags and an empty set, in whatever order the kernel's structure has them.
  const std::array<char, 64> standard{};
  for (int signal = 1; signal < NSIG; ++signal) {
    syscall(SYS_rt_sigaction, signal, standard.data(), nullptr, kSignalSetBytes);
  }
  const std::array<char, kSignalSetBytes> none{};
  syscall(SYS_rt_sigprocmask, SIG_SETMASK, none.data(), nullptr, kSignalSetBytes);
}

bool leave_ours() {
  if (setsid() < 0 || chdir("/") != 0) return false;
  const int null = ::open("/dev/null", O_RDWR);
  if (null < 0) return false;
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (dup2(null, fd) < 0) return false;
  }
  close_from(STDERR_FILENO + 1);
  umask(077);
  restore_signals();
  return true;
}

// In the second process. Neither ends by a call: AddressSanitizer would look for our stack.
int become(void* of) {
  Plan& plan = *static_cast<Plan*>(of);
  if (leave_ours()) {
    for (char* const place : plan.places) {
      if (place == nullptr) break;
      execve(place, plan.arguments.data(), plan.environment.data());
      if (errno != ENOENT) break;
    }
  }
  plan.room.error = errno;
  return 1;
}

// In the first, whose end leaves the second to init.
int step_between(void* of) {
  Plan& plan = *static_cast<Plan*>(of);
  if (clone(become, plan.room.inner.end(), kShared | SIGCHLD, &plan) < 0) plan.room.error = errno;
  return 0;
}

}  // namespace

Result<> start_detached(const DetachedProgram& program) {
  void* const memory = mmap(nullptr, sizeof(Room), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return std::unexpected(errno_error("making a process", errno));
  const std::unique_ptr<Room, RoomDelete> room(static_cast<Room*>(memory));
  Plan plan{.places = pointers_to(program.places),
            .arguments = pointers_to(program.arguments),
            .environment = pointers_to(program.environment),
            .room = *room};
  // A handler of ours must not run in them.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  // No signal at its end: only __WALL waits for it.
  const int pid = clone(step_between, room->outer.end(), kShared, &plan);
  const int failed = pid < 0 ? errno : 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return std::unexpected(errno_error("making a process", failed));
  while (waitpid(pid, nullptr, __WALL) < 0 && errno == EINTR) continue;
  if (room->error != 0) {
    return std::unexpected(
        errno_error("running " + (program.places.empty() ? "" : program.places.back()), room->error));
  }
  return {};
}

}  // namespace mcptrace
