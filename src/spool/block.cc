#include "spool/block.h"

#include <zstd.h>

#include <algorithm>
#include <array>

#include "spool/likeness.h"

namespace mcptrace::spool {
namespace {

// A run is cut here, so that neither end needs much memory; the format allows 4 MiB.
constexpr std::size_t kBlockTarget = 1u << 20;
// 128 KiB look back: as much as a batch usually has, and the tables of level 1 stay small.
constexpr int kWindowLog = 17;
// 32 KiB, as level 1 has for a full batch; said here so that the table stays where it is, and is not cleared, when
// batches are of different sizes.
constexpr int kHashLog = 13;
// Records are told by their likeness where that takes a quarter of their bytes or less. Else they differ too much, and
// zstd takes less still.
constexpr std::size_t kLikenessWorth = 4;
// A buffer that grew beyond this for one large record is given back.
constexpr std::size_t kKeptBytes = 512u << 10;

// Log records stand beside their spans: they are packed together, or neither would be in a run.
bool is_packed(char type) {
  return type == static_cast<char>(RecordType::kSpan) || type == static_cast<char>(RecordType::kLog);
}

// The size of the record at `at`: ours, therefore right.
std::size_t size_at(std::string_view records, std::size_t at) {
  return kRecordHeaderBytes + load32(records.data() + at);
}

struct Tags {
  std::array<std::uint32_t, kMaxListedTags> values{};
  std::size_t count = 0;
  bool too_many = false;

  void add(std::uint32_t tag) {
    if (too_many || (count > 0 && values[count - 1] == tag)) return;
    const auto end = values.begin() + static_cast<std::ptrdiff_t>(count);
    if (std::find(values.begin(), end, tag) != end) return;
    if (count == values.size()) {
      too_many = true;
    } else {
      values[count++] = tag;
    }
  }
};

struct Run {
  Tags tags;
  std::uint32_t records = 0;
  std::uint32_t types = 0;  // mask
};

Run measure(std::string_view run) {
  Run measured;
  for (std::size_t at = 0; at < run.size(); at += size_at(run, at)) {
    measured.tags.add(load32(run.data() + at + 12));
    measured.types |= 1u << run[at + 8];
    ++measured.records;
  }
  return measured;
}

}  // namespace

BatchEncoder::BatchEncoder(BatchOptions options) : options_(options) {}
BatchEncoder::~BatchEncoder() { ZSTD_freeCCtx(context_); }

std::size_t BatchEncoder::context_bytes() const { return context_ == nullptr ? 0 : ZSTD_sizeof_CCtx(context_); }

std::string_view BatchEncoder::encode(std::string& records, std::uint32_t salt) {
  if (out_.capacity() > kKeptBytes) std::string().swap(out_);
  out_.clear();
  std::size_t plain_from = 0;  // sealed in place and not yet in out_
  for (std::size_t at = 0; at < records.size();) {
    const std::size_t run_begin = at;
    while (at < records.size() && is_packed(records[at + 8])) {
      const std::size_t size = size_at(records, at);
      if (at > run_begin && at + size - run_begin > kBlockTarget) break;
      at += size;
    }
    const std::string_view run = std::string_view(records).substr(run_begin, at - run_begin);
    if (!run.empty() && run.size() >= options_.compress_from && run.size() <= kBlockTarget) {
      out_.append(records, plain_from, run_begin - plain_from);
      plain_from = run_begin;
      if (put_block(run, salt)) {
        plain_from = at;
        continue;
      }
    }
    if (at == run_begin) at += size_at(records, at);  // of another type
    for (std::size_t one = run_begin; one < at;) {
      const std::size_t size = size_at(records, one);
      seal_record(records.data() + one, size, salt);
      one += size;
    }
  }
  if (plain_from == 0) return records;
  out_.append(records, plain_from);
  return out_;
}

// The size of its zstd frame at `to`; 0: it is not smaller.
std::size_t BatchEncoder::compress(std::string_view run, char* to, std::size_t room) {
  if (context_ == nullptr) {
    context_ = ZSTD_createCCtx();
    if (context_ == nullptr) return 0;
    ZSTD_CCtx_setParameter(context_, ZSTD_c_compressionLevel, options_.compress_level);
    ZSTD_CCtx_setParameter(context_, ZSTD_c_windowLog, kWindowLog);
    ZSTD_CCtx_setParameter(context_, ZSTD_c_hashLog, kHashLog);
  }
  const std::size_t frame = ZSTD_compress2(context_, to, room, run.data(), run.size());
  return ZSTD_isError(frame) != 0 ? 0 : frame;
}

bool BatchEncoder::put_block(std::string_view run, std::uint32_t salt) {
  const Run measured = measure(run);
  const std::size_t tags = measured.tags.too_many ? 0 : measured.tags.count;
  const std::size_t head = kRecordHeaderBytes + kBlockHeaderBytes + tags * sizeof(std::uint32_t);
  const std::size_t begin = out_.size();
  auto coding = Coding::kLikeness;
  // Room for less than the plain bytes only: what does not fit has not helped.
  out_.resize_and_overwrite(begin + run.size(), [&](char* data, std::size_t) {
    if (run.size() <= head) return begin;
    char* const to = data + begin + head;
    std::size_t coded = encode_likeness(run, to, (run.size() - head) / kLikenessWorth);
    if (coded == 0) {
      coding = Coding::kZstd;
      coded = compress(run, to, run.size() - head);
    }
    return coded == 0 ? begin : begin + head + coded;
  });
  if (out_.size() == begin || out_.size() - begin >= run.size()) {
    out_.resize(begin);
    return false;
  }
  char* record = out_.data() + begin;
  std::fill_n(record, head, '\0');
  store32(record, static_cast<std::uint32_t>(out_.size() - begin - kRecordHeaderBytes));
  record[8] = static_cast<char>(RecordType::kBlock);
  char* block = record + kRecordHeaderBytes;
  store32(block, static_cast<std::uint32_t>(run.size()));
  store32(block + 4, measured.records);
  store32(block + 8, measured.types);
  store32(block + 12, (measured.tags.too_many ? 0xffff : static_cast<std::uint32_t>(tags)) |
                          static_cast<std::uint32_t>(coding) << 16);
  for (std::size_t i = 0; i < tags; ++i) store32(block + kBlockHeaderBytes + 4 * i, measured.tags.values[i]);
  seal_record(record, out_.size() - begin, salt);
  return true;
}

BlockDecoder::~BlockDecoder() { ZSTD_freeDCtx(context_); }

std::optional<std::string_view> BlockDecoder::expand(const BlockHeader& header) {
  if (header.coding == Coding::kZstd && context_ == nullptr) context_ = ZSTD_createDCtx();
  bool done = false;
  buffer_.resize_and_overwrite(header.uncompressed_size, [&](char* data, std::size_t) {
    const std::size_t size = header.uncompressed_size;
    if (header.coding == Coding::kLikeness) {
      done = decode_likeness(header.coded, data, size);
    } else if (context_ != nullptr) {
      done = ZSTD_decompressDCtx(context_, data, size, header.coded.data(), header.coded.size()) == size;
    }
    return done ? size : 0;
  });
  if (!done || !well_formed(buffer_, header.records)) return std::nullopt;
  return buffer_;
}

WholeRecords whole_records(std::string_view batch, std::size_t limit) {
  WholeRecords whole;
  while (whole.bytes < batch.size()) {
    const std::size_t size = size_at(batch, whole.bytes);
    if (whole.bytes + size > limit) break;
    const char* record = batch.data() + whole.bytes;
    const bool block = record[8] == static_cast<char>(RecordType::kBlock);
    whole.records += block ? load32(record + kRecordHeaderBytes + 4) : 1;
    whole.bytes += size;
  }
  return whole;
}

}  // namespace mcptrace::spool
