#include "ledger/model.h"

#include <ranges>

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
  not_injected += other.not_injected;
  for (const auto& [finding, count] : other.findings) findings[finding] += count;
  return *this;
}

std::string_view state_text(State state) {
  switch (state) {
    case State::kFailed:
      return "failed";
    case State::kKilled:
      return "killed";
    case State::kClosed:
      return "closed";
    case State::kOpen:
      return "open";
    case State::kIdle:
      return "idle";
  }
  return "";
}

std::string_view failure_text(Failure failure) {
  switch (failure) {
    case Failure::kNone:
      return "";
    case Failure::kNotStarted:
      return "not_started";
    case Failure::kEndedFirst:
      return "ended_first";
    case Failure::kRefused:
      return "refused";
    case Failure::kNoAnswer:
      return "no_answer";
    case Failure::kNeedsSignIn:
      return "needs_sign_in";
  }
  return "";
}

std::string_view Session::error_type() const {
  for (const Stretch& stretch : stretches | std::views::reverse) {
    if (!stretch.error_type.empty()) return stretch.error_type;
  }
  return {};
}

}  // namespace mcptrace::ledger
