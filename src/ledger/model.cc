#include "ledger/model.h"

namespace mcptrace::ledger {

Counts& Counts::operator+=(const Counts& other) {
  calls += other.calls;
  for (std::size_t i = 0; i < outcomes.size(); ++i) outcomes[i] += other.outcomes[i];
  errors += other.errors;
  requests += other.requests;
  notifications += other.notifications;
  dropped += other.dropped;
  not_json_lines += other.not_json_lines;
  not_json_bytes += other.not_json_bytes;
  unmatched += other.unmatched;
  not_injected += other.not_injected;
  for (const auto& [finding, count] : other.findings) findings[finding] += count;
  return *this;
}

std::string_view state_text(State state) {
  switch (state) {
    case State::kOpen:
      return "open";
    case State::kClosed:
      return "closed";
    case State::kKilled:
      return "killed";
  }
  return "";
}

bool Session::failed() const {
  for (const Stretch& stretch : stretches) {
    if (stretch.failed) return true;
  }
  return false;
}

}  // namespace mcptrace::ledger
