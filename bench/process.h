// A program that a benchmark runs: its output on a pipe, ended with its owner at the latest. One thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/fd.h"

namespace mcptrace::bench {

class Process {
 public:
  // Starts it; its descriptor `piped` (1 or 2) is what read_until() reads. It gets SIGTERM if this thread dies. Fails
  // if it cannot start.
  Process(const std::vector<std::string>& command, int piped);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  // What it wrote, up to and with the line that begins with `prefix`; "" as prefix: to its end. Fails after `limit`, or
  // if the output ends before.
  std::string read_until(const std::string& prefix, std::chrono::seconds limit);
  // SIGTERM, and waits until it is gone, 15 s at most. Fails if it died in another way. What it wrote meanwhile goes to
  // stderr.
  void stop();

 private:
  pid_t pid_ = -1;
  UniqueFd output_;
  std::string text_;
};

}  // namespace mcptrace::bench
