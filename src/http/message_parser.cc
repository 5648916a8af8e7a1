#include "http/message_parser.h"

#include <algorithm>

#include "http/chunk_reader.h"
#include "http/head_parser.h"
#include "http/head_scan.h"

namespace mcptrace::http {
namespace {

// The part that both directions share: find the head, read it, hand out the body.
template <class Head, HeadScan::Kind kind>
class Engine {
 public:
  void reset(bool to_head) {
    scan_.reset();
    chunks_.reset();
    head_ = {};
    problem_ = {};
    piece_ = {};
    left_ = 0;
    stage_ = Stage::kHead;
    head_done_ = false;
    to_head_ = to_head;
  }

  ParseEvent next(std::string_view input, std::size_t& used) {
    used = 0;
    switch (stage_) {
      case Stage::kHead:
        return read_head(input, used);
      case Stage::kSized:
        if (left_ == 0) return finish();
        return hand_out(input, used, left_);
      case Stage::kChunks:
        return read_chunks(input, used);
      case Stage::kUntilClose:
        return hand_out(input, used, input.size());
      case Stage::kEnd:
        return ParseEvent::kEnd;
      case Stage::kBad:
        break;
    }
    return ParseEvent::kBad;
  }

  ParseEvent end_of_stream() {
    if (stage_ == Stage::kUntilClose || stage_ == Stage::kEnd || (stage_ == Stage::kSized && left_ == 0))
      return finish();
    if (stage_ == Stage::kBad) return ParseEvent::kBad;
    return bad(400, stage_ == Stage::kHead ? "the connection ended before the head did" : "the body was cut short");
  }

  const Head& head() const { return head_; }
  std::string_view body() const { return piece_; }
  const ParseProblem& problem() const { return problem_; }
  bool head_done() const { return head_done_; }
  void head_moved(const char* from, const char* to) { parser_.head_moved(from, to, head_); }

 private:
  enum class Stage : std::uint8_t { kHead, kSized, kChunks, kUntilClose, kEnd, kBad };

  ParseEvent bad(int status, std::string_view what) {
    problem_ = {status, what};
    stage_ = Stage::kBad;
    return ParseEvent::kBad;
  }
  ParseEvent finish() {
    stage_ = Stage::kEnd;
    return ParseEvent::kEnd;
  }

  ParseEvent read_head(std::string_view input, std::size_t& used) {
    switch (scan_.look(input)) {
      case HeadScan::State::kNeedMore:
        return ParseEvent::kNeedMore;
      case HeadScan::State::kBad:
        return bad(scan_.problem().status, scan_.problem().what);
      case HeadScan::State::kDone:
        break;
    }
    const std::string_view text = input.substr(scan_.begin(), scan_.end() - scan_.begin());
    if (!parser_.parse(text, scan_.line_ends(), head_)) return bad(parser_.problem().status, parser_.problem().what);
    if (const char* what = frame(parser_.framing(), head_)) return bad(400, what);
    head_done_ = true;
    used = scan_.end();
    return ParseEvent::kHead;
  }

  // How the body's end is told (RFC 9112 6.3). Null, or what is wrong.
  const char* frame(const FramingFields& fields, const RequestHead&) {
    frame_as_told(fields, BodyFraming::kNone);
    return nullptr;
  }

  const char* frame(const FramingFields& fields, const ResponseHead& head) {
    const bool tells_body = fields.codings > 0 || fields.length > 0;
    if (head.status < 200 && tells_body) return "a 1xx answer with a body";
    if (head.status < 200 || head.status == 204 || head.status == 304 || to_head_) {
      // What such a server sends behind a 204 that announces a body, nobody knows.
      if (head.status == 204 && !to_head_ && tells_body) head_.keep_alive = false;
      stage_ = Stage::kSized;
      return nullptr;
    }
    if (fields.codings + fields.lengths == 0) head_.keep_alive = false;
    frame_as_told(fields, BodyFraming::kUntilClose);
    return nullptr;
  }

  void frame_as_told(const FramingFields& fields, BodyFraming otherwise) {
    if (fields.codings > 0) {
      head_.framing = BodyFraming::kChunked;
      stage_ = Stage::kChunks;
    } else if (fields.lengths > 0) {
      head_.framing = BodyFraming::kLength;
      head_.length = left_ = fields.length;
      stage_ = Stage::kSized;
    } else {
      head_.framing = otherwise;
      stage_ = otherwise == BodyFraming::kUntilClose ? Stage::kUntilClose : Stage::kSized;
    }
  }

  ParseEvent hand_out(std::string_view input, std::size_t& used, std::uint64_t most) {
    if (input.empty()) return ParseEvent::kNeedMore;
    used = static_cast<std::size_t>(std::min<std::uint64_t>(most, input.size()));
    piece_ = input.substr(0, used);
    if (stage_ == Stage::kSized) left_ -= used;
    return ParseEvent::kBody;
  }

  ParseEvent read_chunks(std::string_view input, std::size_t& used) {
    switch (chunks_.next(input, used)) {
      case ChunkReader::Event::kPiece:
        piece_ = chunks_.piece();
        return ParseEvent::kBody;
      case ChunkReader::Event::kEnd:
        return finish();
      case ChunkReader::Event::kBad:
        return bad(400, chunks_.problem());
      case ChunkReader::Event::kNeedMore:
        break;
    }
    return ParseEvent::kNeedMore;
  }

  HeadScan scan_{kind};
  HeadParser parser_;
  ChunkReader chunks_;
  Head head_;
  ParseProblem problem_;
  std::string_view piece_;
  std::uint64_t left_ = 0;  // of a body whose length was told
  Stage stage_ = Stage::kHead;
  bool to_head_ = false;
  bool head_done_ = false;
};

}  // namespace

class RequestParser::Impl : public Engine<RequestHead, HeadScan::Kind::kRequest> {};
class ResponseParser::Impl : public Engine<ResponseHead, HeadScan::Kind::kResponse> {};

RequestParser::RequestParser() : impl_(std::make_unique<Impl>()) {}
RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;
RequestParser& RequestParser::operator=(RequestParser&&) noexcept = default;
void RequestParser::reset() { impl_->reset(false); }
ParseEvent RequestParser::next(std::string_view input, std::size_t& used) { return impl_->next(input, used); }
const RequestHead& RequestParser::head() const { return impl_->head(); }
std::string_view RequestParser::body() const { return impl_->body(); }
const ParseProblem& RequestParser::problem() const { return impl_->problem(); }
bool RequestParser::head_done() const { return impl_->head_done(); }
void RequestParser::head_moved(const char* from, const char* to) { impl_->head_moved(from, to); }

ResponseParser::ResponseParser() : impl_(std::make_unique<Impl>()) {}
ResponseParser::~ResponseParser() = default;
ResponseParser::ResponseParser(ResponseParser&&) noexcept = default;
ResponseParser& ResponseParser::operator=(ResponseParser&&) noexcept = default;
void ResponseParser::reset(bool to_head) { impl_->reset(to_head); }
ParseEvent ResponseParser::next(std::string_view input, std::size_t& used) { return impl_->next(input, used); }
ParseEvent ResponseParser::end_of_stream() { return impl_->end_of_stream(); }
const ResponseHead& ResponseParser::head() const { return impl_->head(); }
std::string_view ResponseParser::body() const { return impl_->body(); }
const ParseProblem& ResponseParser::problem() const { return impl_->problem(); }
bool ResponseParser::head_done() const { return impl_->head_done(); }

}  // namespace mcptrace::http
