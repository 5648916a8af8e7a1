#include "stdio/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/orphans.h"
#include "stdio/signals.h"

namespace mcptrace::stdio {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kGroupTermDelay{1000};  // a session's leader passes SIGTERM on so late
constexpr milliseconds kTermGrace{2000};       // from the client's end to SIGTERM, and from there to SIGKILL
constexpr milliseconds kCutDelay{1000};
constexpr milliseconds kStopPatience{1000};
constexpr milliseconds kNudgeEvery{5};

bool due(const std::optional<Supervisor::Time>& at) { return at && steady_clock::now() >= *at; }

void sooner(std::optional<Supervisor::Time>& at, Supervisor::Time then) {
  if (!at || then < *at) at = then;
}

}  // namespace

Supervisor::Supervisor(Child child, Ends ends, ClientTap& client, ServerTap& server)
    : child_(std::move(child)),
      ends_(std::move(ends)),
      client_(ends_.client_in, child_.to_stdin.get(), ends_.wake.get(), client),
      server_(child_.from_stdout.get(), ends_.client_out, ends_.wake.get(), server, std::move(ends_.buffer)),
      session_leader_(getsid(0) == getpid()),
      adopts_orphans_(adopts_orphans()) {}

ChildExit Supervisor::run(Log& log) {
  start_pumps(log);
  while (relaying()) {
    nudging_ = client_.nudge();
    nudging_ = server_.nudge() || nudging_;
    wait();
    take_signals();
    take_ended_pumps();
    act_on_time();
  }
  client_.join();
  server_.join();
  return *exit_;
}

void Supervisor::start_pumps(Log& log) {
  for (Pump* pump : {static_cast<Pump*>(&server_), static_cast<Pump*>(&client_)}) {
    if (const Result<> started = pump->start(); !started) {
      log.once(LogReason::kAtStart, "traffic goes on in fewer threads, slower: " + started.error().message);
    }
  }
}

void Supervisor::wait() {
  const bool watch_child = child_.to_stdin.valid() && !stdin_closed_;
  const Pump::Wish from_client = client_.wish(), from_server = server_.wish();
  pollfd watched[] = {{ends_.signals.get(), POLLIN, 0},           {ends_.wake.get(), POLLIN, 0},
                      {watch_out_ ? ends_.client_out : -1, 0, 0}, {watch_child ? child_.to_stdin.get() : -1, 0, 0},
                      {from_client.fd, from_client.events, 0},    {from_server.fd, from_server.events, 0}};
  std::optional<Nanos> turn = from_client.limit;
  if (from_server.limit) turn = std::min(turn.value_or(Nanos::max()), *from_server.limit);
  if (poll(watched, std::size(watched), milliseconds_left(turn)) < 0) return;
  client_.turn(watched[4].revents != 0);
  server_.turn(watched[5].revents != 0);
  if (watched[1].revents) {
    std::uint64_t count;
    [[maybe_unused]] const ssize_t got = ::read(ends_.wake.get(), &count, sizeof(count));
  }
  // A socket half of which was shut down says POLLRDHUP, which we do not ask for.
  if (watched[2].revents & (POLLERR | POLLHUP)) client_gone();
  if (watched[3].revents & POLLERR) {
    // Without us, the client would be the one who writes into a pipe that nobody reads.
    stdin_closed_ = true;
    client_.ask(Pump::Mode::kStop);
  }
}

int Supervisor::milliseconds_left(std::optional<Nanos> turn) const {
  std::optional<Time> next;
  if (turn) sooner(next, steady_clock::now() + *turn);
  for (const std::optional<Time>& at : {term_at_, kill_at_, stop_until_, cut_at_}) {
    if (at) sooner(next, *at);
  }
  if (nudging_) sooner(next, steady_clock::now() + kNudgeEvery);
  if (!next) return -1;
  const auto left = std::chrono::ceil<milliseconds>(*next - steady_clock::now());
  return static_cast<int>(std::max(left, milliseconds(0)).count());
}

void Supervisor::take_signals() {
  if (read_signals()) {
    look_at_child();
    if (adopts_orphans_) reap_orphans(exit_ ? -1 : child_.pid);
  }
  if (stop_until_ && child_stop_ != 0) {
    stop_until_.reset();
    stop_self(child_stop_);
  }
}

bool Supervisor::read_signals() {
  bool child_changed = false;
  while (const std::optional<Received> received = next_signal(ends_.signals.get())) {
    if (received->signal == SIGCHLD)
      child_changed = true;
    else
      take_signal(received->signal, received->from_kernel);
  }
  return child_changed;
}

void Supervisor::take_signal(int signal, bool from_kernel) {
  if (ends_us(signal)) {
    asked_to_end_ = true;
    // Nobody is left to pass it on to; a client that reads still gets all, one that does not is waited for no longer.
    if (exit_) sooner(cut_at_, steady_clock::now() + kCutDelay);
  }
  if (signal == SIGTSTP) stop_until_ = steady_clock::now() + kStopPatience;
  if (signal == SIGCONT) stop_until_.reset();
  switch (onward(signal, from_kernel, session_leader_)) {
    case Onward::kNow:
      return send(signal);
    case Onward::kLater:
      return sooner(term_at_, steady_clock::now() + kGroupTermDelay);
    case Onward::kNot:
      return;
  }
}

void Supervisor::look_at_child() {
  const auto child = static_cast<id_t>(child_.pid);
  siginfo_t info{};
  while (!exit_ && waitid(P_PID, child, &info, WSTOPPED | WCONTINUED | WNOHANG) == 0 && info.si_pid != 0) {
    child_stop_ = info.si_code == CLD_CONTINUED ? 0 : info.si_status;
    info = {};
  }
  if (exit_ || waitid(P_PID, child, &info, WEXITED | WNOWAIT | WNOHANG) != 0 || info.si_pid == 0) return;
  // A signal to the whole group that ended the child is in our queue too; whether it came decides who ended first.
  read_signals();
  waitid(P_PID, child, &info, WEXITED);
  child_exited(info.si_code != CLD_EXITED, info.si_status);
}

void Supervisor::child_exited(bool signalled, int code) {
  const bool client_open = client_.ended() != Pump::End::kEof && !gone_;
  const bool ours = asked_to_end_ || (signalled && std::ranges::find(kPassedOn, code) != kPassedOn.end());
  exit_ = ChildExit{.started = true,
                    .signalled = signalled,
                    .code = code,
                    .closed_first = closed_first_ && !client_open && !ours,
                    .server_first = client_open && !ours};
  term_at_.reset();
  kill_at_.reset();
  client_.ask(Pump::Mode::kStop);
  server_.ask(Pump::Mode::kDrain);
}

void Supervisor::take_ended_pumps() {
  if (const std::optional<Pump::End> end = client_.ended(); end && !client_taken_) {
    client_taken_ = true;
    child_.to_stdin.reset();
    // Nobody reads the client any more: it shall see that, as it would without us.
    if (*end != Pump::End::kEof || gone_) dup3(ends_.null.get(), ends_.client_in, O_CLOEXEC);
  }
  if (const std::optional<Pump::End> end = server_.ended(); end && !server_taken_) {
    server_taken_ = true;
    if (*end == Pump::End::kReaderGone) client_gone();
    // The client can see that only from here on.
    closed_first_ = *end == Pump::End::kEof && client_.ended() != Pump::End::kEof && !gone_ && !asked_to_end_;
    child_.from_stdout.reset();
    // Also while the child lives on: its stdout is closed, so is the client's.
    watch_out_ = false;
    dup3(ends_.null.get(), ends_.client_out, O_CLOEXEC);
  }
}

void Supervisor::client_gone() {
  watch_out_ = false;
  if (gone_) return;
  gone_ = true;
  // What the client wrote before it left is still the server's; then it gets its end of file.
  client_.ask(Pump::Mode::kDrain);
  server_.ask(Pump::Mode::kStop);
  if (exit_) return;
  sooner(term_at_, steady_clock::now() + kTermGrace);
  sooner(kill_at_, steady_clock::now() + 2 * kTermGrace);
}

void Supervisor::act_on_time() {
  if (due(term_at_)) {
    term_at_.reset();
    send(SIGTERM);
  }
  if (due(kill_at_)) {
    kill_at_.reset();
    send(SIGKILL);
  }
  if (due(stop_until_)) stop_until_.reset();
  if (due(cut_at_)) {
    cut_at_.reset();
    server_.ask(Pump::Mode::kStop);
  }
}

void Supervisor::send(int signal) {
  // Not reaped yet, so the number is still its own.
  if (!exit_) kill(child_.pid, signal);
}

}  // namespace mcptrace::stdio
