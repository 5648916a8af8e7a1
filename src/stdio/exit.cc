#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "stdio/relay.h"

namespace mcptrace::stdio {

void exit_like(const ChildExit& child) {
  if (!child.signalled) _exit(child.code);
  // One core file is enough. The limit alone would not keep a core_pattern that is a pipe from being run.
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0);
  struct sigaction standard{};
  standard.sa_handler = SIG_DFL;
  sigaction(child.code, &standard, nullptr);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, child.code);
  pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
  raise(child.code);
  // Still here: the first process of a container, whom no default action ends.
  _exit(128 + child.code);
}

}  // namespace mcptrace::stdio
