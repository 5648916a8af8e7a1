// Layout of a record in the ring: u32 size (or kSkip), 4 bytes of padding, the bytes, padded to 8.
#include "base/byte_queue.h"

#include <bit>
#include <cstring>

#include "base/check.h"

namespace mcptrace {
namespace {

constexpr std::size_t kHeader = 8;

std::size_t record_size(std::size_t payload) { return (kHeader + payload + 7) & ~std::size_t{7}; }

}  // namespace

ByteQueue::ByteQueue(std::size_t capacity) : capacity_(capacity) {
  MCPTRACE_CHECK(capacity >= 4096 && std::has_single_bit(capacity));
  data_ = std::make_unique_for_overwrite<char[]>(capacity);
}

char* ByteQueue::reserve(std::size_t size) {
  const std::size_t need = record_size(size);
  if (need > capacity_ / 4) return nullptr;
  const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
  const std::size_t at = tail & (capacity_ - 1);
  const std::size_t skip = at + need > capacity_ ? capacity_ - at : 0;
  if (tail + skip + need - cached_head_ > capacity_) {
    cached_head_ = head_.load(std::memory_order_acquire);
    if (tail + skip + need - cached_head_ > capacity_) return nullptr;
  }
  if (skip != 0) std::memcpy(data_.get() + at, &kSkip, sizeof(kSkip));
  char* const record = data_.get() + (skip != 0 ? 0 : at);
  const auto length = static_cast<std::uint32_t>(size);
  std::memcpy(record, &length, sizeof(length));
  reserved_ = tail + skip + need;
  return record + kHeader;
}

void ByteQueue::commit() { tail_.store(reserved_, std::memory_order_release); }

std::optional<std::span<const char>> ByteQueue::front() {
  for (;;) {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    if (head == cached_tail_) {
      cached_tail_ = tail_.load(std::memory_order_acquire);
      if (head == cached_tail_) return std::nullopt;
    }
    const std::size_t at = head & (capacity_ - 1);
    std::uint32_t size;
    std::memcpy(&size, data_.get() + at, sizeof(size));
    if (size != kSkip) return std::span<const char>(data_.get() + at + kHeader, size);
    head_.store(head + (capacity_ - at), std::memory_order_release);
  }
}

void ByteQueue::pop() {
  const std::uint64_t head = head_.load(std::memory_order_relaxed);
  std::uint32_t size;
  std::memcpy(&size, data_.get() + (head & (capacity_ - 1)), sizeof(size));
  head_.store(head + record_size(size), std::memory_order_release);
}

}  // namespace mcptrace
