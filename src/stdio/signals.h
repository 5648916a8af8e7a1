// The signals of a process that stands for another: which are passed on, and how to leave none of our own traces in the
// child.
//
// While a server is relayed, every signal that could end, stop or inform it is blocked in all our threads and read from
// a signalfd by the main thread; so mcptrace never dies of one, it ends when its child ends. A blocked signal is queued
// even if it was ignored at start, hence it is passed on too, and the child, which inherited the ignoring, decides.
// Main thread only.
#pragma once

#include <signal.h>

#include <array>
#include <optional>

#include "base/fd.h"
#include "base/result.h"

namespace mcptrace::stdio {

// What goes on to the server, as without us.
inline constexpr std::array kPassedOn = {SIGTERM, SIGHUP,  SIGINT,   SIGQUIT, SIGUSR1,
                                         SIGUSR2, SIGCONT, SIGWINCH, SIGTSTP};

// Interrupts a system call that a relay thread is blocked in. By default the kernel drops it, so a stray one harms
// nobody.
inline constexpr int kNudge = SIGURG;

// What was there when we started, and the change to what relaying needs: kPassedOn and SIGCHLD blocked, SIGPIPE
// ignored, SIGCHLD at its default (ignored, it would reap our child unseen), kNudge caught without SA_RESTART.
class SignalState {
 public:
  SignalState();
  // Puts everything back, exactly. For the child before exec, and for us if there is no child.
  void restore() const;
  // A signalfd for what is blocked. Error: kIo.
  static Result<UniqueFd> open_fd();

 private:
  sigset_t mask_;
  struct sigaction pipe_, child_, nudge_;
};

// True for those by which somebody asks us to end.
bool ends_us(int signal);

enum class Onward { kNow, kLater, kNot };

// Whether a signal that we got is the child's too. One that the kernel sent came from the terminal, which sends to the
// whole process group: the child has it already, except a hang-up, which only the session's leader gets. A session's
// leader was started by someone who may signal the whole group, as the Python SDK does: its SIGTERM is passed on later,
// if the child still lives.
Onward onward(int signal, bool from_kernel, bool session_leader);

// The next signal from open_fd()'s descriptor; nothing when there is none.
struct Received {
  int signal;
  bool from_kernel;
};
std::optional<Received> next_signal(int fd);

// Stops this process by `signal`, as its child was stopped; returns when it was continued, or at once where the kernel
// does not stop an orphaned group.
void stop_self(int signal);

}  // namespace mcptrace::stdio
