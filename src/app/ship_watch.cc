#include "app/ship_watch.h"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>

namespace mcptrace::app {
namespace {

sigset_t our_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  return set;
}

void add(int all, int one) {
  epoll_event event{.events = EPOLLIN, .data = {.fd = one}};
  if (one >= 0) ::epoll_ctl(all, EPOLL_CTL_ADD, one, &event);
}

}  // namespace

ShipWatch::ShipWatch(std::string state)
    : state_(std::move(state)),
      all_(::epoll_create1(EPOLL_CLOEXEC)),
      changes_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  const sigset_t set = our_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_.reset(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  look();
  add(all_.get(), changes_.get());
  add(all_.get(), signals_.get());
}

// Also at what was not there yet.
void ShipWatch::look() {
  if (!changes_.valid()) return;
  constexpr std::uint32_t kNew = IN_CREATE | IN_MOVED_TO;
  ::inotify_add_watch(changes_.get(), state_.c_str(), kNew);
  ::inotify_add_watch(changes_.get(), (state_ + "/spool").c_str(), kNew | IN_MODIFY);
  ::inotify_add_watch(changes_.get(), (state_ + "/destinations").c_str(), kNew | IN_ATTRIB);
  ::inotify_add_watch(changes_.get(), (state_ + "/ship.hurry").c_str(), IN_ATTRIB);
}

ShipWatch::~ShipWatch() {
  const sigset_t set = our_signals();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

ShipWatch::Seen ShipWatch::take() {
  Seen seen;
  // The events say only that something happened; what, the files themselves tell.
  std::array<char, 4096> events;
  while (changes_.valid() && ::read(changes_.get(), events.data(), events.size()) > 0) seen.changed = true;
  if (seen.changed) look();
  signalfd_siginfo info;
  while (signals_.valid() && ::read(signals_.get(), &info, sizeof(info)) == sizeof(info)) {
    (info.ssi_signo == SIGHUP ? seen.reload : seen.end) = true;
  }
  return seen;
}

}  // namespace mcptrace::app
