// What the HTTP benchmarks are run against: the server, and before it nothing, nginx or mcptrace; and whether a trace
// is whole afterwards. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "process.h"

namespace mcptrace::bench {

enum Subject : std::size_t { kDirect, kNginx, kMcptrace, kSubjects };

struct Programs {
  std::vector<std::string> mcptrace;  // with its command
  std::string nginx, upstream;
};

class Stage {
 public:
  // Starts all of it, fresh: `state` is a directory that is emptied first. `routes`: what is asked of /r0, /r1 … goes
  // to the server too, by a route each.
  Stage(const Programs& programs, Subject subject, std::string state, std::size_t routes = 0);
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  // Where clients connect.
  [[nodiscard]] std::uint16_t port() const { return port_; }
  // Of the proxy, 0 if there is none: CPU seconds, resident KiB.
  [[nodiscard]] double cpu() const;
  [[nodiscard]] double resident() const;

  // Ends everything. False, and says why, unless all of the `calls` that were answered are in the spool; `more`: so
  // many may be there besides, of calls that the client gave up.
  bool finish(std::size_t calls, std::size_t more);

 private:
  void start_nginx(const Programs& programs, std::size_t routes);
  void start_mcptrace(const Programs& programs, std::size_t routes);
  void stop();

  std::string state_;
  Subject subject_;
  std::unique_ptr<Process> upstream_, proxy_;
  std::uint16_t port_ = 0;
};

}  // namespace mcptrace::bench
