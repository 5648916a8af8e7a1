// File descriptors with an owner, and the few loops around read(2) and write(2) that everybody needs.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace mcptrace {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  ~UniqueFd() { reset(); }

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

// Writes all of it, through EINTR and short writes. The descriptor must be blocking. Error: kIo.
Result<> write_all(int fd, std::string_view bytes);
// Makes `text` what the file of that name in the open directory holds (0600), in one rename: whoever reads it finds the
// old text or the new. It is written under the name `temporary`, which nobody else writes meanwhile. Error: kIo; the
// old one is still there. Does not run into `ulimit -f`, which would end the process by SIGXFSZ, and the traffic with
// it.
Result<> replace_file(int directory, const std::string& name, std::string_view text, const std::string& temporary);
// The whole file, at most `limit` bytes (kLimit beyond it).
Result<std::string> read_file(const std::string& path, std::size_t limit);

}  // namespace mcptrace
