#include "stdio/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>

namespace mcptrace::stdio {
namespace {

sigset_t watched() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : kPassedOn) sigaddset(&set, signal);
  sigaddset(&set, SIGCHLD);
  return set;
}

struct sigaction action(void (*handler)(int)) {
  struct sigaction made{};
  made.sa_handler = handler;
  sigemptyset(&made.sa_mask);
  return made;
}

}  // namespace

SignalState::SignalState() {
  sigset_t mask = watched();
  pthread_sigmask(SIG_BLOCK, &mask, &mask_);
  sigset_t nudge;
  sigemptyset(&nudge);
  sigaddset(&nudge, kNudge);
  pthread_sigmask(SIG_UNBLOCK, &nudge, nullptr);
  const struct sigaction ignore = action(SIG_IGN), standard = action(SIG_DFL), caught = action(+[](int) {});
  sigaction(SIGPIPE, &ignore, &pipe_);
  sigaction(SIGCHLD, &standard, &child_);
  sigaction(kNudge, &caught, &nudge_);
}

void SignalState::restore() const {
  sigaction(SIGPIPE, &pipe_, nullptr);
  sigaction(SIGCHLD, &child_, nullptr);
  sigaction(kNudge, &nudge_, nullptr);
  pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
}

Result<UniqueFd> SignalState::open_fd() {
  const sigset_t set = watched();
  UniqueFd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return std::unexpected(errno_error("making a signalfd", errno));
  return fd;
}

bool ends_us(int signal) { return signal == SIGTERM || signal == SIGHUP || signal == SIGINT || signal == SIGQUIT; }

Onward onward(int signal, bool from_kernel, bool session_leader) {
  if (from_kernel) {
    const bool leader_only = signal == SIGHUP || signal == SIGCONT;
    return session_leader && leader_only ? Onward::kNow : Onward::kNot;
  }
  return session_leader && signal == SIGTERM ? Onward::kLater : Onward::kNow;
}

std::optional<Received> next_signal(int fd) {
  signalfd_siginfo info;
  for (;;) {
    const ssize_t got = ::read(fd, &info, sizeof(info));
    if (got == sizeof(info)) return Received{static_cast<int>(info.ssi_signo), info.ssi_code == SI_KERNEL};
    if (got < 0 && errno == EINTR) continue;
    return std::nullopt;
  }
}

void stop_self(int signal) {
  sigset_t one, before;
  sigemptyset(&one);
  sigaddset(&one, signal);
  const struct sigaction standard = action(SIG_DFL);
  struct sigaction was;
  const bool changed = sigaction(signal, &standard, &was) == 0;  // fails for SIGSTOP, which needs none
  raise(signal);
  pthread_sigmask(SIG_UNBLOCK, &one, &before);  // stops here
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (changed) sigaction(signal, &was, nullptr);
}

}  // namespace mcptrace::stdio
