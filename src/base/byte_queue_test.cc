#include "base/byte_queue.h"

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <thread>

namespace mcptrace {
namespace {

bool push(ByteQueue& queue, const std::string& record) {
  char* const place = queue.reserve(record.size());
  if (place == nullptr) return false;
  std::memcpy(place, record.data(), record.size());
  queue.commit();
  return true;
}

std::string take(ByteQueue& queue) {
  const auto record = queue.front();
  if (!record) return "(empty)";
  std::string text(record->data(), record->size());
  queue.pop();
  return text;
}

// Content that depends on the number, so that a record in the wrong place or of the wrong length shows.
std::string numbered(std::size_t number, std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(number * 31 + i * 7 + (number >> 8));
  return text;
}

TEST(ByteQueue, NothingIsSeenBeforeCommit) {
  ByteQueue queue(4096);
  EXPECT_FALSE(queue.front());
  char* const place = queue.reserve(3);
  ASSERT_NE(place, nullptr);
  std::memcpy(place, "abc", 3);
  EXPECT_FALSE(queue.front());
  queue.commit();
  EXPECT_EQ(take(queue), "abc");
  EXPECT_FALSE(queue.front());
}

TEST(ByteQueue, AReservationMayBeMadeAnew) {
  ByteQueue queue(4096);
  ASSERT_NE(queue.reserve(1000), nullptr);
  EXPECT_TRUE(push(queue, "instead"));
  EXPECT_EQ(take(queue), "instead");
  EXPECT_FALSE(queue.front());
}

TEST(ByteQueue, FrontStaysUntilPop) {
  ByteQueue queue(4096);
  ASSERT_TRUE(push(queue, "one"));
  ASSERT_TRUE(push(queue, ""));
  ASSERT_TRUE(push(queue, "three"));
  EXPECT_EQ(queue.front()->data(), queue.front()->data());
  EXPECT_EQ(take(queue), "one");
  EXPECT_EQ(take(queue), "");
  EXPECT_EQ(take(queue), "three");
}

TEST(ByteQueue, RecordsAreAligned) {
  ByteQueue queue(4096);
  for (std::size_t size = 0; size < 40; ++size) {
    char* const place = queue.reserve(size);
    ASSERT_NE(place, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(place) % 8, 0u) << size;
    queue.commit();
    queue.pop();
  }
}

TEST(ByteQueue, RefusesWhatIsLargerThanAQuarter) {
  ByteQueue queue(4096);
  EXPECT_EQ(queue.reserve(1025), nullptr);
  EXPECT_EQ(queue.reserve(1 << 20), nullptr);
  EXPECT_NE(queue.reserve(1024 - 8), nullptr);
}

TEST(ByteQueue, FullSaysNoAndRecoversAfterOnePop) {
  ByteQueue queue(4096);
  std::size_t pushed = 0;
  while (push(queue, numbered(pushed, 56))) ++pushed;
  EXPECT_EQ(pushed, 4096u / 64);
  EXPECT_TRUE(queue.half_full());
  EXPECT_FALSE(push(queue, "x"));
  EXPECT_EQ(take(queue), numbered(0, 56));
  EXPECT_TRUE(push(queue, numbered(pushed, 56)));
  EXPECT_FALSE(push(queue, "x"));
  for (std::size_t i = 1; i <= pushed; ++i) EXPECT_EQ(take(queue), numbered(i, 56));
  EXPECT_FALSE(queue.front());
  EXPECT_FALSE(queue.half_full());
}

TEST(ByteQueue, TailAndHeadDelimitADrain) {
  ByteQueue queue(4096);
  ASSERT_TRUE(push(queue, "a"));
  ASSERT_TRUE(push(queue, "b"));
  const std::uint64_t until = queue.tail();
  ASSERT_TRUE(push(queue, "c"));
  int drained = 0;
  for (; queue.head() < until; ++drained) take(queue);
  EXPECT_EQ(drained, 2);
  EXPECT_EQ(take(queue), "c");
}

// Every way to stand before the end of the ring: the record goes on at the start, and the rest is skipped.
TEST(ByteQueue, WrapsAtEveryOffset) {
  for (std::size_t offset = 0; offset < 4096; offset += 8) {
    ByteQueue queue(4096);
    std::size_t at = 0;
    while (at < offset) {
      const std::size_t step = std::min<std::size_t>(offset - at, 1024);
      ASSERT_TRUE(push(queue, std::string(step - 8, 'p')));
      take(queue);
      at += step;
    }
    for (std::size_t i = 0; i < 3; ++i) ASSERT_TRUE(push(queue, numbered(i, 700))) << offset;
    for (std::size_t i = 0; i < 3; ++i) ASSERT_EQ(take(queue), numbered(i, 700)) << offset;
    ASSERT_FALSE(queue.front()) << offset;
  }
}

TEST(ByteQueue, BehavesLikeADeque) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    const std::size_t capacity = std::size_t{4096} << (seed % 3);
    ByteQueue queue(capacity);
    std::deque<std::string> model;
    std::size_t model_bytes = 0;
    const auto cost = [](std::size_t size) { return (size + 15) / 8 * 8; };
    const unsigned bias = 30 + seed * 2;  // from mostly empty to mostly full
    for (std::size_t step = 0; step < 20000; ++step) {
      if (random() % 100 < bias) {
        const std::size_t size = random() % (random() % 8 == 0 ? capacity / 3 : 200);
        const std::string record = numbered(step, size);
        if (push(queue, record)) {
          ASSERT_LE(cost(size), capacity / 4);
          model.push_back(record);
          model_bytes += cost(size);
          ASSERT_LE(model_bytes, capacity);
        } else {
          // It may refuse only what is too large, or what does not fit beside the ends of the ring that are skipped:
          // one for this record, shorter than it, and one for a record before it.
          ASSERT_TRUE(cost(size) > capacity / 4 || model_bytes + 2 * cost(size) + capacity / 4 > capacity)
              << model_bytes << " " << size;
        }
      } else if (model.empty()) {
        ASSERT_FALSE(queue.front());
      } else {
        ASSERT_EQ(take(queue), model.front());
        model_bytes -= cost(model.front().size());
        model.pop_front();
      }
    }
    for (; !model.empty(); model.pop_front()) ASSERT_EQ(take(queue), model.front());
    ASSERT_FALSE(queue.front());
  }
}

// One pushes, one pops; what was refused is counted, and nothing else is missing, torn or out of order.
TEST(ByteQueue, TwoThreadsLoseOnlyWhatWasRefused) {
  constexpr std::size_t kRecords = 200000;
  ByteQueue queue(1 << 14);
  std::atomic<bool> done{false};
  std::size_t refused = 0;
  std::thread producer([&] {
    for (std::size_t i = 0; i < kRecords; ++i) {
      const std::size_t size = 8 + i % 120;
      char* const place = queue.reserve(size);
      if (place == nullptr) {
        ++refused;
        std::this_thread::yield();
        continue;
      }
      std::memcpy(place, &i, sizeof(i));
      std::memset(place + sizeof(i), static_cast<char>(i), size - sizeof(i));
      queue.commit();
    }
    done.store(true, std::memory_order_release);
  });
  std::size_t received = 0, wrong = 0, next = 0;
  for (;;) {
    const bool last_round = done.load(std::memory_order_acquire);
    while (const auto record = queue.front()) {
      std::size_t number;
      std::memcpy(&number, record->data(), sizeof(number));
      bool good = record->size() == 8 + number % 120 && number >= next;
      for (std::size_t i = sizeof(number); i < record->size(); ++i) good &= (*record)[i] == static_cast<char>(number);
      wrong += good ? 0 : 1;
      next = number + 1;
      ++received;
      queue.pop();
    }
    if (last_round) break;
    std::this_thread::yield();
  }
  producer.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(received + refused, kRecords);
  EXPECT_GT(received, 0u);
}

}  // namespace
}  // namespace mcptrace
