#include "mcp/counted_framer.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace mcptrace::mcp {
namespace {

constexpr std::string_view kLength = "content-length:";
constexpr std::string_view kType = "content-type:";
constexpr std::uint64_t kMostHead = 8 << 10;

// Of the shorter one's length, without regard to case.
bool agree(std::string_view text, std::string_view lowered) {
  const std::size_t size = std::min(text.size(), lowered.size());
  return std::ranges::equal(text.substr(0, size), lowered.substr(0, size), {}, lower);
}

}  // namespace

bool CountedFramer::look(std::string_view& bytes, MessageScanner& scanner) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    line_[line_size_++] = bytes[i];
    const std::string_view begun(line_.data(), line_size_);
    if (!agree(begun, kLength) && !agree(begun, kType)) {
      state_ = State::kLines;
      return false;
    }
    if (bytes[i] != ':') continue;
    state_ = State::kHead;
    head_size_ = line_size_;
    bytes.remove_prefix(i + 1);
    scanner.discard();
    scanner.mark(kCounted);
    return true;
  }
  return false;
}

void CountedFramer::feed(std::string_view& bytes, MessageScanner& scanner) {
  while (!bytes.empty() && state_ == State::kHead) head(bytes);
  if (state_ == State::kBody) return body(bytes, scanner);
  if (state_ == State::kLost) bytes = {};
}

void CountedFramer::head(std::string_view& bytes) {
  const std::size_t newline = bytes.find('\n');
  const std::string_view piece = bytes.substr(0, newline);
  if (line_size_ < line_.size()) {
    std::memcpy(line_.data() + line_size_, piece.data(), std::min(piece.size(), line_.size() - line_size_));
  }
  line_size_ += piece.size();
  head_size_ += piece.size();
  if (head_size_ > kMostHead) state_ = State::kLost;
  if (newline == std::string_view::npos) {
    bytes = {};
    return;
  }
  bytes.remove_prefix(newline + 1);
  ++head_size_;
  end_field();
  line_size_ = 0;
}

void CountedFramer::end_field() {
  std::string_view line(line_.data(), std::min(line_size_, line_.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  line = trim(line);
  if (line.empty()) {
    if (!length_) {
      state_ = State::kLost;
      return;
    }
    left_ = *length_;
    state_ = left_ != 0 ? State::kBody : State::kHead;
    if (left_ == 0) length_.reset(), head_size_ = 0;
    return;
  }
  if (line.size() < kLength.size() || !agree(line, kLength)) {
    if (!line.contains(':') && line_size_ <= line_.size()) state_ = State::kLost;
    return;
  }
  const auto value = parse_number<std::uint64_t>(trim(line.substr(kLength.size())));
  if (!value || line_size_ > line_.size() || (length_ && length_ != value)) state_ = State::kLost;
  length_ = value;
}

void CountedFramer::body(std::string_view& bytes, MessageScanner& scanner) {
  const std::string_view piece =
      bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size())));
  scanner.feed(piece);
  bytes.remove_prefix(piece.size());
  left_ -= piece.size();
  if (left_ != 0) return;
  scanner.end_line(head_size_ + *length_);
  state_ = State::kHead;
  length_.reset();
  head_size_ = 0;
}

}  // namespace mcptrace::mcp
