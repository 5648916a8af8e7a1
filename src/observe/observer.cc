#include "observe/observer.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <ctime>
#include <string>

#include "base/thread.h"

namespace mcptrace::observe {
namespace {

constexpr std::size_t kStackBytes = 1 << 20;  // only what is used costs memory

constexpr Nanos kNap = std::chrono::milliseconds(1);
constexpr int kIdleNaps = 20;
// How long the server's thread may hold up the client's facts by a write that does not end.
constexpr Nanos kMostInHand = std::chrono::milliseconds(50);
constexpr Nanos kDiscardEvery = std::chrono::milliseconds(50);
constexpr Nanos kFlushEvery = std::chrono::milliseconds(20);
constexpr Nanos kKeepEvery = std::chrono::seconds(1);
constexpr Nanos kCountEvery = std::chrono::seconds(5);

// Waits while `word` is `value`, at most `limit` (nothing: for ever).
void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t value, std::optional<Nanos> limit) {
  timespec relative{};
  if (limit) {
    const Nanos left = std::max(*limit, Nanos(0));
    relative.tv_sec = static_cast<time_t>(left.count() / 1'000'000'000);
    relative.tv_nsec = static_cast<long>(left.count() % 1'000'000'000);
  }
  syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAIT_PRIVATE, value, limit ? &relative : nullptr,
          nullptr, 0);
}

void futex_wake(std::atomic<std::uint32_t>& word) {
  syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace

void FactQueue::push(const mcp::FactHead& fact, const mcp::Message& message) {
  const mcp::Packing packing(fact, message);
  if (char* place = queue_.reserve(packing.size())) {
    packing.write(place);
    queue_.commit();
    return;
  }
  drop(without_room_, fact.at.boot);
}

void FactQueue::lose(Nanos at) { drop(without_memory_, at); }

void FactQueue::drop(std::atomic<std::uint64_t>& count, Nanos at) {
  dropped_at_.store(at.count(), std::memory_order_relaxed);
  count.fetch_add(1, std::memory_order_release);
}

Observer::Observer(ObserverOptions options, Activity& activity, const Clock& clock, Random& random, Log& log)
    : clock_(clock),
      log_(log),
      client_(options.queue_bytes),
      server_(options.queue_bytes),
      recorder_(std::move(options.spool), options.tracer.naming, options.tracer.instance_id, clock, log),
      tracer_(std::move(options.tracer), random, activity, recorder_),
      keep_(std::move(options.keep)),
      appended_(std::move(options.appended)),
      count_(std::move(options.count)) {
  recorder_.set_tracer(&tracer_);
  if (!options.destination.empty()) {
    recorder_.set_destination(std::move(options.destination), std::move(options.leave_destination));
  }
}

Observer::~Observer() {
  if (thread_) {
    begin_end({});
    pthread_join(*thread_, nullptr);
  }
  recorder_.set_tracer(nullptr);
}

Result<> Observer::start() {
  MCPTRACE_TRY(thread_, start_thread(kStackBytes, thread_main, this));
  return {};
}

void* Observer::thread_main(void* self) {
  static_cast<Observer*>(self)->run();
  return nullptr;
}

void Observer::wake_after(const FactQueue& queue) {
  // Orders the queue's new tail before the look at state_: against wait(), which stores state_ before it looks at the
  // queues.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const auto state = static_cast<State>(state_.load(std::memory_order_relaxed));
  if (state == State::kBusy || (state == State::kNapping && !queue.queue_.half_full())) return;
  state_.store(static_cast<std::uint32_t>(State::kBusy), std::memory_order_relaxed);
  futex_wake(state_);
}

// The oldest record of those up to there; its fact is read only when it is its turn.
Observer::Next Observer::next(FactQueue& from, std::uint64_t up_to) {
  if (from.queue_.head() >= up_to) return {};
  const auto record = from.queue_.front();
  if (!record) return {};
  return {.record = *record, .at = mcp::time_of(*record)};
}

void Observer::feed(FactQueue& from, const Next& next) {
  tracer_.feed(mcp::unpack(next.record));
  from.queue_.pop();
}

// By time over both queues: an answer after its request, and what a client said after it had an answer after that
// answer. The client's queue is looked at once more after the server's, since a request is pushed before it goes on: so
// the requests of all answers seen are there. Without an answer to come before, a client's fact waits while the
// server's thread has bytes in hand that it read earlier (their facts are pushed only after their write), for a bounded
// time.
Observer::Drained Observer::drain(bool everything) {
  const std::uint64_t seen = client_.queue_.tail();
  const std::int64_t busy = everything ? 0 : server_.in_hand_.load(std::memory_order_acquire);
  const std::uint64_t server_tail = server_.queue_.tail();
  const std::uint64_t client_tail = client_.queue_.tail();
  const bool wait = busy != 0 && clock_.boot().count() - busy < kMostInHand.count();
  // What was dropped before these facts is known before they are: they may lack it.
  count_losses();
  Drained drained = Drained::kNothing;
  Next client = next(client_, client_tail), server = next(server_, server_tail);
  while (client.any() || server.any()) {
    if (server.any() && (!client.any() || server.at < client.at)) {
      feed(server_, server);
      server = next(server_, server_tail);
    } else {
      if (!server.any() && !everything && client_.queue_.head() >= seen) break;
      if (!server.any() && wait && client.at.count() > busy) {
        drained = Drained::kHeldBack;
        break;
      }
      feed(client_, client);
      client = next(client_, client_tail);
    }
    drained = Drained::kSome;
  }
  count_losses();
  return drained;
}

std::uint64_t Observer::without_room() const {
  return client_.without_room_.load(std::memory_order_acquire) + server_.without_room_.load(std::memory_order_acquire);
}

std::uint64_t Observer::without_memory() const {
  return client_.without_memory_.load(std::memory_order_acquire) +
         server_.without_memory_.load(std::memory_order_acquire);
}

void Observer::count_losses() {
  const std::uint64_t room = without_room() - seen_without_room_;
  const std::uint64_t memory = without_memory() - seen_without_memory_;
  if (room + memory != 0) {
    const std::int64_t last = std::max(client_.dropped_at_.load(std::memory_order_relaxed),
                                       server_.dropped_at_.load(std::memory_order_relaxed));
    tracer_.add_dropped(room + memory, Nanos(last));
    seen_without_room_ += room;
    seen_without_memory_ += memory;
    log_.once(memory != 0 ? LogReason::kMemory : LogReason::kDropped,
              memory != 0 ? "some messages were not traced (memory ran out); traffic is not affected"
                          : "some messages were not traced (the observer was too slow); traffic is not affected");
  }
  const Losses lost = recorder_.lost();
  if (const Losses more = lost.since(seen_lost_); more.messages + more.files != 0) {
    tracer_.add_lost(more);
    seen_lost_ = lost;
  }
}

spool::NamedCounts Observer::dropped() const {
  spool::NamedCounts counts;
  counts.emplace(spool::kDroppedQueueFull, without_room());
  counts.emplace(spool::kDroppedNoMemory, without_memory());
  counts.emplace(spool::kDroppedNoObserver, without_observer_);
  return counts;
}

spool::NamedCounts Observer::counts() const {
  spool::NamedCounts counts = dropped();
  const Session::FindingCounts findings = tracer_.loose_findings();
  for (std::size_t i = 0; i < findings.size(); ++i) {
    const std::string_view code = trace::finding_code(static_cast<mcp::Finding>(i));
    counts.emplace(std::string(spool::kFindingPrefix).append(code), findings[i]);
  }
  if (count_) count_(counts);
  return counts;
}

void Observer::write_out(bool idle) {
  if (recorder_.pending_bytes() == 0) return;
  const Nanos now = clock_.boot();
  if (!idle && now - last_flush_ < kFlushEvery) return;
  if (now - last_counted_ >= kCountEvery) {
    recorder_.count(counts());
    last_counted_ = now;
  }
  recorder_.flush();
  last_flush_ = now;
  tell_appended();
}

void Observer::tell_appended() {
  if (appended_ && !recorder_.first_file().empty()) appended_();
}

void Observer::keep(bool idle) {
  const Instant now = clock_.now();
  if (!keep_ || (!idle && now.boot - last_kept_ < kKeepEvery)) return;
  last_kept_ = now.boot;
  keep_(now.wall);
}

void Observer::wait(Drained drained, bool idle) {
  const State state = idle ? State::kSleeping : State::kNapping;
  state_.store(static_cast<std::uint32_t>(state), std::memory_order_seq_cst);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const bool nothing = client_.queue_.head() == client_.queue_.tail() && server_.queue_.head() == server_.queue_.tail();
  if ((nothing || drained == Drained::kHeldBack) &&
      stage_.load(std::memory_order_acquire) == static_cast<std::uint32_t>(Stage::kTraffic)) {
    std::optional<Nanos> limit;
    if (const auto deadline = tracer_.next_deadline()) limit = *deadline - clock_.boot();
    if (!idle) limit = limit ? std::min(*limit, kNap) : kNap;
    futex_wait(state_, static_cast<std::uint32_t>(state), limit);
  }
  state_.store(static_cast<std::uint32_t>(State::kBusy), std::memory_order_relaxed);
}

// What runs out in here, memory first of all, may cost telemetry and nothing else.
void Observer::run() {
  try {
    trace();
    finish_on_thread();
  } catch (...) {
    discard();
  }
  stage_.store(static_cast<std::uint32_t>(Stage::kDone), std::memory_order_release);
  futex_wake(stage_);
}

// The tracer was left in the middle of something, and is not touched again: facts are taken so that the relay never
// finds its queues full of what nobody reads, and so that the end comes in time.
void Observer::discard() {
  recorder_.set_tracer(nullptr);
  log_.once(LogReason::kObserverGone,
            "from now on nothing is traced (the observer ran out of memory); traffic is not affected");
  for (;;) {
    const bool ending = stage_.load(std::memory_order_acquire) == static_cast<std::uint32_t>(Stage::kEnding);
    for (FactQueue* from : {&client_, &server_}) {
      while (from->queue_.front()) {
        from->queue_.pop();
        ++without_observer_;
      }
    }
    if (ending) break;
    state_.store(static_cast<std::uint32_t>(State::kNapping), std::memory_order_seq_cst);
    if (stage_.load(std::memory_order_seq_cst) == static_cast<std::uint32_t>(Stage::kTraffic)) {
      futex_wait(state_, static_cast<std::uint32_t>(State::kNapping), kDiscardEvery);
    }
    state_.store(static_cast<std::uint32_t>(State::kBusy), std::memory_order_relaxed);
  }
  // What is pending now would be written by a destructor, when what it is written from is gone.
  try {
    recorder_.count_all(dropped());
    recorder_.finish();
  } catch (...) {  // that memory ran out was said
  }
}

void Observer::trace() {
  int idle_naps = 0;
  for (;;) {
    const bool ending = stage_.load(std::memory_order_acquire) == static_cast<std::uint32_t>(Stage::kEnding);
    const Drained drained = drain(ending);
    if (ending) break;
    const bool worked = drained != Drained::kNothing;
    idle_naps = worked ? 0 : std::min(idle_naps + 1, kIdleNaps);
    write_out(!worked);
    if (const auto deadline = tracer_.next_deadline(); deadline && *deadline <= clock_.boot()) {
      tracer_.on_time(clock_.now());
      write_out(true);
    }
    keep(idle_naps >= kIdleNaps);
    wait(drained, idle_naps >= kIdleNaps);
  }
}

void Observer::finish_on_thread() {
  tracer_.end_calls(end_, ended_at_);
  recorder_.flush();
  count_losses();  // so that the roots tell what the first file cost, and a full disk
  recorder_.count_all(counts());
  tracer_.end_sessions();
  recorder_.finish();
  keep(true);
  tell_appended();
  if (const auto noise = tracer_.noise(); noise.lines != 0) {
    log_.once(LogReason::kNotJson, "the server wrote " + std::to_string(noise.lines) + " lines (" +
                                       std::to_string(noise.bytes) +
                                       " bytes) to its stdout that are not JSON; they were passed on");
  }
}

bool Observer::finish(const TrafficEnd& end, Nanos patience) {
  if (!thread_) return true;
  begin_end(end);
  const Nanos give_up = clock_.boot() + patience;
  while (stage_.load(std::memory_order_acquire) != static_cast<std::uint32_t>(Stage::kDone)) {
    const Nanos left = give_up - clock_.boot();
    if (left <= Nanos(0)) {
      log_.once(LogReason::kObserverStuck,
                "telemetry could not be written in time and is lost; traffic was not affected");
      return false;
    }
    futex_wait(stage_, static_cast<std::uint32_t>(Stage::kEnding), left);
  }
  pthread_join(*thread_, nullptr);
  thread_.reset();
  return true;
}

void Observer::begin_end(const TrafficEnd& end) {
  end_ = end;
  ended_at_ = clock_.now();
  stage_.store(static_cast<std::uint32_t>(Stage::kEnding), std::memory_order_release);
  state_.store(static_cast<std::uint32_t>(State::kBusy), std::memory_order_seq_cst);
  futex_wake(state_);
}

void Observer::finish_here(const TrafficEnd& end) {
  begin_end(end);
  run();
}

}  // namespace mcptrace::observe
