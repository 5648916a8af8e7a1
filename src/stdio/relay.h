// The stdio relay: a child process between two pipes, two blocking threads, one a direction; where the system gives us
// none, the main thread does what they would.
//
// Forwards every byte exactly, in order, as soon as it has it, with back-pressure and no limit of its own. The taps see
// the bytes and may splice; nothing that they do can fail the traffic. The inherited descriptors 0 and 1 are never made
// non-blocking: they are shared with other processes. fd 2, the process group, environment and working directory are
// the child's own.
//
//   const ChildExit child = run(options, log, [&](int child_pid) { …start threads…; return Taps{client, server}; });
//   …say what there is to say; then exit_like(child);
#pragma once

#include <sys/uio.h>

#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/page_buffer.h"

namespace mcptrace::stdio {

// Sees the client's bytes before they go on, and says which do: the relay reads into room(), calls arrived(), writes
// ready(), calls sent(). Everything on the client thread. The null tap passes bytes on as they are.
class ClientTap {
 public:
  virtual ~ClientTap() = default;
  virtual std::span<char> room() = 0;
  virtual void arrived(std::size_t count) = 0;
  virtual std::span<const iovec> ready() = 0;
  virtual void sent() = 0;
  // How long the relay may wait for more bytes before on_hold_over(); nothing = no limit.
  virtual std::optional<Nanos> hold_left() = 0;
  virtual void on_hold_over() = 0;
  virtual void
  end() = 0;  // once: the client's end of file, and ready() may hold more; or nothing more can be passed on
};

// Sees the server's bytes after they were written on. Everything on the server thread.
class ServerTap {
 public:
  virtual ~ServerTap() = default;
  // A read has just returned these bytes: the moment that counts, since the write that follows may be held up by the
  // client.
  virtual void arrived(std::string_view) {}
  virtual void passed(std::string_view bytes) = 0;
  virtual void end() = 0;  // once
};

// A tap that keeps nothing: a pure byte relay.
class PlainClientTap final : public ClientTap {
 public:
  PlainClientTap();
  std::span<char> room() override;
  void arrived(std::size_t count) override;
  std::span<const iovec> ready() override;
  void sent() override;
  std::optional<Nanos> hold_left() override { return std::nullopt; }
  void on_hold_over() override {}
  void end() override {}

 private:
  PageBuffer buffer_;
  iovec piece_{};
};
class PlainServerTap final : public ServerTap {
 public:
  void passed(std::string_view) override {}
  void end() override {}
};

struct Taps {
  ClientTap& client;
  ServerTap& server;
};

struct ChildExit {
  bool started = false;  // false: it could not be; `code` is 126 or 127 and the reason was said on stderr
  bool signalled = false;
  int code = 0;               // exit code, or the signal's number
  bool closed_first = false;  // it closed its output before the client closed its own, and ended only after that
  bool server_first = false;  // it ended while the client's end was still open and no signal had asked us to end
};

struct RunOptions {
  std::vector<std::string> command;  // CMD and its arguments; never empty
  int client_in = 0;
  int client_out = 1;
};

// Gives 0, 1 and 2, where they were closed, to /dev/null, so that no file of ours is taken for them; the child finds 2
// closed. To be called first in main(); run() calls it too.
void reserve_standard_fds();

// Starts the command and relays until it has exited and everything it wrote was taken; W12: at most 100 ms on an empty
// pipe after its exit. To be called on the main thread, before any other thread exists: the child's parent-death signal
// is tied to it, and `begin` is called once the command runs (never if it could not), where threads of our own may be
// started: it gives the taps.
//
// The signal mask and dispositions of the moment of the call are the child's, so they must be those that we were
// started with. From here to the process's end the signals that are passed on are blocked in every thread: exit_like()
// deals with that. When a side is found to be gone, client_in and client_out are replaced by /dev/null; descriptors
// above 2 that are not close-on-exec are taken for the child's and let go of. No tap is called after the return, nor at
// all unless `started`.
//
// If the reader of client_out is gone (never by end of file on client_in alone), the child gets its end of file,
// SIGTERM after 2 s, SIGKILL after 2 s more.
ChildExit run(const RunOptions& options, Log& log, const std::function<Taps(int child_pid)>& begin);

// Whoever reads our stdout sees its end now, however long this process lives. After run().
void let_go_of_output();

// Ends this process as the child ended: the same code, or the same signal (no core file of our own; 128 + n if the
// signal does not end us). Does not return.
[[noreturn]] void exit_like(const ChildExit& child);

}  // namespace mcptrace::stdio
