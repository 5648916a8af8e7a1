// The observer: one thread that takes facts from two relay threads, and the queues between them.
//
// The relay never waits for it. A fact that finds its queue full is dropped and counted. The thread naps 1 ms at a time
// while there is traffic, is woken early only when a queue is half full, and sleeps until the next deadline when idle:
// waking it for each message would cost more than all the rest.
//
//   Observer observer(options, activity, clock, random, log);   // no thread yet: the child is forked first
//   if (!observer.start()) …nothing is traced…
//   observer.client().push(fact, message);  …write(2)…  observer.wake_after(observer.client());
//   observer.finish(end, std::chrono::milliseconds(500));  // all spans appended, thread joined
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "base/byte_queue.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/result.h"
#include "mcp/fact.h"
#include "observe/recorder.h"
#include "observe/tracer.h"

namespace mcptrace::observe {

// One relay thread's way in.
class FactQueue {
 public:
  explicit FactQueue(std::size_t bytes) : queue_(bytes) {}
  // Relay thread. Copies the fact; counts it as dropped if there is no room.
  void push(const mcp::FactHead& fact, const mcp::Message& message);
  void push(const mcp::Fact& fact) { push(fact, fact.message); }
  // Relay thread. Counts a fact that could not be made for want of memory.
  void lose(Nanos at);
  // The server's thread, around its write: bytes that it read at `read_at` are on their way, their facts come after.
  // Zero: none.
  void set_in_hand(Nanos read_at) { in_hand_.store(read_at.count(), std::memory_order_release); }

 private:
  friend class Observer;
  void drop(std::atomic<std::uint64_t>& count, Nanos at);

  ByteQueue queue_;
  alignas(64) std::atomic<std::uint64_t> without_room_{0};
  std::atomic<std::uint64_t> without_memory_{0};
  std::atomic<std::int64_t> dropped_at_{0};  // boot ns: the last of them; written before the counts
  std::atomic<std::int64_t> in_hand_{0};
};

struct ObserverOptions {
  TracerOptions tracer;
  spool::WriterOptions spool;
  // What else there is to be kept of what was learned: called now and then on the observer's thread, and at the end.
  std::function<void(Nanos wall)> keep;
  // Called on the observer's thread after records were written, and at the end.
  std::function<void()> appended;
  // What else the process has to say of itself.
  std::function<void(spool::NamedCounts& counts)> count;
  // The destination that the process's environment names (spool/destinations.h), and what leaves it there.
  std::string destination;
  std::function<void()> leave_destination;
  std::size_t queue_bytes = 256 << 10;  // of facts on their way, each of two; a power of two
};

class Observer {
 public:
  // References must outlive this.
  Observer(ObserverOptions options, Activity& activity, const Clock& clock, Random& random, Log& log);
  ~Observer();  // where finish() was not called, waits for the thread

  FactQueue& client() { return client_; }
  FactQueue& server() { return server_; }

  // Error: kIo where there is no thread to be had; then nobody takes what is pushed.
  Result<> start();
  // Relay thread, after its write: wakes the observer if that cannot wait for the end of its nap.
  void wake_after(const FactQueue& queue);
  // The traffic has ended. False: not done within `patience`; the thread is left to the process's end, and what it
  // holds is lost.
  bool finish(const TrafficEnd& end, Nanos patience);
  // In place of start() and finish(), where there was no traffic: writes what there is to say of that on this thread.
  void finish_here(const TrafficEnd& end);
  // After the end: the name of the first file of the spool that was written; empty: none was.
  [[nodiscard]] const std::string& first_file() const { return recorder_.first_file(); }

 private:
  enum class State : std::uint32_t { kBusy, kNapping, kSleeping };
  enum class Drained : std::uint8_t { kNothing, kSome, kHeldBack };
  enum class Stage : std::uint32_t { kTraffic, kEnding, kDone };

  static void* thread_main(void* self);
  void run();
  void trace();
  void discard();
  void begin_end(const TrafficEnd& end);
  Drained drain(bool everything);
  void count_losses();
  [[nodiscard]] std::uint64_t without_room() const;
  [[nodiscard]] std::uint64_t without_memory() const;
  [[nodiscard]] spool::NamedCounts dropped() const;
  [[nodiscard]] spool::NamedCounts counts() const;
  // A fact in its queue.
  struct Next {
    std::span<const char> record;
    Nanos at{};
    [[nodiscard]] bool any() const { return !record.empty(); }
  };
  static Next next(FactQueue& from, std::uint64_t up_to);
  void feed(FactQueue& from, const Next& next);
  void wait(Drained drained, bool idle);
  void write_out(bool idle);
  void tell_appended();
  void keep(bool idle);
  void finish_on_thread();

  const Clock& clock_;
  Log& log_;
  FactQueue client_, server_;
  Recorder recorder_;
  Tracer tracer_;
  std::uint64_t seen_without_room_ = 0, seen_without_memory_ = 0, without_observer_ = 0;
  Losses seen_lost_;
  Nanos last_flush_{}, last_kept_{}, last_counted_{};
  std::function<void(Nanos wall)> keep_;
  std::function<void()> appended_;
  std::function<void(spool::NamedCounts& counts)> count_;
  TrafficEnd end_;
  Instant ended_at_;
  alignas(64) std::atomic<std::uint32_t> state_{0};
  alignas(64) std::atomic<std::uint32_t> stage_{0};
  std::optional<pthread_t> thread_;
};

}  // namespace mcptrace::observe
