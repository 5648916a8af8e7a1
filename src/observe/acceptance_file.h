// What was learned of a server's acceptance, kept on disk: the next process of the same server begins with it. One
// small file a server, written anew when something has changed; that of who writes last counts, but for what it has not
// learned itself. The observer's thread, but for load().
//
//   AcceptanceFile file(acceptance, state_directory + "/servers", print, "the server", log);
//   file.load(now);    // before anything is asked
//   file.save(now);    // now and then, and at the end
#pragma once

#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "observe/acceptance.h"

namespace mcptrace::observe {

class AcceptanceFile {
 public:
  // References must outlive this. `directory` is made when something is written; `print`: 16 hexadecimal digits that
  // tell the server; `label`: what it is called on stderr.
  AcceptanceFile(Acceptance& acceptance, std::string directory, const std::string& print, std::string label, Log& log);

  // `wall`: the time.
  void load(Nanos wall);
  // Nothing to be done: costs a lock. What fails is said once, and costs only what was learned.
  void save(Nanos wall);

 private:
  struct Content {
    Acceptance::Table table{};
    std::array<Nanos, static_cast<std::size_t>(mcp::Method::kCount)> since{};  // wall: strict
    std::uint64_t version = 0;
  };
  static Content parse(std::string_view text, Nanos wall);
  static std::string write(const Content& content);
  Result<> replace(const std::string& text) const;
  void make_room() const;
  void say_strict(const Acceptance::Table& table);

  Acceptance& acceptance_;
  const std::string directory_, name_, label_;
  Log& log_;
  Content loaded_;
};

}  // namespace mcptrace::observe
