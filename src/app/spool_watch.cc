#include "app/spool_watch.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>

namespace mcptrace::app {
namespace {

constexpr int kLongestWaitMs = 1000;

sigset_t ending_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

SpoolWatch::SpoolWatch(const std::string& directory, int output)
    : changes_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)), output_(output) {
  const sigset_t set = ending_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_.reset(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (changes_.valid()) {
    ::inotify_add_watch(changes_.get(), directory.c_str(),
                        IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_DELETE);
  }
}

SpoolWatch::~SpoolWatch() {
  const sigset_t set = ending_signals();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

Wake SpoolWatch::wait() {
  std::array<pollfd, 3> fds = {pollfd{changes_.get(), POLLIN, 0}, pollfd{signals_.get(), POLLIN, 0},
                               pollfd{output_, 0, 0}};
  ::poll(fds.data(), fds.size(), kLongestWaitMs);
  if ((fds[1].revents & POLLIN) != 0) return Wake::kInterrupted;
  if ((fds[2].revents & (POLLERR | POLLHUP)) != 0) return Wake::kOutputGone;
  // The events say only that something happened; what, the spool itself tells.
  std::array<char, 4096> events;
  while (changes_.valid() && ::read(changes_.get(), events.data(), events.size()) > 0) {
  }
  return Wake::kChanged;
}

}  // namespace mcptrace::app
