// A bounded queue of byte records between two threads: one pushes, one pops, nobody waits.
//
// When it is full, push() says no and the record is the caller's to count. A record never wraps: it is contiguous in
// memory, so the reader looks at it in place. Used for facts on their way from a relay thread to the observer.
//
//   if (char* place = queue.reserve(size)) { fill(place); queue.commit(); } else { ++dropped; }
//   while (auto record = queue.front()) { use(*record); queue.pop(); }
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace mcptrace {

class ByteQueue {
 public:
  // `capacity` bytes, a power of two, at least 4096. Untouched pages cost no memory.
  explicit ByteQueue(std::size_t capacity);

  // Producer. Room for `size` bytes (at most capacity / 4), 8-aligned, or null when full. Nothing is seen until
  // commit().
  char* reserve(std::size_t size);
  void commit();

  // Consumer. The oldest record, valid until pop(); empty when there is none.
  std::optional<std::span<const char>> front();
  void pop();

  // Consumer: where the producer stands now, to drain up to and no further.
  [[nodiscard]] std::uint64_t tail() const { return tail_.load(std::memory_order_acquire); }
  [[nodiscard]] std::uint64_t head() const { return head_.load(std::memory_order_relaxed); }
  // Producer: more than half full?
  [[nodiscard]] bool half_full() const {
    return tail_.load(std::memory_order_relaxed) - head_.load(std::memory_order_relaxed) > capacity_ / 2;
  }

 private:
  static constexpr std::uint32_t kSkip = 0xffffffff;  // the rest of the ring is unused; go on at its start

  std::size_t capacity_;
  std::unique_ptr<char[]> data_;   // not initialised: pages are touched as they are used
  std::uint64_t reserved_ = 0;     // producer: tail after commit()
  std::uint64_t cached_head_ = 0;  // producer's last look at head_
  alignas(64) std::atomic<std::uint64_t> tail_{0};
  alignas(64) std::atomic<std::uint64_t> head_{0};
  std::uint64_t cached_tail_ = 0;  // consumer's last look at tail_
};

}  // namespace mcptrace
