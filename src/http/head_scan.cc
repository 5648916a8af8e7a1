#include "http/head_scan.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace mcptrace::http {
namespace {

constexpr std::size_t kMaxMethodBytes = 32;
constexpr std::string_view kVersionForm = " HTTP/1.1";

// "HTTP/d.d" at `text`, which is long enough.
bool is_version(const char* text) {
  return std::memcmp(text, "HTTP/", 5) == 0 && is_digit(text[5]) && text[6] == '.' && is_digit(text[7]);
}
bool is_spoken(const char* version) { return version[5] == '1' && (version[7] == '0' || version[7] == '1'); }

}  // namespace

void HeadScan::reset() {
  begin_ = line_ = scanned_ = 0;
  line_ends_.clear();
  problem_ = {};
}

HeadScan::State HeadScan::bad(int status, std::string_view what) {
  problem_ = {status, what};
  return State::kBad;
}

HeadScan::State HeadScan::look(std::string_view input) {
  const char* const bytes = input.data();
  while (scanned_ < input.size()) {
    const void* const found = std::memchr(bytes + scanned_, '\n', input.size() - scanned_);
    if (found == nullptr) break;
    const auto next = static_cast<std::size_t>(static_cast<const char*>(found) - bytes) + 1;
    const State state = take_line(input.substr(line_, next - line_));
    line_ = scanned_ = next;
    if (state != State::kNeedMore) return state;
  }
  scanned_ = input.size();
  return check_unfinished(input);
}

// `line` with its LF.
HeadScan::State HeadScan::take_line(std::string_view line) {
  if (line.size() < 2 || line[line.size() - 2] != '\r') return bad(400, "a line of the head ends in LF without CR");
  const bool too_long = line_ + line.size() > begin_ + kMaxHeadBytes;
  line.remove_suffix(2);
  if (line_ends_.empty() && line.empty() && begin_ == 0 && kind_ == Kind::kRequest) {
    begin_ = 2;  // RFC 9112 2.2
    return State::kNeedMore;
  }
  line_ends_.push_back(static_cast<std::uint32_t>(line_ - begin_ + line.size()));
  if (line_ends_.size() == 1) return kind_ == Kind::kRequest ? check_request_line(line) : check_status_line(line);
  if (too_long) return bad(431, "the head is too long");
  if (line.empty()) return State::kDone;
  if (line.front() == ' ' || line.front() == '\t') {
    return bad(400, "a line of the head is folded or begins with a space");
  }
  return State::kNeedMore;
}

HeadScan::State HeadScan::check_request_line(std::string_view line) {
  if (line.size() < kVersionForm.size() || line[line.size() - kVersionForm.size()] != ' ' ||
      !is_version(line.data() + line.size() - kVersionForm.size() + 1)) {
    return bad(400, "the request line does not end in an HTTP version");
  }
  if (!is_spoken(line.data() + line.size() - kVersionForm.size() + 1))
    return bad(505, "only HTTP/1.1 and 1.0 are spoken here");
  const std::size_t method = line.find(' ');
  if (method > kMaxMethodBytes) return bad(400, "the method is too long");
  if (line.size() - method > kMaxTargetBytes + kVersionForm.size() + 1)
    return bad(414, "the request target is too long");
  return State::kNeedMore;
}

HeadScan::State HeadScan::check_status_line(std::string_view line) {
  constexpr std::size_t kStatusEnd = 12;  // "HTTP/1.1 200"
  if (line.size() < kStatusEnd || !is_version(line.data()) || !is_spoken(line.data()) || line[8] != ' ') {
    return bad(400, "the answer does not begin with an HTTP/1 status line");
  }
  if (line.size() > kMaxTargetBytes) return bad(431, "the status line is too long");
  return State::kNeedMore;
}

HeadScan::State HeadScan::check_unfinished(std::string_view input) {
  const std::string_view line = input.substr(line_);
  if (!line_ends_.empty()) {
    return input.size() > begin_ + kMaxHeadBytes ? bad(431, "the head is too long") : State::kNeedMore;
  }
  if (kind_ == Kind::kResponse) {
    if (line.size() > kMaxTargetBytes + 2) return bad(431, "the status line is too long");
    const std::string_view start = line.substr(0, std::min<std::size_t>(line.size(), 7));
    return std::string_view("HTTP/1.").starts_with(start)
               ? State::kNeedMore
               : bad(400, "the answer does not begin with an HTTP/1 status line");
  }
  const std::size_t method = line.find(' ');
  if (std::min(method, line.size()) > kMaxMethodBytes) return bad(400, "the method is too long");
  if (method != line.npos && line.size() - method > kMaxTargetBytes + kVersionForm.size() + 2) {
    return bad(414, "the request target is too long");
  }
  return State::kNeedMore;
}

}  // namespace mcptrace::http
