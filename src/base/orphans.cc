#include "base/orphans.h"

#include <sys/wait.h>
#include <unistd.h>

namespace mcptrace {

bool adopts_orphans() { return ::getpid() == 1; }

void reap_orphans(pid_t own) {
  siginfo_t ended{};
  while (::waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid != 0) {
    // Those behind it come when it was taken, which its own SIGCHLD leads to.
    if (ended.si_pid == own) return;
    ::waitid(P_PID, static_cast<id_t>(ended.si_pid), &ended, WEXITED | WNOHANG);
    ended = {};
  }
}

}  // namespace mcptrace
