// The main thread's part of a relay: it waits for signals, for the child, for the two pumps and for the client to be
// gone, and decides what follows. It alone closes descriptors: a close elsewhere would take effect only when its
// poll(2) returns. A pump for which there is no thread takes turns with it.
//
//   Supervisor supervisor(std::move(child), ends, client_tap, server_tap);
//   const ChildExit ended = supervisor.run(log);
#pragma once

#include <chrono>
#include <optional>

#include "base/fd.h"
#include "stdio/child.h"
#include "stdio/pump.h"
#include "stdio/relay.h"

namespace mcptrace::stdio {

// What run() made ready before the child was started.
struct Ends {
  int client_in, client_out;
  UniqueFd null, wake, signals;
  PageBuffer buffer;  // the server pump's
};

class Supervisor {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Supervisor(Child child, Ends ends, ClientTap& client, ServerTap& server);
  // Relays until the child has exited and all it wrote was taken.
  ChildExit run(Log& log);

 private:
  void start_pumps(Log& log);
  void wait();
  int milliseconds_left(std::optional<Nanos> turn) const;
  void take_signals();
  bool read_signals();  // true: the child changed its state
  void take_signal(int signal, bool from_kernel);
  void look_at_child();
  void child_exited(bool signalled, int code);
  void take_ended_pumps();
  void client_gone();
  void act_on_time();
  void send(int signal);
  bool relaying() const { return !exit_ || client_.ended() == std::nullopt || server_.ended() == std::nullopt; }

  Child child_;
  Ends ends_;
  ClientPump client_;
  ServerPump server_;
  const bool session_leader_, adopts_orphans_;

  bool watch_out_ = true;      // client_out is still the client's
  bool stdin_closed_ = false;  // by the child
  bool client_taken_ = false;  // its pump's end was acted upon
  bool server_taken_ = false;
  bool gone_ = false;          // the client's reader is
  bool closed_first_ = false;  // the child closed its output while the client was still there
  bool asked_to_end_ = false;  // a signal that ends us came
  int child_stop_ = 0;         // the signal that the child is stopped by
  bool nudging_ = false;
  std::optional<Time> term_at_, kill_at_;
  std::optional<Time> stop_until_;  // we were told to stop, and do if the child does
  std::optional<Time> cut_at_;      // told to end while the exited child's last bytes wait for the client
  std::optional<ChildExit> exit_;
};

}  // namespace mcptrace::stdio
