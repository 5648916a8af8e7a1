// What `ship` says of itself: on stderr, and, as a process that nobody sees has none, in `ship.log` of the state
// directory, which at 1 MiB becomes `ship.1.log`. A line is written when something changes, never for each failure.
#pragma once

#include <map>
#include <string>

#include "app/world.h"

namespace mcptrace::app {

class ShipLog {
 public:
  ShipLog(const World& world, std::string state) : world_(world), state_(std::move(state)) {}

  void line(const std::string& text);
  // What holds of `subject` from now on; the empty text: nothing is wrong with it. Says it if that is new, and of one
  // subject no more than ten lines in an hour.
  void now(const std::string& subject, const std::string& text);

 private:
  struct Said {
    std::string text;
    Nanos since{};
    int lines = 0;
  };

  const World& world_;
  std::string state_;
  std::map<std::string, Said> said_;
};

}  // namespace mcptrace::app
