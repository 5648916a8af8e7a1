#include "http/hold_budget.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>

namespace mcptrace::http {
namespace {

constexpr std::size_t kLeast = 4 << 10;
// Before what allocate_held() gives: its size.
constexpr std::size_t kPrefix = alignof(std::max_align_t);

}  // namespace

// Doubled: moving costs.
std::size_t HeldBytes::room_for(std::size_t bytes) const {
  const std::size_t needed = size_ + bytes;
  return needed <= capacity_ ? capacity_ : std::bit_ceil(std::max(needed, kLeast));
}

bool HeldBytes::grow(std::size_t capacity) {
  if (capacity == capacity_) return true;
  void* const moved = std::realloc(data_, capacity);
  if (moved == nullptr) return false;
  data_ = static_cast<char*>(moved);
  capacity_ = capacity;
  return true;
}

void HeldBytes::add(std::string_view bytes) {
  std::memcpy(data_ + size_, bytes.data(), bytes.size());
  size_ += bytes.size();
}

bool HeldBytes::append(std::string_view bytes, HoldBudget& budget) {
  if (bytes.empty()) return true;
  const std::size_t capacity = room_for(bytes.size()), more = capacity - capacity_;
  if (more != 0 && !budget.take_to_hold(more)) return false;
  if (!grow(capacity)) {
    budget.give(more);
    return false;
  }
  budget_ = &budget;
  taken_ += more;
  add(bytes);
  return true;
}

void HeldBytes::append_anyway(std::string_view bytes) {
  if (bytes.empty()) return;
  if (!grow(room_for(bytes.size()))) throw std::bad_alloc();
  add(bytes);
}

void HeldBytes::release() {
  if (budget_ != nullptr) budget_->give(taken_);
  std::free(data_);
  budget_ = nullptr;
  data_ = nullptr;
  size_ = capacity_ = taken_ = 0;
}

void* allocate_held(void* budget, std::size_t bytes) {
  auto& from = *static_cast<HoldBudget*>(budget);
  const std::size_t whole = bytes + kPrefix;
  if (!from.take(whole)) return nullptr;
  char* const memory = static_cast<char*>(std::malloc(whole));
  if (memory == nullptr) {
    from.give(whole);
    return nullptr;
  }
  std::memcpy(memory, &whole, sizeof whole);
  return memory + kPrefix;
}

void free_held(void* budget, void* memory) {
  if (memory == nullptr) return;
  char* const begin = static_cast<char*>(memory) - kPrefix;
  std::size_t whole = 0;
  std::memcpy(&whole, begin, sizeof whole);
  static_cast<HoldBudget*>(budget)->give(whole);
  std::free(begin);
}

}  // namespace mcptrace::http
