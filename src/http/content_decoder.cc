#include "http/content_decoder.h"

#include <brotli/decode.h>
#include <zlib.h>
#define ZSTD_STATIC_LINKING_ONLY  // for memory of our own
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <array>
#include <span>

#include "base/text.h"
#include "base/utf8.h"

namespace mcptrace::http {
namespace {

constexpr std::size_t kOutBytes = 16 << 10;
constexpr int kZstdWindowLog = 23;  // 8 MiB, the least that RFC 8878 asks of decoders

enum class Step : std::uint8_t {
  kMore,  // goes on, with more input or more room
  kDone,  // the encoded data is over; more of it may follow
  kCorrupt,
  kUnsupported,
  kNoRoom,  // neither memory nor budget
};

}  // namespace

class ContentDecoder::Codec {
 public:
  virtual ~Codec() = default;
  // Takes from the front of `in`, writes to `out`, says how many bytes. Neither taking nor writing anything = needs
  // more.
  virtual Step step(std::string_view& in, std::span<char> out, std::size_t& written) = 0;
  // After kDone: whether `next` begins another part of the same body.
  virtual bool goes_on(std::string_view next) = 0;
};

namespace {

using Codec = ContentDecoder::Codec;

// gzip and both kinds of deflate.
class ZlibCodec final : public Codec {
 public:
  enum class Format : std::uint8_t { kGzip, kDeflate };
  ZlibCodec(Format format, HoldBudget* budget) : format_(format) {
    if (budget == nullptr) return;
    stream_.zalloc = [](voidpf from, uInt items, uInt size) { return allocate_held(from, std::size_t{items} * size); };
    stream_.zfree = free_held;
    stream_.opaque = budget;
  }
  ~ZlibCodec() override {
    if (open_) inflateEnd(&stream_);
  }
  ZlibCodec(const ZlibCodec&) = delete;
  ZlibCodec& operator=(const ZlibCodec&) = delete;

  Step step(std::string_view& in, std::span<char> out, std::size_t& written) override {
    if (in.empty() && !open_) return Step::kMore;
    if (!open_ && inflateInit2(&stream_, window_bits(in.front())) != Z_OK) return Step::kNoRoom;
    open_ = true;
    const std::size_t given = std::min<std::size_t>(in.size(), 1 << 30);
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(given);
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    const int status = inflate(&stream_, Z_SYNC_FLUSH);
    written = out.size() - stream_.avail_out;
    in.remove_prefix(given - stream_.avail_in);
    if (status == Z_STREAM_END) return Step::kDone;
    if (status == Z_MEM_ERROR) return Step::kNoRoom;
    if (status == Z_NEED_DICT) return Step::kUnsupported;
    return status == Z_OK || status == Z_BUF_ERROR ? Step::kMore : Step::kCorrupt;
  }

  // RFC 1952 2.2: a file is a series of members.
  bool goes_on(std::string_view next) override {
    constexpr char kGzipMagic = '\x1f';
    return format_ == Format::kGzip && next.front() == kGzipMagic && inflateReset(&stream_) == Z_OK;
  }

 private:
  // What is called deflate is zlib's format (RFC 9110 8.4.1.2), but some send it bare; then the low bits of the first
  // byte are hardly ever those of zlib's.
  int window_bits(char first) const {
    constexpr int kLargest = 15, kGzipOnly = 16;
    if (format_ == Format::kGzip) return kLargest + kGzipOnly;
    return (first & 0x0f) == Z_DEFLATED ? kLargest : -kLargest;
  }

  Format format_;
  bool open_ = false;
  z_stream stream_{};
};

class BrotliCodec final : public Codec {
 public:
  explicit BrotliCodec(HoldBudget* budget)
      : state_(budget != nullptr ? BrotliDecoderCreateInstance(allocate_held, free_held, budget)
                                 : BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)) {}
  Step step(std::string_view& in, std::span<char> out, std::size_t& written) override {
    if (state_ == nullptr) return Step::kNoRoom;
    auto next_in = reinterpret_cast<const std::uint8_t*>(in.data());
    auto next_out = reinterpret_cast<std::uint8_t*>(out.data());
    std::size_t in_left = in.size(), out_left = out.size();
    const auto result = BrotliDecoderDecompressStream(state_.get(), &in_left, &next_in, &out_left, &next_out, nullptr);
    written = out.size() - out_left;
    in.remove_prefix(in.size() - in_left);
    if (result == BROTLI_DECODER_RESULT_SUCCESS) return Step::kDone;
    if (result != BROTLI_DECODER_RESULT_ERROR) return Step::kMore;
    const BrotliDecoderErrorCode why = BrotliDecoderGetErrorCode(state_.get());
    const bool memory =
        why <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES && why >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES;
    return memory ? Step::kNoRoom : Step::kCorrupt;
  }
  bool goes_on(std::string_view) override { return false; }

 private:
  struct Destroy {
    void operator()(BrotliDecoderState* state) const { BrotliDecoderDestroyInstance(state); }
  };
  std::unique_ptr<BrotliDecoderState, Destroy> state_;
};

class ZstdCodec final : public Codec {
 public:
  explicit ZstdCodec(HoldBudget* budget)
      : stream_(budget != nullptr ? ZSTD_createDCtx_advanced({allocate_held, free_held, budget}) : ZSTD_createDCtx()) {
    if (stream_ != nullptr) ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, kZstdWindowLog);
  }
  Step step(std::string_view& in, std::span<char> out, std::size_t& written) override {
    if (stream_ == nullptr) return Step::kNoRoom;
    if (!is_frame(in)) return Step::kCorrupt;
    ZSTD_inBuffer input{in.data(), in.size(), 0};
    ZSTD_outBuffer output{out.data(), out.size(), 0};
    const std::size_t result = ZSTD_decompressStream(stream_.get(), &output, &input);
    written = output.pos;
    in.remove_prefix(input.pos);
    if (ZSTD_isError(result) != 0) return code_of(result);
    magic_seen_ = result == 0 ? 0 : std::min(kMagicBytes, magic_seen_ + input.pos);
    return result == 0 ? Step::kDone : Step::kMore;
  }
  // RFC 8878 3: frames may be concatenated.
  bool goes_on(std::string_view) override { return true; }

 private:
  struct Free {
    void operator()(ZSTD_DCtx* stream) const { ZSTD_freeDCtx(stream); }
  };
  static constexpr std::size_t kMagicBytes = 4;

  // Whether a frame of RFC 8878 (3.1.1 or 3.1.2) goes on with `in`. The library may also read what was zstd before it
  // had a standard, by old code that nobody should meet here.
  bool is_frame(std::string_view in) const {
    constexpr std::string_view kFrame = "\x28\xb5\x2f\xfd", kSkippable = "\x50\x2a\x4d\x18";
    for (std::size_t i = 0; i < in.size() && magic_seen_ + i < kMagicBytes; ++i) {
      const std::size_t at = magic_seen_ + i;
      const char skippable = at == 0 ? static_cast<char>(in[i] & '\xf0') : in[i];
      if (in[i] != kFrame[at] && skippable != kSkippable[at]) return false;
    }
    return true;
  }

  static Step code_of(std::size_t result) {
    switch (ZSTD_getErrorCode(result)) {
      case ZSTD_error_frameParameter_windowTooLarge:
      case ZSTD_error_dictionary_wrong:
        return Step::kUnsupported;
      case ZSTD_error_memory_allocation:
        return Step::kNoRoom;
      default:
        return Step::kCorrupt;
    }
  }

  std::unique_ptr<ZSTD_DCtx, Free> stream_;
  std::size_t magic_seen_ = 0;  // bytes of a frame's first four
};

constexpr std::string_view kBom = "\xef\xbb\xbf", kBlanks = " \t\r\n";

// UTF-8 without controls; its last character may be cut off.
bool is_text(std::string_view text) {
  const auto is_control = [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && !kBlanks.contains(c)) || c == 0x7f;
  };
  if (std::ranges::any_of(text, is_control)) return false;
  for (std::size_t cut = 0; cut < 4 && cut <= text.size(); ++cut) {
    if (is_utf8(text.substr(0, text.size() - cut))) return true;
    if (static_cast<unsigned char>(text[text.size() - cut - 1]) < 0x80) return false;
  }
  return false;
}

// Is this how JSON's objects and arrays, or lines of an event stream begin, as far as it goes? Two bytes and more of it
// are looked at: what brotli or bare deflate begins with may be any one.
bool may_begin(std::string_view text) {
  if (text.empty() || text.front() == ':') return true;
  if (text.front() == '{') return text.size() == 1 || kBlanks.contains(text[1]) || text[1] == '"' || text[1] == '}';
  if (text.front() == '[') return text.size() == 1 || kBlanks.contains(text[1]) || text[1] == '{' || text[1] == ']';
  for (const std::string_view field : {"data", "event", "id", "retry"}) {
    if (field.starts_with(text)) return true;
    if (text.starts_with(field) && std::string_view(":\r\n").contains(text[field.size()])) return true;
  }
  return false;
}

// Calls `visit` with each element of the list that is not empty.
template <class Visit>
void each_coding(std::string_view list, Visit visit) {
  while (!list.empty()) {
    if (const std::string_view coding = trim(take_until(list, ',')); !coding.empty()) visit(coding);
  }
}

// No coding is meant by these.
bool is_meaningless(std::string_view coding) {
  return same_text(coding, "identity") || same_text(coding, "none") || same_text(coding, "utf-8") ||
         same_text(coding, "utf8");
}

}  // namespace

Look look_at(std::string_view begin) {
  begin = begin.substr(0, kLookBytes);
  if (!is_text(begin)) return Look::kCoded;
  const Look unclear = begin.size() < kLookBytes ? Look::kUnclear : Look::kPlain;
  std::string_view text = begin;
  if (text.starts_with(kBom.substr(0, text.size()))) text.remove_prefix(std::min(text.size(), kBom.size()));
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return may_begin(text) ? unclear : Look::kCoded;
}

bool is_encoded(std::string_view content_encoding) {
  bool encoded = false;
  each_coding(content_encoding, [&](std::string_view coding) { encoded |= !same_text(coding, "identity"); });
  return encoded;
}

std::unique_ptr<ContentDecoder> ContentDecoder::make(std::string_view content_encoding, DecodeLimits limits,
                                                     HoldBudget* budget) {
  std::string_view coding;
  std::size_t codings = 0;
  each_coding(content_encoding, [&](std::string_view named) {
    if (is_meaningless(named)) return;
    coding = ++codings == 1 ? named : std::string_view{};  // several, one over the other, are not read
  });
  std::unique_ptr<Codec> codec;
  if (same_text(coding, "gzip") || same_text(coding, "x-gzip")) {
    codec = std::make_unique<ZlibCodec>(ZlibCodec::Format::kGzip, budget);
  } else if (same_text(coding, "deflate")) {
    codec = std::make_unique<ZlibCodec>(ZlibCodec::Format::kDeflate, budget);
  } else if (same_text(coding, "br")) {
    codec = std::make_unique<BrotliCodec>(budget);
  } else if (same_text(coding, "zstd")) {
    codec = std::make_unique<ZstdCodec>(budget);
  }
  return std::unique_ptr<ContentDecoder>(new ContentDecoder(std::move(codec), limits));
}

ContentDecoder::ContentDecoder(std::unique_ptr<Codec> codec, DecodeLimits limits)
    : codec_(std::move(codec)), limits_(limits) {}
ContentDecoder::~ContentDecoder() = default;

Result<> ContentDecoder::feed(std::string_view bytes, const Sink& sink) {
  if (bytes.empty()) return {};
  if (state_ == State::kStopped) return stop(stopped_code_, stopped_);
  if (state_ == State::kLooking) return look(bytes, sink);
  if (state_ != State::kPlain) return decode(bytes, sink);
  sink(bytes);
  return {};
}

Result<> ContentDecoder::look(std::string_view bytes, const Sink& sink) {
  std::string first = std::move(held_);
  if (!first.empty()) bytes = first.append(bytes);
  switch (look_at(bytes)) {
    case Look::kUnclear:
      held_.assign(bytes);
      return {};
    case Look::kPlain:
      codec_.reset();
      state_ = State::kPlain;
      sink(bytes);
      return {};
    case Look::kCoded:
      break;
  }
  if (!codec_) return stop(Errc::kUnsupported, "no coding that is read here");
  state_ = State::kGoing;
  return decode(bytes, sink);
}

Result<> ContentDecoder::decode(std::string_view bytes, const Sink& sink) {
  fed_ += bytes.size();
  [[clang::uninitialized]] std::array<char, kOutBytes> out;  // clearing it would cost more than an event does
  while (true) {
    if (state_ == State::kDone && !bytes.empty()) state_ = codec_->goes_on(bytes) ? State::kGoing : State::kPast;
    if (state_ != State::kGoing) return {};
    const std::size_t before = bytes.size();
    std::size_t written = 0;
    const Step step = codec_->step(bytes, out, written);
    decoded_ += written;
    if (decoded_ > limits_.bytes) return stop(Errc::kLimit, "decodes to more than the limit");
    if (decoded_ > limits_.free_bytes && decoded_ / limits_.ratio > fed_) {
      return stop(Errc::kLimit, "decodes to too many times its size");
    }
    if (written > 0) sink({out.data(), written});
    if (step == Step::kCorrupt) return stop(Errc::kCorrupt, "not what its coding says");
    if (step == Step::kUnsupported) return stop(Errc::kUnsupported, "wants a dictionary, or too large a window");
    if (step == Step::kNoRoom) return stop(Errc::kIo, "there is no memory for it");
    if (step == Step::kDone) state_ = State::kDone;
    if (state_ == State::kGoing && bytes.size() == before && written == 0) return {};
  }
}

Result<> ContentDecoder::end() const {
  if (state_ == State::kStopped) return std::unexpected(Error{stopped_code_, std::string(stopped_)});
  if (state_ != State::kGoing) return {};
  return std::unexpected(Error{Errc::kCorrupt, "ends in the middle"});
}

// The format's memory is not needed any more.
Result<> ContentDecoder::stop(Errc code, std::string_view why) {
  codec_.reset();
  state_ = State::kStopped;
  stopped_code_ = code;
  stopped_ = why;
  return std::unexpected(Error{code, std::string(why)});
}

}  // namespace mcptrace::http
