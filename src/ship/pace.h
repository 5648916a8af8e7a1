// When a destination is tried again: at once while all goes well, after failures ever later, with jitter, so that many
// who lost one receiver do not come back to it together. Pure.
#pragma once

#include <optional>

#include "base/clock.h"
#include "base/random.h"

namespace mcptrace::ship {

class Pace {
 public:
  Pace(Nanos first, Nanos most, Random& random) : first_(first), most_(most), random_(random) {}

  // All times are boot's.
  void good() { failures_ = 0, next_ = {}; }
  // `after`: what the receiver asks for.
  void failed(std::optional<Nanos> after, Nanos now);
  // Whatever is sent is refused, until somebody mends the configuration: slowly.
  void misplaced(Nanos now);

  [[nodiscard]] bool is_good() const { return failures_ == 0; }
  // Not before; zero: at once.
  [[nodiscard]] Nanos next() const { return next_; }

 private:
  Nanos backoff(Nanos first, Nanos most) const;
  void wait(Nanos delay, Nanos now);

  Nanos first_, most_;
  Random& random_;
  unsigned failures_ = 0;  // in a row
  Nanos next_{};
};

}  // namespace mcptrace::ship
