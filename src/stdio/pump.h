// One direction of a relay: a thread that reads, asks or tells its tap, and writes, in blocking calls and nothing else.
// Where no thread can be had, whoever would have started it does the same by turns, of calls that do not block.
//
// The descriptors are used here and closed elsewhere: a pump ends by saying so, and then touches neither them nor its
// tap. The main thread asks a pump to finish or to stop, and interrupts whatever system call it is in until it has
// heard that.
//
//   ClientPump pump(in, to_child, wake, tap);
//   pump.start();  ...  pump.ask(Mode::kStop);  while (pump.nudge()) poll(…);  pump.join();
//   while (!pump.ended()) { wish = pump.wish(); …poll(2) for it…; pump.turn(is_ready); }   // not started
#pragma once

#include <pthread.h>
#include <sys/uio.h>

#include <atomic>
#include <optional>
#include <span>

#include "base/clock.h"
#include "base/page_buffer.h"
#include "base/result.h"
#include "stdio/relay.h"

namespace mcptrace::stdio {

class Pump {
 public:
  enum class Mode : std::uint8_t {
    kRun,
    kDrain,  // pass on what is there, then end
    kStop,   // end now
  };
  enum class End : std::uint8_t { kEof, kReaderGone, kStopped };

  // `wake` is an eventfd, written to when the pump has ended.
  Pump(int from, int to, int wake) : from_(from), to_(to), wake_(wake) {}
  virtual ~Pump() = default;
  Pump(const Pump&) = delete;
  Pump& operator=(const Pump&) = delete;

  // The rest is for the thread that called start(). Error: kIo; then it takes turns.
  Result<> start();
  // What to wait for before the next turn; nothing where a thread does it, or it has ended.
  struct Wish {
    int fd = -1;
    short events = 0;
    std::optional<Nanos> limit{};  // the turn comes then, ready or not
  };
  virtual Wish wish() = 0;
  virtual void turn(bool ready) = 0;
  // Never goes back to a milder mode.
  void ask(Mode mode);
  // Interrupts the pump if it has not heard yet what it was asked; true = call again soon.
  bool nudge();
  // How it ended, once it did.
  [[nodiscard]] std::optional<End> ended() const;
  // Waits for the end.
  void join();

 protected:
  // On the pump's thread.
  virtual End pump() = 0;
  Mode mode();
  // Nothing = all written; else why not.
  std::optional<End> write_pieces(std::span<const iovec> pieces);
  enum class Wait : std::uint8_t { kReady, kTimeout, kInterrupted };
  static Wait wait_for(int fd, short events, std::optional<Nanos> limit);

  [[nodiscard]] bool takes_turns() const { return !started_ && !ended(); }
  // Writes some of what is ready, and takes it off there. False: nobody reads it any more.
  bool write_some();
  void end_turns(End end) { ended_.store(static_cast<std::uint8_t>(1 + static_cast<int>(end))); }
  static Nanos monotonic();

  const int from_, to_;
  std::span<const iovec> ready_;  // turns only: to be written before anything is read
  std::size_t written_ = 0;       // of the first of them

 private:
  static void* thread_main(void* self);

  const int wake_;
  pthread_t thread_{};
  bool started_ = false;
  std::atomic<Mode> wanted_{Mode::kRun};
  std::atomic<Mode> heard_{Mode::kRun};
  std::atomic<std::uint8_t> ended_{0};  // 1 + End
};

// From the client to the server's stdin.
class ClientPump final : public Pump {
 public:
  ClientPump(int from, int to, int wake, ClientTap& tap) : Pump(from, to, wake), tap_(tap) {}
  Wish wish() override;
  void turn(bool ready) override;

 private:
  End pump() override;
  End pass_all();
  std::optional<End> pass_ready();
  void read_turn();
  void write_turn();
  void end_input();
  void take_ready();
  void break_off(End end);

  ClientTap& tap_;
  bool input_over_ = false;  // turns only
};

// From the server's stdout to the client. Asked to drain, when the server has exited, it passes on all that was in the
// pipe by then, however slow the client is, and what comes after it (from a child of the server) until nothing came for
// kEmptyWait.
class ServerPump final : public Pump {
 public:
  static constexpr Nanos kEmptyWait = std::chrono::milliseconds(100);
  static constexpr Nanos kLongestExtra = std::chrono::seconds(1);

  static constexpr std::size_t kBufferBytes = 64 << 10;

  // `buffer`: of kBufferBytes.
  ServerPump(int from, int to, int wake, ServerTap& tap, PageBuffer buffer);
  Wish wish() override;
  void turn(bool ready) override;

 private:
  // What is left to be taken of a server that has exited.
  struct Drain {
    int owed;                   // bytes that were in the pipe by then
    std::optional<Nanos> last;  // when to end though a child of the server goes on writing
    Nanos quiet;                // ... or if nothing has come; turns only
  };

  End pump() override;
  End pass_all();
  Drain begin_drain() const;
  End drain();
  std::optional<End> pass(std::size_t count);
  void read_turn();
  void finish_turns(End end);

  ServerTap& tap_;
  PageBuffer buffer_;
  iovec piece_{};
  std::optional<Drain> drain_;  // turns only
};

}  // namespace mcptrace::stdio
