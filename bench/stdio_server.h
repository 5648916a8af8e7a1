// The client's end of the stdio benchmarks: a server, or what wraps one, between two pipes. One thread.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

#include "base/fd.h"

namespace mcptrace::bench {

class StdioServer {
 public:
  // Starts it; fails if it cannot.
  explicit StdioServer(const std::vector<std::string>& command);

  [[nodiscard]] pid_t pid() const { return pid_; }
  void write(const std::string& bytes);
  // Reads until at least so many lines have come; how many did.
  std::size_t read_lines(std::size_t at_least);
  // Closes its stdin and waits until it is gone; fails unless its status is 0.
  void stop();

 private:
  pid_t pid_ = -1;
  UniqueFd in_, out_;
  std::vector<char> buffer_;
};

// A tools/call whose line has `size` bytes.
std::string tool_call_line(std::size_t id, std::size_t size);

// `calls` calls of 1 KiB each, so many in flight.
void call(StdioServer& server, std::size_t calls, std::size_t in_flight);

}  // namespace mcptrace::bench
