#include "ship/compress.h"

#include <zlib.h>
#include <zstd.h>

namespace mcptrace::ship {
namespace {

// A span costs 7 µs at zlib's usual level and 2 at this one, which leaves a tenth more bytes.
constexpr int kGzipLevel = 1, kZstdLevel = 1;
constexpr int kGzipWindow = 15 + 16;  // with gzip's own header

Error no_memory() { return {Errc::kLimit, "there is not enough memory to compress a request"}; }

struct FreeZstd {
  void operator()(ZSTD_CCtx* context) const { ::ZSTD_freeCCtx(context); }
};

}  // namespace

struct Compressor::State {
  ~State() {
    if (has_gzip) ::deflateEnd(&gzip);
  }
  z_stream gzip{};
  bool has_gzip = false;
  std::unique_ptr<ZSTD_CCtx, FreeZstd> zstd;
};

Compressor::Compressor() : state_(std::make_unique<State>()) {}
Compressor::~Compressor() = default;
Compressor::Compressor(Compressor&&) noexcept = default;

Result<> Compressor::gzip(std::string_view bytes, std::string& out) {
  z_stream& stream = state_->gzip;
  if (!state_->has_gzip) {
    state_->has_gzip = ::deflateInit2(&stream, kGzipLevel, Z_DEFLATED, kGzipWindow, 9, Z_DEFAULT_STRATEGY) == Z_OK;
    if (!state_->has_gzip) return std::unexpected(no_memory());
  }
  ::deflateReset(&stream);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  const std::size_t before = out.size(), room = ::deflateBound(&stream, bytes.size());
  out.resize_and_overwrite(before + room, [&](char* data, std::size_t) {
    stream.next_out = reinterpret_cast<Bytef*>(data + before);
    stream.avail_out = static_cast<uInt>(room);
    ::deflate(&stream, Z_FINISH);
    return before + room - stream.avail_out;
  });
  return {};
}

Result<> Compressor::zstd(std::string_view bytes, std::string& out) {
  if (!state_->zstd) state_->zstd.reset(::ZSTD_createCCtx());
  if (!state_->zstd) return std::unexpected(no_memory());
  const std::size_t before = out.size(), room = ::ZSTD_compressBound(bytes.size());
  std::size_t size = 0;
  out.resize_and_overwrite(before + room, [&](char* data, std::size_t) {
    size = ::ZSTD_compressCCtx(state_->zstd.get(), data + before, room, bytes.data(), bytes.size(), kZstdLevel);
    return ::ZSTD_isError(size) != 0 ? before : before + size;
  });
  if (::ZSTD_isError(size) != 0) return std::unexpected(no_memory());
  return {};
}

}  // namespace mcptrace::ship
