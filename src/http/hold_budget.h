// What a proxy may hold of bodies, in sum: those that wait for their end, and what reading the others takes. Beyond it
// they go on in pieces, or unread, and are counted. One relay thread.
//
//   if (!held.append(piece, budget)) …what is held, and what comes, goes on as it is…
#pragma once

#include <cstddef>
#include <string_view>

namespace mcptrace::http {

class HoldBudget {
 public:
  explicit HoldBudget(std::size_t bytes) : bytes_(bytes) {}
  HoldBudget(const HoldBudget&) = delete;
  HoldBudget& operator=(const HoldBudget&) = delete;

  [[nodiscard]] bool has(std::size_t bytes) const { return used_ + bytes <= bytes_; }
  [[nodiscard]] bool take(std::size_t bytes) {
    if (!has(bytes)) return false;
    used_ += bytes;
    return true;
  }
  // A body that is held leaves a quarter to those that are not, so that they can be read as they pass.
  [[nodiscard]] bool take_to_hold(std::size_t bytes) { return has(bytes + bytes_ / 4) && take(bytes); }
  void give(std::size_t bytes) { used_ -= bytes; }
  [[nodiscard]] std::size_t used() const { return used_; }

 private:
  std::size_t bytes_, used_ = 0;
};

// Bytes gathered into one piece of memory, which goes back to the system when it is released.
class HeldBytes {
 public:
  HeldBytes() = default;
  ~HeldBytes() { release(); }
  HeldBytes(const HeldBytes&) = delete;
  HeldBytes& operator=(const HeldBytes&) = delete;

  // False: there is no room for them, and nothing has changed.
  [[nodiscard]] bool append(std::string_view bytes, HoldBudget& budget);
  // The same off the budget, for what was in a connection's own buffer, which is free for that. std::bad_alloc where
  // there is no memory.
  void append_anyway(std::string_view bytes);
  void release();
  [[nodiscard]] std::string_view view() const { return {data_, size_}; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

 private:
  [[nodiscard]] std::size_t room_for(std::size_t bytes) const;
  bool grow(std::size_t capacity);
  void add(std::string_view bytes);

  HoldBudget* budget_ = nullptr;
  char* data_ = nullptr;
  std::size_t size_ = 0, capacity_ = 0;
  std::size_t taken_ = 0;  // of the budget
};

// Memory on the budget for libraries that take a pair of functions: `budget` is a HoldBudget*. Null: there is no room.
void* allocate_held(void* budget, std::size_t bytes);
void free_held(void* budget, void* memory);

}  // namespace mcptrace::http
