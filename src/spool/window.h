// A look into a file that may be growing: bytes at an offset, read in chunks. Used by FileReader, on its thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace mcptrace::spool {

class Window {
 public:
  // At least `size` bytes from `offset`, or up to the end of the file; often more. Valid until the next call. A read
  // error is an end, and stays in error().
  std::string_view view(int fd, std::uint64_t offset, std::size_t size);
  // What was seen may have changed.
  void forget() { length_ = 0; }
  [[nodiscard]] int error() const { return error_; }

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_ = 0;
  std::uint64_t start_ = 0;
  std::size_t length_ = 0;
  int error_ = 0;
};

}  // namespace mcptrace::spool
