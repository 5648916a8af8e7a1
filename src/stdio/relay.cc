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

struct Started {
  Child child;
  Ends ends;
};

Result<Started> start(const RunOptions& options, const SignalState& signals) {
  Ends ends{options.client_in,
            options.client_out,
            UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC)),
            UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
            {},
            make_page_buffer(ServerPump::kBufferBytes)};
  if (!ends.null.valid()) return std::unexpected(errno_error("opening /dev/null", errno));
  if (!ends.wake.valid()) return std::unexpected(errno_error("making an eventfd", errno));
  MCPTRACE_TRY(ends.signals, SignalState::open_fd());
  MCPTRACE_TRY(Child child, spawn(options.command, signals));
  return Started{std::move(child), std::move(ends)};
}

ChildExit cannot_run(const RunOptions& options, Log& log, int code, std::string_view reason) {
  log.once(LogReason::kChild, "cannot run " + shown_command(options.command.front()) + ": " + std::string(reason));
  return {.code = code};
}

}  // namespace

void reserve_standard_fds() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // The lowest free number is this one, as those below are taken. Nobody is hurt if there is no /dev/null: run() says
    // so.
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) ::open("/dev/null", O_RDWR | O_CLOEXEC);
  }
}

void let_go_of_output() {
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null.valid() || dup3(null.get(), STDOUT_FILENO, O_CLOEXEC) < 0) ::close(STDOUT_FILENO);
}

ChildExit run(const RunOptions& options, Log& log, const std::function<Taps(int child_pid)>& begin) {
  MCPTRACE_CHECK(!options.command.empty());
  reserve_standard_fds();
  const SignalState signals;
  Result<Started> started = start(options, signals);
  if (!started) {
    signals.restore();
    return cannot_run(options, log, 126, started.error().message);
  }
  Child& child = started->child;
  const std::array keep = {options.client_in, options.client_out};
  let_go_of_inherited(keep, started->ends.null.get());
  if (const int failed = wait_for_exec(child)) {
    while (waitpid(child.pid, nullptr, 0) < 0 && errno == EINTR) continue;
    const ExecFailure failure = explain_exec(options.command.front(), failed);
    return cannot_run(options, log, failure.code, failure.reason);
  }
  const Taps taps = begin(child.pid);
  return Supervisor(std::move(child), std::move(started->ends), taps.client, taps.server).run(log);
}

}  // namespace mcptrace::stdio
