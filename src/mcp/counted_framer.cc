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

// Says of each message how it was framed.
class Marking final : public MessageSink {
 public:
  explicit Marking(MessageSink& sink) : sink_(sink) {}
  void on_message(const Message& message, const SpliceMap* map) override {
    Message marked = message;
    marked.flags |= kCounted;
    sink_.on_message(marked, map);
  }
  void on_declared(std::span<const DeclaredTool> tools) override { sink_.on_declared(tools); }

 private:
  MessageSink& sink_;
};

}  // namespace

std::size_t CountedFramer::look(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    line_[line_size_++] = bytes[i];
    const std::string_view begun(line_.data(), line_size_);
    if (!agree(begun, kLength) && !agree(begun, kType)) {
      state_ = State::kLines;
      return 0;
    }
    if (bytes[i] != ':') continue;
    state_ = State::kHead;
    head_size_ = line_size_;
    return i + 1;
  }
  return bytes.size();
}

void CountedFramer::passed(std::string_view bytes, MessageScanner& scanner, MessageSink& sink) {
  while (!bytes.empty() && state_ != State::kLost) {
    bytes = state_ == State::kHead ? head(bytes) : body(bytes, scanner, sink);
  }
}

std::string_view CountedFramer::head(std::string_view bytes) {
  const std::size_t newline = bytes.find('\n');
  const std::string_view piece = bytes.substr(0, newline);
  if (line_size_ < line_.size()) {
    std::memcpy(line_.data() + line_size_, piece.data(), std::min(piece.size(), line_.size() - line_size_));
  }
  line_size_ += piece.size();
  head_size_ += piece.size();
  if (head_size_ > kMostHead) state_ = State::kLost;
  if (newline == std::string_view::npos) return {};
  ++head_size_;
  end_field();
  line_size_ = 0;
  return bytes.substr(newline + 1);
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

std::string_view CountedFramer::body(std::string_view bytes, MessageScanner& scanner, MessageSink& sink) {
  Marking marking(sink);
  const std::string_view piece =
      bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size())));
  scanner.feed(piece, marking);
  left_ -= piece.size();
  if (left_ == 0) {
    scanner.end_line(head_size_ + *length_, marking);
    state_ = State::kHead;
    length_.reset();
    head_size_ = 0;
  }
  return bytes.substr(piece.size());
}

}  // namespace mcptrace::mcp
