#include "stdio/relay.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/check.h"
#include "stdio/child.h"
#include "stdio/signals.h"
#include "stdio/supervisor.h"

namespace mcptrace::stdio {
namespace {

Result<Ends> make_ends(const RunOptions& options) {
  Ends ends{options.client_in,
            options.client_out,
            UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC)),
            UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
            {}};
  if (!ends.null.valid()) return std::unexpected(errno_error("opening /dev/null", errno));
  if (!ends.wake.valid()) return std::unexpected(errno_error("making an eventfd", errno));
  MCPTRACE_TRY(ends.signals, SignalState::open_fd());
  return ends;
}

}  // namespace

void reserve_standard_fds() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // The lowest free number is this one, as those below are taken. Nobody is hurt if there is no /dev/null: run() says
    // so.
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) ::open("/dev/null", O_RDWR | O_CLOEXEC);
  }
}

Result<ChildExit> run(const RunOptions& options, ClientTap& client, ServerTap& server, Log& log,
                      const std::function<void(int child_pid)>& start_threads) {
  MCPTRACE_CHECK(!options.command.empty());
  reserve_standard_fds();
  const SignalState signals;
  Result<Ends> ends = make_ends(options);
  if (!ends) return signals.restore(), std::unexpected(std::move(ends).error());
  Result<Child> child = spawn(options.command, signals);
  if (!child) return signals.restore(), std::unexpected(std::move(child).error());

  const std::array keep = {options.client_in, options.client_out};
  let_go_of_inherited(keep, ends->null.get());
  if (const int failed = wait_for_exec(*child)) {
    while (waitpid(child->pid, nullptr, 0) < 0 && errno == EINTR) continue;
    const ExecFailure failure = explain_exec(options.command.front(), failed);
    log.once(LogReason::kChild,
             "cannot run " + std::string(base_name(options.command.front())) + ": " + failure.reason);
    return ChildExit{.code = failure.code};
  }
  if (start_threads) start_threads(child->pid);
  return Supervisor(*std::move(child), *std::move(ends), client, server).run();
}

}  // namespace mcptrace::stdio
