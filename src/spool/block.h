// Records to blocks and back: their coding, and nothing else of the file. Used by one thread at a time; does no I/O.
//
// Both ends keep their zstd context, made at the first block: a process that never has a large batch never pays for
// one.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "spool/layout.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace mcptrace::spool {

struct BatchOptions {
  std::size_t compress_from = 8u << 10;
  int compress_level = -3;
};

// Turns gathered records (layout's, with a crc of zero) into what goes into the file.
class BatchEncoder {
 public:
  explicit BatchEncoder(BatchOptions options);
  ~BatchEncoder();
  BatchEncoder(const BatchEncoder&) = delete;
  BatchEncoder& operator=(const BatchEncoder&) = delete;

  // Runs of kSpan and kLog records of at least compress_from bytes become blocks, where that makes them smaller; all
  // others are sealed as they are. The order stays. The result is `records` itself or the encoder's own buffer: valid
  // until the next call or change of `records`. Never larger than `records`.
  std::string_view encode(std::string& records, std::uint32_t salt);
  // Memory that zstd holds.
  [[nodiscard]] std::size_t context_bytes() const;

 private:
  std::size_t compress(std::string_view run, char* to, std::size_t room);
  bool put_block(std::string_view run, std::uint32_t salt);

  const BatchOptions options_;
  ZSTD_CCtx_s* context_ = nullptr;
  std::string out_;
};

// Expands blocks into a buffer of its own.
class BlockDecoder {
 public:
  BlockDecoder() = default;
  ~BlockDecoder();
  BlockDecoder(const BlockDecoder&) = delete;
  BlockDecoder& operator=(const BlockDecoder&) = delete;

  // The records within, well formed (layout.h); nothing if they are not what the header says. Valid until the next
  // call.
  std::optional<std::string_view> expand(const BlockHeader& header);

 private:
  ZSTD_DCtx_s* context_ = nullptr;
  std::string buffer_;
};

// How many records (those within blocks too) and how many bytes of a batch are whole in its first `limit` bytes.
struct WholeRecords {
  std::size_t bytes = 0;
  std::size_t records = 0;
};
WholeRecords whole_records(std::string_view batch, std::size_t limit);

}  // namespace mcptrace::spool
